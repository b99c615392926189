"""Waiting: the driver of the `waiter` machine.

A `Source` is what is waited for: how to look, how to announce a sleep and take it back. The machine says what follows
what. Pauses and yields that nobody disturbs are not simulated one by one: the thread parks until there is news, and
then as many looks in vain are fed as would have fitted into the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from sdcore.protocol.ring import WaiterDo, WaiterEvent, WaiterState
from sdsim.host import Thread
from sdsim.stepper import Recorded, effects_of
from sdsim.units import NS, US
from sdsim.world import Steps, Violation

SPINS = 200
YIELDS = 80
YIELDS_CONTENDED = 6
PAUSE_PS = 20 * NS
PAUSE, YIELD = effects_of((WaiterDo.PAUSE,)), effects_of((WaiterDo.YIELD,))
YIELD_LONG_PS = 2 * US
READY, EMPTY, TIMEOUT = WaiterEvent.READY, WaiterEvent.EMPTY, WaiterEvent.TIMEOUT
DONE = WaiterState.DONE


class Patience:
    """How long threads of a library look before they sleep.

    Attributes:
        spins: looks without giving the core away.
        yields: looks after giving it away.
        contended: yields left once others were seen to want the core; None leaves them as they are.
    """

    def __init__(self, spins: int = SPINS, yields: int = YIELDS, contended: int | None = YIELDS_CONTENDED) -> None:
        self.spins = spins
        self.yields = yields
        self.contended = contended


class Source(Protocol):
    """Something that a thread waits for."""

    def look(self) -> bool:
        """Whether it is there, as far as this side can see."""
        ...

    def watch(self, thread: Thread) -> None:
        """Notify this thread, which spins, of news."""
        ...

    def due(self) -> int | None:
        """When something that is on its way can be seen, absolute; None: nothing is, or `watch` tells it."""
        ...

    def unwatch(self, thread: Thread) -> None:
        """Notify it no more."""
        ...

    def announce(self, thread: Thread) -> None:
        """Say where the peers see it that this thread sleeps."""
        ...

    def retract(self, thread: Thread) -> None:
        """Take that back."""
        ...

    def before_sleep(self) -> int | None:
        """Look at the companions; when to look again at the latest, absolute, or None."""
        ...


class Wait:
    """One wait of one thread: what is rarer than spinning."""

    def __init__(
        self, thread: Thread, source: Source, patience: Patience, deadline_ps: int | None, machine: Recorded
    ) -> None:
        self.thread = thread
        self.source = source
        self.deadline_ps = deadline_ps
        self.patience = patience
        self.machine = machine

    def perform(self, effects: Iterable[object]) -> Steps:
        """Carry effects out; returns the event that they bring."""
        event: WaiterEvent | None = None
        costs = self.thread.world.costs
        for effect in effects:
            match effect:
                case WaiterDo.YIELD:
                    event = yield from self._yield()
                case WaiterDo.ANNOUNCE:
                    self.source.announce(self.thread)
                    yield self.thread.work(costs.cache_line)
                case WaiterDo.FENCE:
                    yield from self.thread.system_call(costs.cache_line)
                case WaiterDo.LOOK:
                    event = looked(self.source.look, self.thread, self.deadline_ps)
                case WaiterDo.BLOCK:
                    event = yield from self._block()
                case WaiterDo.RETRACT:
                    self.source.retract(self.thread)
        return event

    def _yield(self) -> Steps:
        """Others want the core."""
        thread = self.thread
        began = thread.env.now_ps
        yield from thread.yield_core()
        contended = self.patience.contended
        if contended is not None and thread.env.now_ps - began > YIELD_LONG_PS:
            self.machine.feed(WaiterEvent.CONTENDED, min(self.machine.regs["yields_left"], contended))
        return looked(self.source.look, self.thread, self.deadline_ps)

    def _block(self) -> Steps:
        again_ps = self.source.before_sleep()
        if self.source.look():
            return READY
        world = self.thread.world
        times = [time for time in (again_ps, self.deadline_ps) if time is not None]
        left = max(0, min(times) - world.now) if times else None
        yield self.thread.work(world.costs.system_call)
        rung = yield from self.thread.block(left)
        over = self.deadline_ps is not None and world.now >= self.deadline_ps
        return TIMEOUT if over and not rung else WaiterEvent.WOKEN


def looked(look: Callable[[], bool], thread: Thread, deadline_ps: int | None) -> WaiterEvent:
    """What a look finds."""
    if look():
        return READY
    return TIMEOUT if deadline_ps is not None and thread.env.now_ps >= deadline_ps else EMPTY


def wait(thread: Thread, source: Source, patience: Patience, deadline_ps: int | None = None) -> Steps:
    """Wait until the source has something; returns False if the deadline (absolute) comes first."""
    world, core, env = thread.world, thread.core, thread.env
    spins = 0 if core.queue else patience.spins
    machine = thread.waiter
    if machine is None:
        machine = thread.waiter = world.start("waiter", thread.name)
    machine.start_anew(spins_left=spins, yields_left=patience.yields)
    look = thread.waits_for = source.look
    event, found = looked(look, thread, deadline_ps), False
    while machine.state is not DONE:
        found = event is READY
        effects = machine.feed(event)
        while effects is PAUSE or (effects is YIELD and not core.queue):
            each_ps = PAUSE_PS if effects is PAUSE else world.costs.system_call
            most_ps = each_ps * (machine.regs["spins_left" if effects is PAUSE else "yields_left"] + 1)
            began_ps = env.now_ps
            if deadline_ps is not None:
                most_ps = max(each_ps, min(most_ps, deadline_ps - began_ps))
            source.watch(thread)
            yield thread.parked(most_ps, source.due())
            thread.unpark(began_ps)
            source.unwatch(thread)
            in_vain = (env.now_ps - began_ps) // each_ps - 1
            if in_vain > 0:
                effects, _ = machine.feed_while(EMPTY, in_vain, (PAUSE,) if core.queue else (PAUSE, YIELD))
            if in_vain <= 0 or ((effects is PAUSE or effects is YIELD) and look()):
                event = looked(look, thread, deadline_ps)
                break
        else:
            if effects:
                event = yield from Wait(thread, source, patience, deadline_ps, machine).perform(effects)
            if (event is None or not effects) and machine.state is not DONE:
                raise Violation(f"{thread.name}: the waiter's effects end in {machine.state.name}")
    thread.waits_for = None
    return found
