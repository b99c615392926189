"""Mutation: every row of every table deleted, redirected, or without its effects; who notices?

A mutant is killed by an exploration that finds a fault, by a run that breaks a law, or by a run whose programs get
something else (other carriers, errors or numbers of messages). Rows that neither an exploration nor a run of the set
ever takes cannot be judged here and are counted apart. Survivors are listed: a survivor is an equivalent row, a matter
of speed alone, or a hole in the laws.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from sdcore.protocol.kit import NOTHING, Machine, Row
from sdsim.costs import costs_of
from sdsim.explore.engine import Model, Table, explore, tables
from sdsim.explore.models import MODELS
from sdsim.run import Failed, run
from sdsim.scenario import Scenario, load
from sdsim.tables import with_rows
from sdsim.world import TABLES, Settings

WORLDS: Final[Mapping[str, str]] = {
    "client": "offer", "server": "offer", "ring_tx": "ring", "ring_rx": "ring", "waiter": "ring",
    "token_owner": "token", "teardown": "teardown", "mover": "move", "leaver": "move", "follower": "move",
}  # fmt: skip
"""The world that exercises a machine."""

RUNS: Final[Sequence[tuple[str, tuple[str, ...], int]]] = (
    ("ping-pong", ("workload.count=5",), 1),
    ("stream", ("workload.count=150", "workload.size=65536"), 1),
    ("connection-storm", ("workload.count=5", "workload.pairs=2"), 1),
    ("many-connections", ("workload.connections=6", "workload.clients=2", "workload.count=2"), 1),
    ("monitor-crash", ("workload.count=60",), 1),
    *(("chaos", ("workload.count=25", "chaos.until_us=500"), seed) for seed in range(1, 7)),
)
IDLE_STEPS_MAX: Final = 20_000
Seen = tuple[object, ...]


@dataclass(frozen=True)
class Mutant:
    """One change of one row."""

    machine: str
    row: Row
    kind: str
    table: Machine


@dataclass(frozen=True)
class Verdict:
    """Who killed a mutant; "" if nobody did, None if its row is never taken here."""

    mutant: Mutant
    killer: str | None


def mutants_of(machine: Machine) -> Iterator[Mutant]:
    """Every row deleted; led to the next state of the declaration; without its effects."""
    states = list(machine.State)
    for index, row in enumerate(machine.rows):
        other = states[(row.next.number + 1) % len(states)]
        changes: list[tuple[str, tuple[Row, ...]]] = [("deleted", ())]
        if len(states) > 1:
            changes.append((f"leads to {other.name}", (dataclasses.replace(row, next=other),)))
        if row.effects:
            changes.append(("effects dropped", (dataclasses.replace(row, do=NOTHING),)))
        for kind, instead in changes:
            rows = (*machine.rows[:index], *instead, *machine.rows[index + 1 :])
            yield Mutant(machine.name, row, kind, with_rows(machine, rows))


class Judge:
    """Knows what the right tables do, and judges mutants by it."""

    def __init__(self) -> None:
        self.scenarios: list[tuple[str, Scenario, int]] = [
            (f"{name}, seed {seed}", load(name, changes), seed) for name, changes, seed in RUNS
        ]
        self.rows: dict[str, set[Row]] = {}
        self.expected = {name: self._run(name, scenario, seed, {}) for name, scenario, seed in self.scenarios}
        for name in dict.fromkeys(WORLDS.values()):
            model = MODELS[name][1](tables({}))
            explore(model)
            self.rows["explore " + name] = _rows_of(model)

    def judge(self, mutant: Mutant) -> Verdict:
        """Try each run that takes the row, then the exploration: runs are quicker."""
        replaced = {mutant.machine: mutant.table}
        world = WORLDS.get(mutant.machine)
        taken = False
        for name, scenario, seed in self.scenarios:
            if mutant.row in self.rows[name]:
                taken = True
                if self._run("", scenario, seed, replaced) != self.expected[name]:
                    return Verdict(mutant, name)
        if world is not None and mutant.row in self.rows["explore " + world]:
            taken = True
            if explore(MODELS[world][1](tables(replaced)), most=300_000).fault is not None:
                return Verdict(mutant, f"explore {world}")
        return Verdict(mutant, "" if taken else None)

    def _run(self, name: str, scenario: Scenario, seed: int, replaced: Mapping[str, Machine]) -> Seen:
        """What programs got; or the fault. With a name, note which rows were taken."""
        settings = Settings(
            seed=seed,
            costs=costs_of(scenario.profile),
            tables={**TABLES, **replaced},
            idle_steps_max=IDLE_STEPS_MAX,
        )
        try:
            done = run(scenario, settings=settings)
        except Failed as failure:
            return ("failed", str(failure).partition("\n")[0])
        except (RecursionError, KeyError, AssertionError, IndexError, ValueError) as error:
            return ("broke the driver", type(error).__name__)
        if name:
            self.rows[name] = set(done.world.rows)
        result = done.result
        return (tuple(sorted(result.modes.items())), tuple(sorted(result.faults.items())), result.messages)


def _rows_of(model: Model) -> set[Row]:
    rows: set[Row] = set()
    for value in vars(model).values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Table):
                rows |= part.rows
    return rows


@cache
def _judge() -> Judge:
    return Judge()


def judge_all(names: Sequence[str]) -> Iterator[Verdict]:
    """Judge every mutant of these machines."""
    judge = _judge()
    for name in names:
        for mutant in mutants_of(TABLES[name]):
            yield judge.judge(mutant)
