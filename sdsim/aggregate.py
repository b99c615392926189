"""Scenarios too long to simulate message by message: followed in detail until their rate is known, then reckoned on.

Theory. What a workload does settles: after connections are set up and caches are warm, equal stretches of time bring
equal numbers of messages but for chance. The run is cut into stretches, longer ones as it goes on. The rate of each is
one sample; the mean of the last half of them, for the first are the warm-up, is known to within `KNOWN_PERCENT` when
its 95 % interval is that narrow. Neighbouring stretches are not independent, so the mean of the last quarter has to be
as near. One way, a sender runs ahead until the buffers between are full: there detail goes on until they could have
been filled twice. Then the rest of the messages takes the rest of the time, and what grows with messages grows on.

Nothing is reckoned on that happens at a time of its own: a scenario with faults is refused. Neither is the end of the
run; the laws that hold when everything is over are for the detailed mode, and those of each step for both.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sdsim.kernel import BUFFER_BYTES
from sdsim.outcome import Result
from sdsim.scenario import Scenario
from sdsim.socket import RING_BYTES
from sdsim.units import US
from sdsim.world import World

STRETCH_MESSAGES: Final = 200
STRETCHES: Final = 32
DETAIL_MAX: Final = 10_000_000
LATENCIES_MAX: Final = 1_000_000
FIRST_STRETCH_PS: Final = 20 * US
KNOWN_PERCENT: Final = 1.0
NORMAL_95: Final = 1.96


class NotAggregate(ValueError):
    """A scenario that cannot be reckoned on; the text says why."""


class NeverSettles(NotAggregate):
    """The rate goes on changing."""


@dataclass(frozen=True)
class Estimate:
    """What stands behind an aggregate result.

    Attributes:
        messages: simulated in detail.
        percent: half the 95 % interval of the rate, of the rate.
    """

    messages: int
    percent: float


TOTALS: Final[Mapping[str, Callable[[Mapping[str, Any], int], int]]] = {
    "ping-pong": lambda work, _: 2 * work["pairs"] * work["count"],
    "stream": lambda work, _: work["pairs"] * work["count"],
    "many": lambda work, _: 2 * work["connections"] * work["count"],
    "mesh": lambda work, hosts: 2 * hosts * work["connections"] * work["count"],
    "storm": lambda work, _: 2 * work["pairs"] * work["count"],
    "shared": lambda work, _: work["threads"] * work["count"],
    "fork-server": lambda work, _: 2 * work["clients"] * work["count"],
    "pipeline": lambda work, _: work["count"],
    "proxy": lambda work, _: 2 * work["clients"] * work["count"],
    "requests": lambda work, _: 2 * work["clients"] * work["count"],
}
"""How many messages a workload brings."""
BUFFERS: Final[Mapping[str, Callable[[Mapping[str, Any]], int]]] = {
    "stream": lambda work: work["pairs"],
    "shared": lambda _: 1,
    "pipeline": lambda work: work["stages"] - 1,
}
"""Workloads in which a sender runs ahead, and how many buffers it can fill."""


def fill_of(scenario: Scenario) -> int:
    """Bytes that need to have arrived before all buffers are as full as they will be."""
    buffers = BUFFERS.get(scenario.workload.kind)
    if buffers is None:
        return 0
    return 2 * max(BUFFER_BYTES, RING_BYTES) * buffers(scenario.workload.model_dump())


def total_of(scenario: Scenario) -> int:
    """Messages of the whole scenario.

    Raises:
        NotAggregate: it has faults, or requests at times of their own.
    """
    if scenario.workload.kind == "trace":
        raise NotAggregate("aggregate: a trace has no rate that could be reckoned on; simulate it whole")
    if scenario.fault or scenario.chaos is not None:
        raise NotAggregate("aggregate: faults happen at a time, and only rates are reckoned on; take them out")
    return TOTALS[scenario.workload.kind](scenario.workload.model_dump(), scenario.site.hosts)


@dataclass(frozen=True)
class _Sample:
    """What has been counted at a time."""

    at_ps: int
    messages: int
    sent_bytes: int
    connections: int
    modes: Mapping[str, int]
    latencies: int


def follow(world: World, result: Result, total: int, fill_bytes: int) -> Estimate | None:
    """Run until the rate is known, and put what the whole run will bring into `result`.

    Returns:
        What was simulated, or None: everything was, for the scenario is short.

    Raises:
        NeverSettles: the rate goes on changing.
        Violation: a law was broken.
    """
    samples = [_sample(world, result)]
    stretch_ps = FIRST_STRETCH_PS
    while world.env.peek() != float("inf"):
        world.run(until_ps=world.now + stretch_ps)
        if not samples[-1].messages:
            samples = [_sample(world, result)]
        elif result.messages - samples[-1].messages < STRETCH_MESSAGES:
            stretch_ps *= 2
        else:
            samples.append(_sample(world, result))
            percent = _uncertainty(samples)
            if percent <= KNOWN_PERCENT and result.sent_bytes >= fill_bytes and result.messages < total:
                _reckon_on(result, samples, total)
                return Estimate(samples[-1].messages, percent)
            if result.messages > DETAIL_MAX:
                raise NeverSettles(f"aggregate: after {result.messages} messages the rate is known to {percent:.1f} %")
            if len(samples) > 2 * STRETCHES:
                samples, stretch_ps = samples[::2], 2 * stretch_ps
    world.run()
    world.check_end()
    return None


def _sample(world: World, result: Result) -> _Sample:
    latencies = len(result.latencies_ps)
    return _Sample(world.now, result.messages, result.sent_bytes, result.connections, dict(result.modes), latencies)


def _rates(samples: list[_Sample]) -> list[float]:
    pairs = itertools.pairwise(samples)
    return [(after.messages - before.messages) / (after.at_ps - before.at_ps) for before, after in pairs]


def _uncertainty(samples: list[_Sample]) -> float:
    """Percent that the mean rate may be wrong."""
    rates = _rates(samples)
    if len(rates) < STRETCHES:
        return 100.0
    late = rates[len(rates) // 2 :]
    latest = late[len(late) // 2 :]
    mean = statistics.fmean(late)
    interval: float = NORMAL_95 * statistics.stdev(late) / len(late) ** 0.5
    drift = abs(statistics.fmean(latest) - mean)
    return float(100 * max(interval, drift) / mean)


def _reckon_on(result: Result, samples: list[_Sample], total: int) -> None:
    last, first = samples[-1], samples[len(samples) // 2]
    more = (total - last.messages) / (last.messages - first.messages)
    result.latencies_ps = _latencies(result.latencies_ps, first.latencies, more)
    result.ended_ps = last.at_ps + round(more * (last.at_ps - first.at_ps))
    result.messages = total
    result.sent_bytes = last.sent_bytes + round(more * (last.sent_bytes - first.sent_bytes))
    result.connections = last.connections + round(more * (last.connections - first.connections))
    for mode, number in last.modes.items():
        result.modes[mode] = number + round(more * (number - first.modes.get(mode, 0)))


def _latencies(seen: list[int], settled_from: int, more: float) -> list[int]:
    """Those of the whole run, the settled ones again and again; of a very long one the settled ones."""
    settled = seen[settled_from:]
    again = round(more * len(settled))
    if again > LATENCIES_MAX:
        return settled
    return seen + (settled * (again // max(1, len(settled)) + 1))[:again]
