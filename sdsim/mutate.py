"""Mutation: every row of every table deleted, redirected, or without its effects; who notices?

A mutant is killed by an exploration that finds a fault, by a run that breaks a law, or by a run whose programs get
something else (other carriers, errors or numbers of messages). Rows that neither an exploration nor a run of the set
ever takes cannot be judged here and are counted apart. Survivors are listed: a survivor is an equivalent row, a matter
of speed alone, or a hole in the laws.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import inf
from time import perf_counter
from typing import Final

from sdcore.protocol.kit import NOTHING, Machine, Row
from sdsim.costs import costs_of
from sdsim.explore.engine import Model, Table, explore, tables
from sdsim.explore.models import MODELS
from sdsim.outcome import FAULTS
from sdsim.run import BROKEN, Failed, run
from sdsim.scenario import Scenario
from sdsim.scenario_file import load
from sdsim.scenes import SCENES, play
from sdsim.tables import with_rows
from sdsim.world import TABLES, Settings, World

WORLDS: Final[Mapping[str, str]] = {
    "client": "offer", "server": "offer", "ring_tx": "ring", "ring_rx": "ring", "waiter": "ring",
    "token_owner": "token", "teardown": "teardown", "mover": "move", "leaver": "move", "follower": "move",
    "lease": "drain",
}  # fmt: skip
"""The world that exercises a machine."""

RUNS: Final[Sequence[tuple[str, tuple[str, ...], int]]] = (
    ("ping-pong", ("workload.count=5",), 1),
    ("stream", ("workload.count=150", "workload.size=65536"), 1),
    ("connection-storm", ("workload.count=5", "workload.pairs=2"), 1),
    ("many-connections", ("workload.connections=6", "workload.clients=2", "workload.count=2"), 1),
    ("monitor-crash", ("workload.count=150",), 1),
    ("moving", ("workload.count=150",), 1),
    ("fork-server", ("workload.count=3", "workload.clients=2"), 1),
    ("shared-socket", ("workload.count=15", "workload.threads=3"), 1),
    ("shared-socket", ("workload.count=8", "workload.threads=2"), 1),
    *(("network-chaos", ("workload.count=12", "chaos.until_us=800"), seed) for seed in range(1, 5)),
    *(("chaos", ("workload.count=25", "chaos.until_us=500"), seed) for seed in range(1, 7)),
)
EQUIVALENT: Final[Mapping[tuple[str, str], str]] = {
    ("attach ATTACHED FORK_CHILD DROP_CONTROL -> FORKED", "leads to DETACHED"): (
        "a child that has not attached is like any process that has not: both states answer every event alike"
    ),
    **{
        (f"lease {row} FREE_SLAB -> ENDED", "leads to NONE"): (
            "client and listener are both gone, so nobody remembers the lease or feeds it again"
        )
        for row in ("CLOSED CLIENT_DIED POKE", "DRAINING LISTENER_GONE", "DRAINING SERVER_DIED")
    },
    ("attach_monitor ATTACHED PIDFD_READY SWEEP -> DEAD", "leads to NEW"): (
        "the process is forgotten with the sweep, so nobody feeds its machine again"
    ),
    ("attach_monitor NEW PARENT_PROVEN JOIN_FAMILY -> NEW", "effects dropped"): (
        "the daemon notes the parent with its hello, and decides nothing by it: families are told apart by their region"
    ),
    (
        "ring_tx OPEN WINDOW free = 0; owed = ((window + owed) - free) - arg; window = arg; -> OPEN",
        "leads to STARVED",
    ): ("no room is left, and then both states answer SEND by a look, and the room that it shows alike"),
    ("ring_tx MOVED SHUTDOWN -> MOVED", "leads to BROKEN"): (
        "behind a shutdown the kernel refuses what is sent as BROKEN does, and room in the ring counts for nothing"
    ),
    ("ring_rx DRY MOVED RECV_COMPANION -> MOVED", "effects dropped"): (
        "who got nothing feeds RECV again, and MOVED receives from the companion"
    ),
    ("ring_tx BROKEN SEND BROKEN_PIPE -> BROKEN", "leads to OPEN"): (
        "the error stays, so who sends again feeds BREAK first"
    ),
    **{
        (f"token_owner {state} owner = arg; holding = holding + 1; GRANT -> {after}", "deleted"): (
            "the row below grants it, too, and what it repairs besides is whole"
        )
        for state, after in (
            ("HELD WANT [owner == 0 && takeovers == 0]", "HELD"),
            ("SHARED WANT [(owner == 0 && takeovers == 0) && waiters == 0]", "SHARED"),
        )
    },
    ("ring_rx OPEN RECV [avail > 0] avail = 0; TAKE_AVAIL -> OPEN", "leads to DRY"): (
        "nothing more is known, and then both states answer RECV by a look"
    ),
    ("listener REGISTERED CLOSE UNREGISTER -> CLOSED", "leads to LISTENING"): (
        "the socket is closed, so nobody feeds its machine again"
    ),
    ("listener_monitor ACTIVE LEAVE REVOKE_LEASES FORGET -> GONE", "leads to ABSENT"): (
        "the listener is forgotten with this step, so nobody feeds its machine again"
    ),
    ("listener_monitor ACTIVE LEAVE [arg > 0] -> ACTIVE", "leads to DRAINED"): (
        "no member is drained, so the monitor feeds CLEAN next, which leads back"
    ),
}
"""Survivors that nobody can notice: machine and row, kind of change, and why."""
IDLE_STEPS_MAX: Final = 20_000
TIMES_LONGER_MAX: Final = 20
"""A mutant's run that takes so many times the steps of the right tables', and STEPS_MORE, comes to no end."""
STEPS_MORE: Final = 50_000
DRIVER_BREAKS: Final = (RecursionError, KeyError, AssertionError, IndexError, ValueError)
"""A mutant may lead a driver where no table leads it."""
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

    @property
    def excuse(self) -> str:
        """Why a survivor cannot be noticed; "" if that is not known."""
        return EQUIVALENT.get((f"{self.mutant.machine} {self.mutant.row}", self.mutant.kind), "")


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


Try = Callable[[Settings], tuple[Seen, World | None]]
"""Plays something with the tables of these settings: what programs got, and the world unless it broke."""


class Judge:
    """Knows what the right tables do, and judges mutants by it."""

    def __init__(self) -> None:
        self.tries: dict[str, Try] = {f"scene {name}": partial(_scene, name) for name in SCENES}
        for name, changes, seed in RUNS:
            self.tries[f"{name} {' '.join(changes)}, seed {seed}"] = partial(_run, load(name, changes), seed)
        self.rows: dict[str, set[Row]] = {}
        self.expected: dict[str, Seen] = {}
        self.steps_max: dict[str, float] = {}
        took_s: dict[str, float] = {}
        for name, attempt in self.tries.items():
            began = perf_counter()
            self.expected[name], world = attempt(_settings({}))
            assert world is not None, f"{name}: {self.expected[name]}"
            self.rows[name] = set(world.rows)
            self.steps_max[name] = TIMES_LONGER_MAX * world.rows.total() + STEPS_MORE
            took_s[name] = perf_counter() - began
        self.tries = dict(sorted(self.tries.items(), key=lambda item: took_s[item[0]]))

    def judge(self, mutant: Mutant) -> Verdict:
        """Try each scene and run that takes the row, the quickest first, then the exploration."""
        replaced = {mutant.machine: mutant.table}
        world = WORLDS.get(mutant.machine)
        taken = False
        for name, attempt in self.tries.items():
            if mutant.row in self.rows[name]:
                taken = True
                if attempt(_settings(replaced, self.steps_max[name]))[0] != self.expected[name]:
                    return Verdict(mutant, name)
        if world is not None and mutant.row in self._explored(world):
            taken = True
            if explore(MODELS[world][1](tables(replaced)), most=300_000).fault is not None:
                return Verdict(mutant, f"explore {world}")
        return Verdict(mutant, "" if taken else None)

    def _explored(self, world: str) -> set[Row]:
        name = "explore " + world
        if name not in self.rows:
            model = MODELS[world][1](tables({}))
            explore(model)
            self.rows[name] = _rows_of(model)
        return self.rows[name]


def _settings(replaced: Mapping[str, Machine], steps_max: float = inf) -> Settings:
    tables = {**TABLES, **replaced}
    costs = costs_of("paper-2019")
    return Settings(seed=1, costs=costs, tables=tables, idle_steps_max=IDLE_STEPS_MAX, steps_max=steps_max)


def _run(scenario: Scenario, seed: int, settings: Settings) -> tuple[Seen, World | None]:
    """What the programs of a scenario got; or the fault."""
    chosen = dataclasses.replace(settings, seed=seed, costs=costs_of(scenario.profile))
    try:
        done = run(scenario, settings=chosen)
    except Failed as failure:
        return ("failed", str(failure).partition("\n")[0]), None
    except (*FAULTS, *DRIVER_BREAKS) as error:
        return ("ended by", type(error).__name__), None
    result = done.result
    seen = (tuple(sorted(result.modes.items())), tuple(sorted(result.faults.items())), result.messages)
    return seen, done.world


def _scene(name: str, settings: Settings) -> tuple[Seen, World | None]:
    """What a scene noted; or the fault."""
    try:
        scene = play(name, settings)
    except BROKEN as broken:
        return ("failed", str(broken)), None
    except (
        RuntimeError,
        *DRIVER_BREAKS,
    ) as error:  # RuntimeError: nothing is left to happen in mid-scene
        return ("broke the driver", type(error).__name__), None
    return (*scene.notes, *scene.asked), scene.world


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
