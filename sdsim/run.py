"""One run of a scenario: builds the site, starts the workload, plans the faults, and checks the laws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TextIO

from sdcore.protocol.kit import LocalError, PeerError
from sdsim import faults
from sdsim.aggregate import Estimate, fill_of, follow, total_of
from sdsim.costs import costs_of
from sdsim.lanes import Lanes
from sdsim.library import NEVER_MAP, Library
from sdsim.scenario import Scenario
from sdsim.site import Site
from sdsim.units import US
from sdsim.waiting import Patience
from sdsim.workloads import WORKLOADS, Result
from sdsim.world import Settings, Violation, World

BROKEN = (Violation, LocalError, PeerError)
"""What ends a run as a failure: a law broken, or an event for which a table has no row."""


class Failed(Exception):
    """A run broke a law. The text has seed, time, the last transitions and the command that repeats it."""


@dataclass(frozen=True)
class Run:
    """A run that is over.

    Attributes:
        result: what the workload measured.
        ended_ps: simulated time.
        estimate: how much was simulated in detail; None: all of it.
    """

    world: World
    site: Site
    result: Result
    ended_ps: int
    estimate: Estimate | None = None


def run(
    scenario: Scenario, *, seed: int | None = None, check: bool = True, trace: TextIO | None = None,
    lanes: Lanes | None = None, command: str = "", settings: Settings | None = None,
) -> Run:  # fmt: skip
    """Simulate a scenario to its end.

    Args:
        seed: in place of the scenario's.
        trace: gets a line for every transition.
        lanes: collects who had which core and link.
        command: repeats this run; part of a failure's text.
        settings: in place of those of the scenario; tests replace tables by it.

    Raises:
        Failed: a law was broken.
        NotAggregate: the scenario asks for the aggregate mode, and cannot have it.
        NoProcess: a scripted fault is of a process that there is not.
    """
    total = total_of(scenario) if scenario.aggregate else 0
    world = World(settings or replace(_settings(scenario, seed, check, trace), lanes=lanes))
    place = scenario.site
    site = Site(world, place.hosts, place.cores, rdma=place.rdma, loss=place.loss_percent / 100)
    library = scenario.library
    patience = Patience(library.spins, library.yields, library.yields_contended or None)

    def make(site: Site, host: int) -> Library:
        return Library(
            site, site.hosts[host % len(site.hosts)], accelerated=library.accelerated, patience=patience,
            map_from_bytes=library.map_from_bytes or NEVER_MAP,
        )  # fmt: skip

    try:
        result = WORKLOADS[scenario.workload.kind](site, make, _workload_options(scenario))
        if scenario.workload.kind != "fork-server":  # which makes more as it goes on
            faults.check(scenario.fault, len(site.libraries))
        faults.plan(site, scenario.fault, scenario.chaos)
        if total:
            estimate = follow(world, result, total, fill_of(scenario))
            return Run(world, site, result, max(world.journal.last_ps, result.ended_ps), estimate)
        world.run()
        world.check_end()
    except BROKEN as broken:
        repeat = f"\nrepeat: {command}" if command else ""
        raise Failed(world.report(broken) + repeat) from broken
    return Run(world, site, result, max(world.journal.last_ps, result.ended_ps))


def _settings(scenario: Scenario, seed: int | None, check: bool, trace: TextIO | None) -> Settings:
    return Settings(
        seed=scenario.seed if seed is None else seed,
        options=scenario.options(),
        costs=costs_of(scenario.profile),
        check=check,
        trace=trace,
    )


def _workload_options(scenario: Scenario) -> dict[str, object]:
    options = scenario.workload.model_dump()
    if "think_us" in options:
        options["think_ps"] = options.pop("think_us") * US
    return options
