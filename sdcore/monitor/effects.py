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

OFFERS_LOOK_S = 0.25


class Performer:
    """The hands of the monitor.

    Args:
        later: calls a function after some seconds.
        offers_taken: to be told of a slab in which no offer waits any more.
    """

    def __init__(self, later: Callable[[float, Callable[[], None]], None], offers_taken: Callable[[int], None]) -> None:
        """Make the status page, which is not alive yet.

        Raises:
            OSError: no memory or no descriptor is left.
        """
        self.page = StatusPage()
        self.slabs: dict[int, Slab] = {}
        self._ringer = Ringer()
        self._later = later
        self._offers_taken = offers_taken

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
        """Do one thing; replies, `MakeSlab` and `Forget` are the service's."""
        match effect:
            case events.UseHeavyFence(lease_id):
                self.slabs[lease_id].fence_heavily()
            case events.RevokeSlab(lease_id):
                self.slabs[lease_id].revoke()
            case events.PokeSlab(lease_id, side):
                self._ringer.ring(self.slabs[lease_id].poke(side))
            case events.WatchOffers(lease_id):
                self._later(0, lambda: self._look_for_offers(lease_id))
            case events.DropSlab(lease_id):
                self.slabs.pop(lease_id).close()
            case events.ListenersMoved():
                self.page.move_listeners()
            case events.LeasesMoved():
                self.page.move_leases()
            case _:
                raise TypeError(f"{effect} is not to be performed here")

    def _look_for_offers(self, lease_id: int) -> None:
        """Look now and then until no offer waits; the slab may be gone by then for another reason."""
        slab = self.slabs.get(lease_id)
        if slab is None:
            return
        if slab.waiting_offers():
            self._later(OFFERS_LOOK_S, lambda: self._look_for_offers(lease_id))
        else:
            self._offers_taken(lease_id)
