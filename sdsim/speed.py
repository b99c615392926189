"""How fast the simulator itself is: messages of wall time, with SimPy's bare event rate beside it.

A message costs some events and some steps of machines; how many of each stands beside the rate, for these do not depend
on how busy the machine is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import simpy

from sdsim.run import run
from sdsim.scenario_file import load
from sdsim.world import Steps

EVENTS: Final = 200_000
LOADS: Final = (("one way", "stream", 1), ("there and back", "ping-pong", 2))


@dataclass(frozen=True)
class Speed:
    """One measure.

    Attributes:
        per_second: events or messages a second of this process's own time.
        steps: of machines for each message.
    """

    name: str
    per_second: float
    steps: float = 0.0


def bare() -> Speed:
    """SimPy alone: one process that waits for one timeout after the other."""
    env = simpy.Environment()

    def wait() -> Steps:
        for _ in range(EVENTS):
            yield env.timeout(1)

    env.process(wait())
    began = time.process_time()
    env.run()
    return Speed("SimPy, bare events", EVENTS / (time.process_time() - began))


def measure(count: int) -> Iterator[Speed]:
    """SimPy alone, then messages of 8 bytes, with and without the checkers."""
    yield bare()
    for name, scenario, ways in LOADS:
        loaded = load(scenario, [f"workload.count={count // ways}", "workload.size=8"])
        for check in (True, False):
            began = time.process_time()
            done = run(loaded, check=check)
            took = time.process_time() - began
            steps = sum(done.world.rows.values()) / count
            yield Speed(f"{name}, {'all checks' if check else 'no checks'}", count / took, steps)
