"""The world: one clock, one seed, one trace, and the tables that everybody follows.

Everything that is drawn comes from the world's generator, and everything that happens is an event of one queue whose
order is time and then the order of scheduling. So a seed and the options determine a run, byte for byte.

    world = World(Settings(seed=7, options={"scenario": "ping-pong"}))
    world.spawn(...); world.run()
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

import simpy

from sdcore.protocol.kit import Machine, Row
from sdcore.protocol.machines import MACHINES
from sdsim.costs import Costs, costs_of
from sdsim.lanes import Lanes
from sdsim.stepper import Program, Runner, compiled
from sdsim.units import text_of

Steps = Generator[simpy.Event, Any, Any]
"""What a simulated activity is: a generator that waits for events."""

IDLE_STEPS_MAX = 500_000
"""So many steps of waiting in a row, and nothing else, are a wait that never ends."""
INSTANT_STEPS_MAX = 100_000
"""So many steps without any time between them are a circle."""

LAST_STEPS = 24
"""Transitions that a failure shows."""

TABLES: Mapping[str, Machine] = {machine.name: machine for machine in MACHINES}


class Violation(Exception):
    """A law was broken, or a program got what it must never get. The text says which law, and where."""


@dataclass(frozen=True)
class Settings:
    """What determines a run.

    Attributes:
        options: everything else that was chosen, for the first line of the trace.
        tables: the machines to follow, by name; tests replace some.
        check: whether the laws are checked after every step.
        idle_steps_max: steps of waiting in a row, and nothing else, that count as a wait without end.
        trace: where each transition is written as a line; None writes nothing.
        lanes: what collects who had which core and link; None collects nothing.
    """

    seed: int = 1
    options: Mapping[str, object] = field(default_factory=dict)
    costs: Costs = field(default_factory=lambda: costs_of("paper-2019"))
    tables: Mapping[str, Machine] = field(default_factory=lambda: TABLES)
    check: bool = True
    idle_steps_max: int = IDLE_STEPS_MAX
    trace: TextIO | None = None
    lanes: Lanes | None = None


class World:
    """A simulated data centre and its clock.

    Attributes:
        env: the queue of events; `env.now` is in picoseconds.
        rng: the only source of chance.
        rows: how often each row was taken.
        last_ps: when a machine made its last step.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.costs = settings.costs
        self.lanes = settings.lanes
        self.env = simpy.Environment(initial_time=0)
        self.rng = random.Random(settings.seed)
        self.rows: Counter[Row] = Counter()
        self.laws: list[Callable[[], None]] = []
        self._programs: dict[str, Program] = {name: compiled(table) for name, table in settings.tables.items()}
        self._waiter = self._programs["waiter"]
        self._trace = settings.trace
        self._recent: deque[tuple[int, Runner, Row, int]] = deque(maxlen=LAST_STEPS)
        self._names: Counter[str] = Counter()
        self._idle = self._instant = 0
        self.last_ps = 0
        self._write(self.head())

    # What happens -----------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Picoseconds since the start."""
        return self.env._now  # type: ignore[return-value]  # an integer from the start; env.now would cost twice as much

    def head(self) -> str:
        """The first line of the trace: seed and options."""
        options = "".join(f" {name}={value}" for name, value in self.settings.options.items())
        return f"# sdsim seed={self.settings.seed}{options}"

    def spawn(self, steps: Steps) -> simpy.Process:
        """Start an activity."""
        return self.env.process(steps)

    def later(self, delay_ps: int, action: Callable[[], None]) -> None:
        """Call `action` once, `delay_ps` from now."""
        timeout = self.env.timeout(delay_ps)
        assert timeout.callbacks is not None
        timeout.callbacks.append(lambda _: action())

    def name(self, kind: str) -> str:
        """A name that nothing has had before."""
        self._names[kind] += 1
        return f"{kind}{self._names[kind]}"

    def run(self, until_ps: int | None = None) -> None:
        """Let everything happen: until nothing is left to do, or until a time.

        Raises:
            Violation: a law was broken.
        """
        self.env.run(until=until_ps)

    # Machines ---------------------------------------------------------------------------------------------------------

    def start(self, machine: str, owner: str, **registers: int) -> Runner:
        """An instance of the table that this world follows."""
        return self._programs[machine].start(owner, self._stepped, **registers)

    def _stepped(self, runner: Runner, row: Row, arg: int, times: int) -> None:
        rows, now = self.rows, self.env._now
        rows[row] = rows.get(row, 0) + times
        if now == self.last_ps:
            self._instant += times
            if self._instant > INSTANT_STEPS_MAX:
                raise Violation(f"progress: {runner.owner} and others go in a circle, and no time passes")
        else:
            self._instant = 0
            self.last_ps = now  # type: ignore[assignment]
        if runner.program is self._waiter:
            self._idle += times
            if self._idle > self.settings.idle_steps_max:
                raise Violation(f"progress: {runner.owner} and others only wait, {self._idle} steps long")
        else:
            self._idle = 0
        self._recent.append((now, runner, row, arg))  # type: ignore[arg-type]
        if self._trace is not None:
            self._trace_step(runner, row, arg)

    def _trace_step(self, runner: Runner, row: Row, arg: int) -> None:
        regs = "".join(f" {name}={value}" for name, value in runner.regs.items())
        self._write(_line(self.now, runner, row, arg) + regs)

    def note(self, who: str, what: str) -> None:
        """A line of the trace that is not a machine's step."""
        if self.settings.trace is not None:
            self._write(f"{self.now} {who} {what}")

    def last_steps(self) -> list[str]:
        """The last transitions, oldest first, as in the trace."""
        return [_line(*step) for step in self._recent]

    def _write(self, line: str) -> None:
        if self.settings.trace is not None:
            self.settings.trace.write(line + "\n")

    # Laws -------------------------------------------------------------------------------------------------------------

    def at_end(self, law: Callable[[], None]) -> None:
        """Check a law when everything is over."""
        self.laws.append(law)

    def check_end(self) -> None:
        """Check what must hold when everything is over. Raises Violation."""
        for law in self.laws:
            law()

    def report(self, violation: BaseException) -> str:
        """Everything that is needed to understand and repeat a failure."""
        lines = [f"FAILED: {violation}", f"seed {self.settings.seed}, at {self.now} ps ({text_of(self.now)})"]
        lines += ["last transitions:", *(f"  {line}" for line in self.last_steps())]
        return "\n".join(lines)


def _line(now: int, runner: Runner, row: Row, arg: int) -> str:
    effects = "".join(f" {effect.name}" for effect in row.effects)
    step = f"{row.state.name} {row.event.name}({arg}) -> {row.next.name}"
    return f"{now} {runner.owner} {runner.program.name} {step}{' :' if effects else ''}{effects}"
