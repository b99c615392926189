"""Hosts: cores with run queues, and the threads that run on them.

A thread runs on one core. While it runs, nobody else does there: others of the core stand in its queue until it yields,
blocks, ends, or has used up its time slice (a thread that enters the kernel or looks for news then loses the core).
A thread that blocks costs the waker a system call. It comes back behind those in the queue and after a wake-up time,
drawn between least and most, which its core spends: a core wakes only so many threads a second.

Two ways of waiting that cost few events: `park` spins, but only until there is news; `block` sleeps in the kernel. An
alarm for the end of a spin stays in the queue of events when the spin ends early, and serves the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import simpy

from sdsim.clock import Moment
from sdsim.stepper import Recorded
from sdsim.world import Steps, Violation, World

NO_ALARM: Final = 1 << 63
"""Later than everything."""


class Killed(Exception):
    """The thread's process was killed."""


class Host:
    """A machine with cores."""

    def __init__(self, world: World, cores: int) -> None:
        self.world = world
        self.name = world.name("host")
        self.cores = [Core(self, index) for index in range(cores)]
        self.threads: list[Thread] = []
        self._pairs: dict[Host, frozenset[str]] = {}
        world.at_end(self._nobody_waits)

    def pair_with(self, other: Host) -> frozenset[str]:
        """The names of two hosts; one object for many connections."""
        if other not in self._pairs:
            self._pairs[other] = frozenset((self.name, other.name))
        return self._pairs[other]

    def _nobody_waits(self) -> None:
        """When nothing is left to happen, nobody may sleep for ever, least of all with something to do."""
        waiting = [
            thread for thread in self.threads if thread.process.is_alive and not thread.daemon and not thread.idle
        ]
        lost = [thread.name for thread in self.threads if thread.process.is_alive and thread.has_news]
        if lost:
            raise Violation(f"no lost wake-up: {', '.join(lost[:4])} sleep, and what they wait for is there")
        if waiting:
            names = ", ".join(thread.name for thread in waiting[:4])
            raise Violation(f"nobody waits for ever: {names} still wait and nothing is left to happen")


class Core:
    """One core: who runs, and who stands in line."""

    __slots__ = ("busy_ps", "host", "name", "queue", "running", "switches", "world")

    def __init__(self, host: Host, index: int) -> None:
        self.host = host
        self.name = f"core {index}"
        self.world = host.world
        self.running: Thread | None = None
        self.queue: deque[Thread] = deque()
        self.busy_ps = 0
        self.switches = 0

    def enter(self, thread: Thread) -> simpy.Event | None:
        """Run now (None), or stand in line and wait for the event."""
        if self.running is None:
            self.running = thread
            thread.slice_from = self.world.now
            return None
        thread.granted = self.world.env.event()
        self.queue.append(thread)
        self.running.notify()
        return thread.granted

    def leave(self, thread: Thread) -> None:
        """Give the core to the first in line."""
        if self.running is not thread:
            if thread in self.queue:
                self.queue.remove(thread)
            return
        self.running = None
        if self.world.lanes is not None and self.world.now > thread.slice_from:
            self.world.lanes.span(self.host.name, self.name, thread.name, thread.slice_from, self.world.now)
        if self.queue:
            following = self.queue.popleft()
            self.running = following
            following.slice_from = self.world.now
            assert following.granted is not None
            following.granted.succeed()


class Thread:
    """A thread of a process.

    Args:
        body: called with the thread; what it yields takes time on the core.
        daemon: may still wait when everything is over.

    Attributes:
        debt_ps: time that the thread owes for what it did in passing; added to its next work.
        idle: waits for new connections, which is no fault however long it lasts.
        waits_for: what it waits for in the library, for the law of lost wake-ups.
        waiter: the machine of its waits, one after the other.
    """

    __slots__ = (
        "alarm_ps", "asleep", "body", "core", "daemon", "dead", "debt_ps", "due_ps", "env", "granted", "idle", "name",
        "paused_until_ps", "process", "result", "rung", "slice_from", "spin_until_ps", "waiter", "waits_for", "wake",
        "world",
    )  # fmt: skip

    def __init__(
        self, core: Core, name: str, body: Callable[[Thread], Steps], delay_ps: int = 0, daemon: bool = False
    ) -> None:
        self.core = core
        self.world = core.world
        self.env = core.world.env
        self.name = name
        self.body = body
        self.granted: simpy.Event | None = None
        self.wake: Moment | None = None
        self.due_ps = self.spin_until_ps = 0
        self.alarm_ps = NO_ALARM
        self.asleep: simpy.Event | None = None
        self.rung = False
        self.dead = False
        self.daemon = daemon
        self.idle = False
        self.paused_until_ps = 0
        self.debt_ps = 0
        self.waits_for: Callable[[], bool] | None = None
        self.waiter: Recorded | None = None
        self.slice_from = 0
        self.result: Any = None
        self.process = self.world.spawn(self._life(delay_ps))
        core.host.threads.append(self)

    def _life(self, delay_ps: int) -> Steps:
        try:
            if delay_ps:
                yield self.env.timeout(delay_ps)
            yield from self.take_core()
            self.result = yield from self.body(self)
        except (Killed, simpy.Interrupt):
            self.dead = True
        finally:
            self.core.leave(self)

    def kill(self) -> None:
        """End it where it stands. A thread that ends its own process goes on to the end of its body."""
        if self.process.is_alive and not self.dead and self.env.active_process is not self.process:
            self.dead = True
            self.process.interrupt()

    @property
    def has_news(self) -> bool:
        """Whether what it waits for is there."""
        return self.waits_for is not None and self.waits_for()

    # Time on the core -------------------------------------------------------------------------------------------------

    def work(self, ps: int) -> simpy.Event:
        """Compute for a while."""
        if self.debt_ps:
            ps, self.debt_ps = ps + self.debt_ps, 0
        self.core.busy_ps += ps
        env = self.env
        if self.paused_until_ps > env.now_ps:
            ps += self.paused_until_ps - env.now_ps
        return env.moment(ps)

    def pause(self, ps: int) -> None:
        """Do not run for a while: its next work ends that much later."""
        self.paused_until_ps = self.world.now + ps

    def system_call(self, ps: int = 0) -> Steps:
        """Enter the kernel, work there for `ps`, and come back, perhaps after others of the core."""
        yield self.work(self.world.costs.system_call + ps)
        if self.core.queue:
            yield from self.breathe()

    def breathe(self) -> Steps:
        """Lose the core if the time slice is used up and others want it."""
        if self.core.queue and self.world.now - self.slice_from >= self.world.costs.time_slice:
            yield from self._switch()

    def yield_core(self) -> Steps:
        """Give the core away once: sched_yield."""
        if self.core.queue:
            yield from self._switch()
        else:
            yield self.work(self.world.costs.system_call)

    def _switch(self) -> Steps:
        self.core.switches += 1
        yield self.work(self.world.costs.context_switch)
        self.core.leave(self)
        yield from self.take_core()

    def take_core(self) -> Steps:
        """Stand in line for the core, and get it."""
        granted = self.core.enter(self)
        if granted is not None:
            yield granted

    # Waiting ----------------------------------------------------------------------------------------------------------

    def park(self, ps: int) -> Steps:
        """Spin for `ps` at most, keeping the core; ends early when notified."""
        began = self.world.now
        yield self.parked(ps)
        self.unpark(began)

    def parked(self, ps: int, due_ps: int | None = None) -> simpy.Event:
        """The event that ends a spin of `ps` at most, or at `due_ps` if that comes first; call `unpark` behind it."""
        env = self.env
        wake = self.wake = Moment()
        until_ps = self.spin_until_ps = self.due_ps = env.now_ps + ps
        if due_ps is not None and due_ps < until_ps:
            self.due_ps = due_ps
            env.set(wake, due_ps)
        elif self.alarm_ps > until_ps:
            self.alarm_ps = until_ps
            env.after(ps, self._alarm)
        return wake

    def _alarm(self) -> None:
        """The end of a spin, or of one that is over: then there may be another."""
        now_ps = self.env.now_ps
        if self.alarm_ps != now_ps:
            return
        self.alarm_ps = NO_ALARM
        if self.wake is None:
            return
        if self.spin_until_ps <= now_ps:
            self.env.set(self.wake, now_ps)
        else:
            self.alarm_ps = self.spin_until_ps
            self.env.after(self.spin_until_ps - now_ps, self._alarm)

    def unpark(self, began_ps: int) -> None:
        """The spin is over: the core was busy since it began."""
        self.wake = None
        self.core.busy_ps += self.env.now_ps - began_ps

    def notify(self) -> None:
        """There may be news for a thread that spins."""
        self.notify_at(self.env.now_ps)

    def notify_at(self, at_ps: int) -> None:
        """There may be news then, for the spin of this moment."""
        if self.wake is not None and at_ps < self.due_ps:
            self.due_ps = at_ps
            self.env.set(self.wake, at_ps)

    def block(self, ps: int | None = None) -> Steps:
        """Sleep in the kernel until rung, or for `ps`. A bell that rang before counts. Returns whether it was rung."""
        if not self.rung:
            event = self.asleep = self.env.event()
            if ps is not None:
                alarm = self.env.timeout(ps)
                assert alarm.callbacks is not None
                alarm.callbacks.append(lambda _: _trigger(event))
            self.core.leave(self)
            yield event
            self.asleep = None
            yield from self.take_core()
            costs = self.world.costs
            yield self.work(self.world.rng.randint(costs.wake_least, costs.wake_most))
        rung, self.rung = self.rung, False
        return rung

    def ring(self) -> None:
        """Wake it if it sleeps, or else keep it from sleeping next."""
        self.rung = True
        if self.asleep is not None:
            _trigger(self.asleep)


def _trigger(event: simpy.Event) -> None:
    """Let it happen, unless it has."""
    if not event.triggered:
        event.succeed()
