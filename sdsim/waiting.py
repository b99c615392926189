"""Waiting: the driver of the `waiter` machine.

A `Source` is what is waited for: how to look, how to announce a sleep and take it back. The machine says what follows
what. Pauses and yields that nobody disturbs are not simulated one by one: the thread parks until there is news, and
then as many looks in vain are fed as would have fitted into the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from sdcore.protocol.kit import Effect, Event
from sdcore.protocol.ring import WaiterDo, WaiterEvent, WaiterState
from sdsim.host import Thread
from sdsim.units import NS, US
from sdsim.world import Steps, Violation, World

SPINS = 200
YIELDS = 80
YIELDS_CONTENDED = 6
PAUSE_PS = 20 * NS
PAUSE, YIELD = (WaiterDo.PAUSE,), (WaiterDo.YIELD,)
YIELD_LONG_PS = 2 * US


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
    """One wait of one thread."""

    def __init__(self, thread: Thread, source: Source, patience: Patience, deadline_ps: int | None) -> None:
        self.thread = thread
        self.world: World = thread.world
        self.source = source
        self.deadline_ps = deadline_ps
        self.patience = patience
        spins = 0 if thread.core.queue else patience.spins
        self.machine = self.world.start("waiter", thread.name, spins_left=spins, yields_left=patience.yields)
        self._owed = 0

    def steps(self) -> Steps:
        """Wait. Returns whether it is there; False: the deadline came first."""
        event: Event | None = self._looked()
        self.thread.waits_for = self.source.look
        while self.machine.state is not WaiterState.DONE:
            if event is None:
                raise Violation(f"{self.thread.name}: the waiter's effects end in {self.machine.state.name}")
            effects = self._in_vain(self.machine.feed(event))
            if effects == PAUSE:  # as _perform does it, for this is what happens most
                event = yield from self._spin(PAUSE_PS, self.machine.regs["spins_left"])
            else:
                event = yield from self._perform(effects)
        self.thread.waits_for = None
        return self.source.look()

    def _in_vain(self, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
        """Feed the looks that are owed for as long as the machine only pauses, or yields a core that nobody wants."""
        idle = (PAUSE,) if self.thread.core.queue else (PAUSE, YIELD)
        if not self._owed or effects not in idle:
            return effects
        if self.world.settings.trace is None:
            effects, fed = self.machine.feed_while(WaiterEvent.EMPTY, self._owed, idle)
            self._owed -= fed
            return effects
        while self._owed and effects in idle:  # each a line of the trace
            self._owed -= 1
            effects = self.machine.feed(WaiterEvent.EMPTY)
        return effects

    def _looked(self) -> WaiterEvent:
        if self.source.look():
            return WaiterEvent.READY
        over = self.deadline_ps is not None and self.world.now >= self.deadline_ps
        return WaiterEvent.TIMEOUT if over else WaiterEvent.EMPTY

    def _perform(self, effects: Iterable[object]) -> Steps:
        event: WaiterEvent | None = None
        for effect in effects:
            match effect:
                case WaiterDo.PAUSE:
                    event = yield from self._spin(PAUSE_PS, self.machine.regs["spins_left"])
                case WaiterDo.YIELD:
                    event = yield from self._yield()
                case WaiterDo.ANNOUNCE:
                    self.source.announce(self.thread)
                    yield self.thread.work(self.world.costs.cache_line)
                case WaiterDo.FENCE:
                    yield from self.thread.system_call(self.world.costs.cache_line)
                case WaiterDo.LOOK:
                    event = self._looked()
                case WaiterDo.BLOCK:
                    event = yield from self._block()
                case WaiterDo.RETRACT:
                    self.source.retract(self.thread)
        return event

    def _spin(self, each_ps: int, left: int) -> Steps:
        """Look for a while; all looks in vain but the last are owed to the machine."""
        began = self.world.now
        self.source.watch(self.thread)
        if not self.source.look():
            most = each_ps * (left + 1)
            if self.deadline_ps is not None:
                most = max(each_ps, min(most, self.deadline_ps - began))
            yield self.thread.parked(most)
            self.thread.unpark(began)
        self.source.unwatch(self.thread)
        self._owed = max(0, (self.world.now - began) // each_ps - 1)
        if self._owed:
            self._owed -= 1
            return WaiterEvent.EMPTY
        return self._looked()

    def _yield(self) -> Steps:
        if not self.thread.core.queue:
            return (yield from self._spin(self.world.costs.system_call, self.machine.regs["yields_left"]))
        self._owed = 0
        began = self.world.now
        yield from self.thread.yield_core()
        contended = self.patience.contended
        if contended is not None and self.world.now - began > YIELD_LONG_PS:
            self.machine.feed(WaiterEvent.CONTENDED, min(self.machine.regs["yields_left"], contended))
        return self._looked()

    def _block(self) -> Steps:
        again_ps = self.source.before_sleep()
        if self.source.look():
            return WaiterEvent.READY
        times = [time for time in (again_ps, self.deadline_ps) if time is not None]
        left = max(0, min(times) - self.world.now) if times else None
        yield self.thread.work(self.world.costs.system_call)
        rung = yield from self.thread.block(left)
        over = self.deadline_ps is not None and self.world.now >= self.deadline_ps
        return WaiterEvent.TIMEOUT if over and not rung else WaiterEvent.WOKEN


def wait(thread: Thread, source: Source, patience: Patience, deadline_ps: int | None = None) -> Steps:
    """Wait until the source has something; returns False if the deadline (absolute) comes first."""
    return Wait(thread, source, patience, deadline_ps).steps()
