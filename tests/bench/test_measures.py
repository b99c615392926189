"""The plan of a bench: what is measured where and how often."""

from __future__ import annotations

import pytest

from sdcore.cli.bench.measures import MEASURES, QUICK_SIZES, SIZES, Plan, size_text


def plan(**changes: object) -> Plan:
    given = {"names": tuple(MEASURES), "transports": ("tcp", "shm"), "placements": ("same", "two"), "runs": 5}
    return Plan(**(given | {"quick": False} | changes))  # type: ignore[arg-type]


def test_a_point_is_never_planned_twice() -> None:
    points = list(plan().points())
    assert len({(p.measure.name, p.placement, p.size, p.connections) for p in points}) == len(points)


@pytest.mark.parametrize("name", ["roundtrip", "stream"])
def test_sizes_reach_from_8_bytes_to_1_mib(name: str) -> None:
    assert [point.size for point in plan(names=(name,), placements=("two",)).points()] == list(SIZES)
    assert (SIZES[0], SIZES[-1]) == (8, 1 << 20)
    assert set(QUICK_SIZES) <= set(SIZES)


def test_quick_measures_less_of_the_same() -> None:
    slow = {(p.measure.name, p.placement, p.size, p.connections): p.count for p in plan().points()}
    for p in plan(quick=True).points():
        assert 1 <= p.count <= slow[p.measure.name, p.placement, p.size, p.connections]


def test_with_one_core_everything_is_on_one_core_or_nowhere_in_particular() -> None:
    assert {point.placement for point in plan(placements=("same",)).points()} == {"same", "all"}


def test_an_odd_size_is_measured_as_often_as_the_next_known() -> None:
    [point] = plan(names=("stream",), placements=("two",), sizes=(5000,)).points()
    assert (point.size, point.count) == (5000, MEASURES["stream"].counts[16 * 1024])


def test_slow_measures_are_repeated_less() -> None:
    assert plan().runs_of(MEASURES["idle"]) == 1
    assert plan().runs_of(MEASURES["stream"]) == 5


def test_only_known_transports_of_a_measure_are_run() -> None:
    assert plan(transports=("tcp", "bare")).transports_of(MEASURES["many"]) == ("tcp",)


@pytest.mark.parametrize(("size", "text"), [(8, "8 B"), (4096, "4 KiB"), (5000, "5000 B"), (1 << 20, "1 MiB")])
def test_sizes_are_shown_in_the_largest_unit_that_divides_them(size: int, text: str) -> None:
    assert size_text(size) == text
