"""A small bench over the kernel's routes, from plan to report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sdcore.cli.bench import machine, measures, runner
from sdcore.cli.bench.measures import Plan, Point
from sdcore.cli.bench.model import Report
from sdcore.cli.bench.pair import WorkerResult
from sdcore.cli.bench.routes import kernel_routes
from sdcore.cli.bench.runner import Bench


def result(**changes: int) -> WorkerResult:
    given = {"count": 1000, "start_ns": 0, "end_ns": 2_000_000, "call_p50_ns": 0, "call_p99_ns": 0, "cpu_ns": 0}
    return WorkerResult(**(given | changes))


def point(name: str, count: int = 1000) -> Point:
    return Point(measures.MEASURES[name], "two", 8, count)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, list[str]]:
    plan = Plan(("stream", "connect"), ("tcp", "unix", "bare"), ("same",), runs=2, quick=True, sizes=(100_000,))
    bench = Bench(plan, kernel_routes(), machine.pair(), tmp_path_factory.mktemp("bench"))
    steps: list[str] = []
    report = bench.run("0.1", steps.append)
    assert len(steps) == bench.steps()
    return report, steps


def test_each_row_has_each_transport_it_knows(small: tuple[Report, list[str]]) -> None:
    report, _ = small
    found = {row.measure: [cell.transport for cell in row.cells] for row in report.rows}
    assert found == {"stream": ["tcp", "unix", "bare"], "connect": ["tcp", "unix"]}


def test_each_cell_has_a_value_of_each_run(small: tuple[Report, list[str]]) -> None:
    report, _ = small
    assert all(len(cell.runs) == 2 and min(cell.runs) > 0 for row in report.rows for cell in row.cells)


def test_transports_alternate_and_take_turns_in_beginning(small: tuple[Report, list[str]]) -> None:
    _, steps = small
    order = [step.rsplit(", ", 1)[1] for step in steps if step.startswith("connections")]
    assert order == ["kernel TCP", "Unix socket", "Unix socket", "kernel TCP"]


def test_a_report_survives_json(small: tuple[Report, list[str]]) -> None:
    report, _ = small
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_every_transport_gets_the_same_words_but_its_own_name(tmp_path: Path) -> None:
    routes = kernel_routes()
    for one in (point("roundtrip"), point("stream"), point("many", 50_000)):
        words = {name: runner.arguments(one, routes[name], 1) for name in ("tcp", "unix", "bare")}
        differences = Counter(word for arguments in words.values() for word in arguments)
        assert {word for word, times in differences.items() if times != 3} <= {"tcp", "unix", "bare"}


def test_two_processes_on_one_core_yield_in_the_bare_ring() -> None:
    one = Point(measures.MEASURES["stream"], "same", 8, 1)
    assert "--yield" in runner.arguments(one, kernel_routes()["bare"], 1)


@pytest.mark.parametrize(
    ("name", "client", "server", "value"),
    [
        ("roundtrip", result(), result(), 2.0),
        ("stream", result(), result(), 500_000.0),
        ("idle", result(end_ns=2_000_000_000, cpu_ns=3_000_000), result(cpu_ns=1_000_000), 20.0),
    ],
)
def test_values_are_in_the_units_of_the_measure(
    name: str, client: WorkerResult, server: WorkerResult, value: float
) -> None:
    assert runner._value_of(point(name), client, server) == pytest.approx(value)
