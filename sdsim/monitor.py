"""The monitor of a host: the daemon's own decisions (`sdcore.monitor.decisions`) on a simulated thread.

What the daemon does with sockets, memory and pidfds is done here with simulated ones: requests wait in a queue, cost
time, and are answered; slabs are made and dropped; deaths are noticed. It can crash and come back as a new monitor that
knows nothing, as the real one does.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, cast

from sdcore.monitor import events
from sdcore.monitor.decisions import Monitor as Decisions
from sdcore.monitor.policy import Policy
from sdcore.protocol.kit import Instance, Machine
from sdsim.host import Core, Thread
from sdsim.shared import Slab
from sdsim.units import MS
from sdsim.world import Steps, Violation, World

if TYPE_CHECKING:
    from sdsim.library import Library

LOOK_AGAIN_PS = 10 * MS


class StatusPage:
    """What every process reads without asking."""

    def __init__(self) -> None:
        self.alive = True
        self.listeners = 0
        self.leases = 0


class Request:
    """One message to the monitor, and who waits for the answer."""

    def __init__(self, event: events.Event, thread: Thread | None) -> None:
        self.event = event
        self.thread = thread
        self.reply: events.Reply | None = None
        self.done = False


class Monitor:
    """One monitor and its thread.

    Attributes:
        slabs: those that exist, by lease number.
        requests: served so far, and what it learned by itself; rejected: those that made no sense to it.
        dies_at: the kind of request before whose answer it dies; None: of no kind.
    """

    def __init__(self, world: World, core: Core, leases_max: int = 4096) -> None:
        self.world = world
        self.core = core
        self.name = world.name("monitor")
        self.leases_max = leases_max
        self.epoch = 0
        self.slabs: dict[int, Slab] = {}
        self.all_slabs: list[Slab] = []
        self.members: dict[int, Library] = {}
        self.page = StatusPage()
        self.requests = self.rejected = 0
        self.dies_at: type[object] | None = None
        self._queue: deque[Request] = deque()
        self._start()
        world.at_end(self._all_released)
        world.at_end(self._nobody_left)

    def _start(self) -> None:
        self.decisions = Decisions(Policy(), self.leases_max, start=self._instance)
        self.thread = Thread(self.core, self.name, self._serve, daemon=True)

    def _instance(self, machine: Machine) -> Instance:
        return cast("Instance", self.world.start(machine.name, self.name))

    def _all_released(self) -> None:
        """A slot whose ends were closed in order, or never taken up, is free again. The dead may leave theirs."""
        for slab in self.all_slabs:
            left = [slot.number for slot in slab.slots.values() if slot.used and slot.closed_in_order]
            if left:
                raise Violation(
                    f"everything is released: slot {left[0]} of {slab.name} is in use, and both ends closed"
                )

    def _nobody_left(self) -> None:
        """A monitor that serves and knows no process has forgotten listeners and slabs, too."""
        decisions = self.decisions
        if self.page.alive and not self.members and (decisions.listener_count or decisions.lease_count):
            raise Violation(
                f"everything is released: {self.name} knows no process, and has {decisions.listener_count} listeners"
                f" and {decisions.lease_count} slabs"
            )

    # Requests ---------------------------------------------------------------------------------------------------------

    def ask(self, thread: Thread, event: events.Event) -> Steps:
        """Send a request and wait for its reply; None if the monitor is gone."""
        yield from thread.system_call()
        if not self.page.alive:
            return None
        request = Request(event, thread)
        self._queue.append(request)
        self.thread.ring()
        if self.dies_at is not None and isinstance(event, self.dies_at):
            self.dies_at = None
            self.crash()
        while not request.done:
            yield from thread.block()
        return request.reply

    def tell(self, event: events.Event) -> None:
        """Something that the monitor learns by itself."""
        if self.page.alive:
            self._queue.append(Request(event, None))
            self.thread.ring()

    def _serve(self, thread: Thread) -> Steps:
        while True:
            while not self._queue:
                yield from thread.block()
            request = self._queue.popleft()
            self.requests += 1
            yield from thread.system_call(self.world.costs.monitor_request)
            self._perform(request, self.decisions.handle(request.event, self.world.now // 1000))
            request.done = True
            if request.thread is not None:
                request.thread.ring()

    def _perform(self, request: Request, effects: tuple[events.Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case events.MakeSlab():
                    slab = Slab(self.world, effect.lease_id, effect.heavy_fence)
                    self.slabs[effect.lease_id] = slab
                    self.all_slabs.append(slab)
                case events.ListenersMoved():
                    self.page.listeners += 1
                case events.LeasesMoved():
                    self.page.leases += 1
                case events.RevokeSlab() | events.MarkDrained():
                    self.slabs[effect.lease_id].revoked = True
                case events.PokeSlab():
                    self._poke(self.slabs[effect.lease_id], effect.side)
                case events.WatchOffers():
                    self._watch(effect.lease_id, offers=True)
                case events.WatchUse() | events.PressSlab():  # a modelled connection does not move: it ends
                    self._watch(effect.lease_id, offers=False)
                case events.DropSlab():
                    del self.slabs[effect.lease_id]
                case events.UseHeavyFence():
                    self.slabs[effect.lease_id].heavy_fence = True
                case events.Forget():
                    self.members.pop(effect.process_id, None)
                case _:
                    assert isinstance(effect, events.Reply), "no modelled process asks to join"
                    self.rejected += isinstance(effect, events.Rejected)
                    request.reply = effect

    def _poke(self, slab: Slab, side: int) -> None:
        for slot in slab.slots.values():
            socket = slot.ends[side] if slot.used else None
            if socket is not None:
                socket.poke()

    def _watch(self, lease_id: int, *, offers: bool) -> None:
        """Look now and then until nothing of a slab is in use."""
        epoch = self.epoch

        def look() -> None:
            slab = self.slabs.get(lease_id)
            if epoch != self.epoch or slab is None:
                return
            if slab.offers if offers else slab.in_use:
                self.world.later(LOOK_AGAIN_PS, look)
            else:
                self.tell(events.OffersTaken(lease_id) if offers else events.Unused(lease_id))

        self.world.later(0, look)

    # Faults -----------------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """Die: requests stay unanswered, the status page says so, slabs live on in who has mapped them."""
        self.page.alive = False
        self.epoch += 1
        self.thread.kill()
        for request in self._queue:
            request.done = True
            if request.thread is not None:
                request.thread.ring()
        self._queue.clear()

    def restart(self) -> None:
        """A new monitor that knows nobody, with a new status page."""
        self.page = StatusPage()
        self.slabs = {}
        self.members = {}
        self._start()
