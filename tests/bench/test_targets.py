"""Targets judge sdcore only by what went through shared memory, at their boundary exactly."""

from __future__ import annotations

import pytest

from sdcore.cli.bench.measures import MEASURES, Plan
from sdcore.cli.bench.model import Row, Transport
from sdcore.cli.bench.targets import TARGETS, Target
from tests.bench.samples import row


def full_plan() -> Plan:
    return Plan(tuple(MEASURES), ("tcp", "unix", "shm", "bare"), ("same", "two"), runs=1, quick=False)


def planned_rows(plan: Plan) -> list[Row]:
    return [
        row({"tcp": 1.0, "shm": 1.0}, measure=p.measure.name, placement=p.placement, size=p.size,
            connections=p.connections)
        for p in plan.points()
    ]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.measure}-{target}")
@pytest.mark.parametrize("quick", [True, False])
def test_every_target_is_about_something_that_is_measured(target: Target, quick: bool) -> None:
    plan = Plan(full_plan().names, full_plan().transports, ("same", "two"), runs=1, quick=quick)
    assert any(target.applies(row) for row in planned_rows(plan))


@pytest.mark.parametrize(("ours", "ok"), [(1.0, True), (1.01, False)])
def test_a_ratio_is_met_at_its_boundary(ours: float, ok: bool) -> None:
    judged = row({"tcp": 100.0, "shm": ours})
    assert [verdict.ok for verdict in judged.verdicts] == [ok]


@pytest.mark.parametrize(("ours", "ok"), [(9.9, True), (10.0, True), (10.1, False)])
def test_idle_time_is_judged_by_itself(ours: float, ok: bool) -> None:
    judged = row({"shm": ours}, measure="idle", unit="ms", size=None)
    assert [verdict.ok for verdict in judged.verdicts] == [ok]


def test_what_fell_back_meets_no_target() -> None:
    judged = row({"tcp": 100.0, "shm": 0.1}, fell_back="carried by TCP")
    assert [(verdict.ok, verdict.reached) for verdict in judged.verdicts] == [(False, None)]


def test_without_the_baseline_there_is_no_verdict() -> None:
    assert row({"shm": 0.1}).verdicts == ()


def test_64_kib_is_held_against_unix_sockets_too() -> None:
    values: dict[Transport, float] = {"tcp": 10.0, "unix": 30.0, "shm": 50.0}
    judged = row(values, measure="stream", better="higher", unit="1/s", size=64 * 1024)
    assert [(verdict.target, verdict.ok) for verdict in judged.verdicts] == [
        (">= 4x kernel TCP", True),
        (">= 2x Unix socket", False),
    ]
