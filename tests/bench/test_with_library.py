"""sdcore is measured for what it is: through shared memory, or shown as FELL BACK."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sdcore.cli import demo
from sdcore.cli.bench import machine, measures, redis, routes
from sdcore.cli.bench.measures import Plan
from sdcore.cli.bench.model import Cell
from sdcore.cli.bench.redis import Load
from sdcore.cli.bench.routes import Route, RouteError, sdcore_route
from sdcore.cli.bench.runner import Bench

installed = pytest.mark.skipif(redis.missing() is not None, reason=f"{redis.missing()} is not installed")


@pytest.fixture
def route(runtime_dir: Path) -> Iterator[Route]:
    with sdcore_route(runtime_dir) as made:
        yield made


def measured(route: Route, name: str, directory: Path) -> Cell:
    plan = Plan((name,), ("shm",), ("same",), runs=1, quick=True, sizes=(8,))
    [row] = Bench(plan, {"shm": route}, machine.pair(), directory).run("0", print).rows
    [cell] = row.cells
    return cell


@pytest.mark.parametrize(
    "name", ["roundtrip", "stream", "connect", "many", "memory", "crowd", "threads", "family", "first-child"]
)
def test_shared_memory_carries_every_measure(
    name: str, route: Route, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = (4,) if measures.MEASURES[name].connections != (None,) else (None,)
    if name == "memory":
        few = (200,)  # four lie in pages that are there already
    monkeypatch.setitem(measures.MEASURES, name, replace(measures.MEASURES[name], connections=few))
    cell = measured(route, name, tmp_path)
    for _ in range(2):  # a host that stalls for longer than an offer lasts is no fault of ours
        if "offer_timeout" in (cell.fell_back or ""):
            cell = measured(route, name, tmp_path)
    assert cell.fell_back is None
    assert cell.shm_share is not None
    assert cell.shm_share >= 0.99
    assert cell.median > 0


def test_a_program_without_the_library_falls_back(route: Route, tmp_path: Path) -> None:
    plain = replace(route, environment=routes.kernel_environment())
    assert measured(plain, "roundtrip", tmp_path).fell_back == "the monitor saw no connection"


def test_a_library_that_is_turned_off_falls_back(route: Route, tmp_path: Path) -> None:
    disabled = replace(route, environment={**route.environment, "SDCORE_DISABLE": "1"})
    assert measured(disabled, "roundtrip", tmp_path).fell_back is not None


def test_without_a_library_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SDCORE_LIBRARY", str(tmp_path / "libsd.so"))
    with pytest.raises(RouteError, match=r"libsd\.so"), sdcore_route(tmp_path):
        pass


def test_the_bench_stops_its_monitor(runtime_dir: Path) -> None:
    with sdcore_route(runtime_dir) as made:
        runtime = made.runtime
        assert runtime is not None
        routes.traffic(runtime)
    with pytest.raises(RouteError, match="no monitor"):
        routes.traffic(runtime)


@pytest.fixture
def small_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "LOADS", tuple(Load(clients, 4, 20_000, demo.TESTS) for clients in (1, 5)))


def run_demo(output: Path) -> Result:
    return CliRunner().invoke(demo.demo, ["--output", str(output), "--rounds", "1"])


@installed
@pytest.mark.usefixtures("small_demo")
def test_the_demo_shows_a_table_a_proof_and_a_chart(tmp_path: Path) -> None:
    done = run_demo(tmp_path)
    assert done.exit_code == 0, done.output
    assert "GET, 5 clients, -P 4" in done.stdout
    assert "proof: shared memory carried" in done.stdout
    assert (tmp_path / "redis.png").read_bytes().startswith(b"\x89PNG")


@installed
@pytest.mark.usefixtures("small_demo")
def test_the_demo_fails_if_redis_was_not_accelerated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @contextmanager
    def plain(directory: Path) -> Iterator[Route]:
        with sdcore_route(directory) as route:
            yield replace(route, environment=routes.kernel_environment())

    monkeypatch.setattr(demo, "sdcore_route", plain)
    done = run_demo(tmp_path)
    assert done.exit_code == 1
    assert "fell back to kernel TCP" in done.stderr
    assert not (tmp_path / "redis.png").exists()


def test_without_redis_the_demo_measures_programs_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "OWN_MEASURES", ("roundtrip",))
    monkeypatch.setattr(redis, "missing", lambda: "redis-server")
    done = run_demo(tmp_path)
    assert done.exit_code == 0, done.output
    assert "redis-server is not installed" in done.stderr
    assert (tmp_path / "roundtrip.png").is_file()
