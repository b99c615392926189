"""SimPy's queue of events, with what a simulation of millions of messages needs cheaper than SimPy makes it.

    Clock    the environment; `now_ps` is the time as a plain attribute
    Moment   a time to wait for: happens once, at the earliest of the times that it was set to
    Call     a function to call at a time

A moment may stand in the queue several times; when it has happened, its later places are passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import simpy
from simpy.core import EmptySchedule, SimTime
from simpy.events import NORMAL

Callback = Callable[[Any], None]


class Moment(simpy.Event):
    """A time that processes can wait for. What it brings is None."""

    _ok = True
    _value = None

    def __init__(self) -> None:
        self.callbacks = []


def _call(event: simpy.Event) -> None:
    assert isinstance(event, Call)
    event.action()


class Call(Moment):
    """Something to do at a time."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.callbacks = [_call]
        self.action = action


class Clock(simpy.Environment):
    """The queue of everything that will happen.

    Attributes:
        now_ps: picoseconds since the start.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self.now_ps = 0

    def moment(self, delay_ps: int) -> Moment:
        """A moment so far from now."""
        moment = Moment()
        heappush(self._queue, (self.now_ps + delay_ps, NORMAL, next(self._eid), moment))
        return moment

    def set(self, moment: Moment, at_ps: int) -> None:
        """Let a moment happen at a time, unless it happens before."""
        heappush(self._queue, (at_ps, NORMAL, next(self._eid), moment))

    def after(self, delay_ps: int, action: Callable[[], None]) -> None:
        """Call something so far from now."""
        heappush(self._queue, (self.now_ps + delay_ps, NORMAL, next(self._eid), Call(action)))

    def step(self) -> None:
        """Let the next event happen. Raises EmptySchedule."""
        queue: list[tuple[Any, Any, int, Any]] = self._queue
        while queue and queue[0][3].callbacks is None:
            heappop(queue)
        if not queue:
            raise EmptySchedule
        self.now_ps = queue[0][0]
        super().step()

    def run(self, until: SimTime | simpy.Event | None = None) -> Any:
        """Let everything happen, until nothing is left or until a time or an event."""
        if isinstance(until, simpy.Event):
            return super().run(until)
        if until is not None and until <= self.now_ps:
            raise ValueError(f"until ({until}) must be greater than the current simulation time")
        self._run(float("inf") if until is None else until)
        if until is not None:
            self._now, self.now_ps = until, int(until)
        return None

    def _run(self, until_ps: SimTime) -> None:
        """Everything before a time."""
        queue: list[tuple[Any, Any, int, Any]] = self._queue
        while queue and queue[0][0] < until_ps:
            at_ps, _, _, event = heappop(queue)
            callbacks = event.callbacks
            if callbacks is None:
                continue
            self._now = self.now_ps = at_ps
            event.callbacks = None
            for callback in callbacks:
                callback(event)
            if not event._ok and not hasattr(event, "_defused"):
                raise event._value
