"""Performs what the decisions want done to memory: slabs, the status page, doorbells.

Owns all of these. A slab that is not there any more is a defect of the decisions, not a matter of luck: it raises.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sdcore.monitor import events
from sdcore.monitor.doorbell import Ringer
from sdcore.monitor.memory import Slab, StatusPage

log = logging.getLogger(__name__)

FIRST_LOOK_S = 0.05
LAST_LOOK_S = 5.0


class Performer:
    """The hands of the monitor.

    Args:
        later: calls a function after some seconds.
        decide: takes the event that says what a watch waited for.
    """

    def __init__(
        self, later: Callable[[float, Callable[[], None]], None], decide: Callable[[events.Event], object]
    ) -> None:
        """Make the status page, which is not alive yet.

        Raises:
            OSError: no memory or no descriptor is left.
        """
        self.page = StatusPage()
        self.slabs: dict[int, Slab] = {}
        self._ringer = Ringer()
        self._later = later
        self._decide = decide

    def close(self) -> None:
        """Say that nobody serves any more, and give up everything."""
        self.page.set_alive(False)
        for slab in self.slabs.values():
            slab.close()
        self._ringer.close()

    def make_slab(self, effect: events.MakeSlab) -> bool:
        """Make the memory of a slab; False if there is none."""
        try:
            slab = Slab(effect.lease_id, effect.listener_id, heavy_fence=effect.heavy_fence)
        except OSError as error:
            log.warning("no slab for lease %d: %s", effect.lease_id, error)
            return False
        self.slabs[effect.lease_id] = slab
        return True

    def perform(self, effect: events.Effect) -> None:
        """Do one thing; replies, `MakeSlab`, `Invite` and `Forget` are the service's."""
        match effect:
            case events.FillSlot(lease_id, client, server):
                self.slabs[lease_id].fill(client, server)
            case events.UseHeavyFence(lease_id):
                self.slabs[lease_id].fence_heavily()
            case events.RevokeSlab(lease_id):
                self.slabs[lease_id].revoke()
            case events.MarkDrained(lease_id):
                self.slabs[lease_id].mark_drained()
            case events.PressSlab(lease_id):
                self._press(lease_id)
            case events.PokeSlab(lease_id, side):
                self._ringer.ring(self.slabs[lease_id].poke(side))
            case events.WatchOffers(lease_id):
                self._watch(lease_id, Slab.waiting_offers, events.OffersTaken(lease_id))
            case events.WatchUse(lease_id):
                self._watch(lease_id, Slab.in_use, events.Unused(lease_id))
            case events.DropSlab(lease_id):
                self.slabs.pop(lease_id).close()
            case events.ListenersMoved():
                self.page.move_listeners()
            case events.LeasesMoved():
                self.page.move_leases()
            case _:
                raise TypeError(f"{effect} is not to be performed here")

    def _press(self, lease_id: int) -> None:
        """Ask at once, and again as often as it is looked whether a slot is in use.

        Not looked at first: a client that saw the slab before it was marked may be about to take a slot.
        """

        def busy(slab: Slab) -> bool:
            self._ringer.ring(slab.press())
            return slab.in_use()

        busy(self.slabs[lease_id])
        self._watch(lease_id, busy, events.Unused(lease_id), FIRST_LOOK_S)

    def _watch(self, lease_id: int, busy: Callable[[Slab], bool], end: events.Event, delay_s: float = 0) -> None:
        """Look now and then, more and more seldom, until a slab is not busy; then feed `end`.

        The slab may be gone by then for another reason, or the event have no meaning any more; both are in order.
        """

        def look() -> None:
            slab = self.slabs.get(lease_id)
            if slab is not None and busy(slab):
                self._watch(lease_id, busy, end, min(2 * delay_s, LAST_LOOK_S) or FIRST_LOOK_S)
            elif slab is not None:
                self._decide(end)

        self._later(delay_s, look)
