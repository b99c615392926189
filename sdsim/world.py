"""The world: one clock, one seed, one trace, and the tables that everybody follows.

Everything that is drawn comes from the world's generator, and everything that happens is an event of one queue whose
order is time and then the order of scheduling. So a seed and the options determine a run, byte for byte.

    world = World(Settings(seed=7, options={"scenario": "ping-pong"}))
    world.spawn(...); world.run()
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, TextIO

import simpy

from sdcore.protocol.kit import Machine, Row
from sdcore.protocol.machines import MACHINES
from sdsim.clock import Clock
from sdsim.costs import Costs, costs_of
from sdsim.journal import Journal, Violation
from sdsim.lanes import Lanes
from sdsim.stepper import Program, Recorded, Traced, compiled
from sdsim.units import text_of

Steps = Generator[simpy.Event, Any, Any]
"""What a simulated activity is: a generator that waits for events."""

IDLE_STEPS_MAX = 500_000
"""So many steps of waiting in a row, and nothing else, are a wait that never ends."""

TABLES: Mapping[str, Machine] = {machine.name: machine for machine in MACHINES}


@dataclass(frozen=True)
class Settings:
    """What determines a run.

    Attributes:
        options: everything else that was chosen, for the first line of the trace.
        tables: the machines to follow, by name; tests replace some.
        check: whether the laws are checked after every step.
        idle_steps_max: steps of waiting in a row, and nothing else, that count as a wait without end.
        steps_max: steps of all machines that count as a run without end; for runs whose length is known.
        trace: where each transition is written as a line; None writes nothing.
        lanes: what collects who had which core and link; None collects nothing.
    """

    seed: int = 1
    options: Mapping[str, object] = field(default_factory=dict)
    costs: Costs = field(default_factory=lambda: costs_of("paper-2019"))
    tables: Mapping[str, Machine] = field(default_factory=lambda: TABLES)
    check: bool = True
    idle_steps_max: int = IDLE_STEPS_MAX
    steps_max: float = inf
    trace: TextIO | None = None
    lanes: Lanes | None = None


class World:
    """A simulated data centre and its clock.

    Attributes:
        env: the queue of events; `env.now_ps` is the time.
        rng: the only source of chance.
        journal: what the machines did.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.costs = settings.costs
        self.lanes = settings.lanes
        self.env = Clock()
        self.rng = random.Random(settings.seed)
        self.laws: list[Callable[[], None]] = []
        self._programs: dict[str, Program] = {name: compiled(table) for name, table in settings.tables.items()}
        self._names: Counter[str] = Counter()
        self._runner = Recorded if settings.trace is None else Traced
        waiting = frozenset(settings.tables["waiter"].rows)
        self.journal = Journal(self.env, waiting, settings.idle_steps_max, settings.trace, settings.steps_max)
        self.journal.write(self.head())

    # What happens -----------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Picoseconds since the start."""
        return self.env.now_ps

    def head(self) -> str:
        """The first line of the trace: seed and options."""
        options = "".join(f" {name}={value}" for name, value in self.settings.options.items())
        return f"# sdsim seed={self.settings.seed}{options}"

    def spawn(self, steps: Steps) -> simpy.Process:
        """Start an activity."""
        return self.env.process(steps)

    def later(self, delay_ps: int, action: Callable[[], None]) -> None:
        """Call `action` once, `delay_ps` from now."""
        self.env.after(delay_ps, action)

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

    def start(self, machine: str, owner: str, **registers: int) -> Recorded:
        """An instance of the table that this world follows."""
        return self._runner(self._programs[machine], owner, registers, self.journal)

    @property
    def rows(self) -> Counter[Row]:
        """How often each row was taken."""
        return self.journal.rows

    def note(self, who: str, what: str) -> None:
        """A line of the trace that is not a machine's step."""
        if self.settings.trace is not None:
            self.journal.write(f"{self.now} {who} {what}")

    # Laws -------------------------------------------------------------------------------------------------------------

    def at_end(self, law: Callable[[], None]) -> None:
        """Check a law when everything is over."""
        self.laws.append(law)

    def check_end(self) -> None:
        """Check what must hold when everything is over. Raises Violation."""
        self.journal.settle()
        for law in self.laws:
            law()

    def report(self, violation: BaseException) -> str:
        """Everything that is needed to understand and repeat a failure."""
        lines = [f"FAILED: {violation}", f"seed {self.settings.seed}, at {self.now} ps ({text_of(self.now)})"]
        lines += ["last transitions:", *(f"  {line}" for line in self.journal.last_steps())]
        return "\n".join(lines)


__all__ = ["IDLE_STEPS_MAX", "TABLES", "Settings", "Steps", "Violation", "World"]
