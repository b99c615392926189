"""What the machines of a world did: how often each row was taken, the last steps, and whether anything goes on.

A step is one line; lines are counted when there are many of them, which is cheaper than to count each.

    law     progress: waiting without end, and circles without time, are failures
"""

from __future__ import annotations

from collections import Counter
from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TextIO

from sdcore.protocol.kit import Row
from sdsim.clock import Clock

if TYPE_CHECKING:
    from sdsim.stepper import Runner

INSTANT_STEPS_MAX: Final = 100_000
"""So many steps without any time between them are a circle."""
LAST_STEPS: Final = 24
"""Transitions that a failure shows."""

Line = tuple[int, "Runner", Row, int]
"""Time, machine, row and argument of one step."""


class Violation(Exception):
    """A law was broken, or a program got what it must never get. The text says which law, and where."""


class Journal:
    """The steps of all machines.

    Args:
        waiting: the machine whose steps are waiting and nothing else.
        idle_steps_max: so many of them in a row are a wait without end.
        steps_max: so many steps of all machines are a run without end.
        out: where each step is written as a line; None writes nothing.

    Attributes:
        lines: steps that are not counted yet.
        more: rows that were taken more often than they have lines.
    """

    def __init__(
        self, clock: Clock, waiting: frozenset[Row], idle_steps_max: int, out: TextIO | None, steps_max: float = inf
    ) -> None:
        self.clock = clock
        self.lines: list[Line] = []
        self.more: Counter[Row] = Counter()
        self.out = out
        self._waiting = waiting
        self._idle_steps_max = idle_steps_max
        self._steps_left = steps_max
        self._counted: Counter[Row] = Counter()
        self._last: list[Line] = []
        self._idle = self._instant = 0
        self._settled_ps = -1

    def settle(self) -> None:
        """Count the lines, and look whether anything goes on.

        Raises:
            Violation: progress.
        """
        lines = self.lines
        if not lines:
            return
        who = lines[-1][1].owner
        fresh = self._count()
        steps = fresh.total()
        self._idle = self._idle + steps if self._waiting.issuperset(fresh) else 0
        if self._idle > self._idle_steps_max:
            raise Violation(f"progress: {who} and others only wait, {self._idle} steps long")
        self._steps_left -= steps
        if self._steps_left < 0:
            raise Violation(f"progress: {who} and others come to no end")
        now_ps = self.clock.now_ps
        self._instant = self._instant + steps if now_ps == self._settled_ps else 0
        self._settled_ps = now_ps
        if self._instant > INSTANT_STEPS_MAX:
            raise Violation(f"progress: {who} and others go in a circle, and no time passes")

    def _count(self) -> Counter[Row]:
        fresh = Counter(map(itemgetter(2), self.lines))
        fresh.update(self.more)
        self._counted.update(fresh)
        self._last = [*self._last, *self.lines[-LAST_STEPS:]][-LAST_STEPS:]
        self.lines.clear()
        self.more.clear()
        return fresh

    @property
    def rows(self) -> Counter[Row]:
        """How often each row was taken."""
        self._count()
        return self._counted

    @property
    def last_ps(self) -> int:
        """When a machine made its last step."""
        last = self.lines or self._last
        return last[-1][0] if last else 0

    def last_steps(self) -> list[str]:
        """The last transitions, oldest first, as in the trace."""
        self._count()
        return [_text(line) for line in self._last]

    # The trace --------------------------------------------------------------------------------------------------------

    def write(self, line: str) -> None:
        """A line of the trace."""
        if self.out is not None:
            self.out.write(line + "\n")

    def trace(self, runner: Runner) -> None:
        """The last step, with the registers behind it."""
        regs = "".join(f" {name}={value}" for name, value in runner.regs.items())
        line = self.lines[-1] if self.lines else self._last[-1]
        self.write(_text(line) + regs)


def _text(line: Line) -> str:
    now, runner, row, arg = line
    effects = "".join(f" {effect.name}" for effect in row.effects)
    step = f"{row.state.name} {row.event.name}({arg}) -> {row.next.name}"
    return f"{now} {runner.owner} {runner.program.name} {step}{' :' if effects else ''}{effects}"
