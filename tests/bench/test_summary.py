"""Percentiles are taken from the bad end, and ratios say how many times better."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.cli.bench import summary
from sdcore.cli.bench.model import Better

BETTER = st.sampled_from(["lower", "higher"])
POSITIVE = st.floats(1e-6, 1e9)


@given(st.lists(POSITIVE, min_size=1, max_size=300), BETTER)
def test_99_of_100_runs_are_at_least_as_good_as_p99(values: list[float], better: Better) -> None:
    found = summary.p99(values, better)
    assert found in values
    as_good = [value for value in values if (value <= found if better == "lower" else value >= found)]
    assert len(as_good) >= 0.99 * len(values)


@given(st.lists(POSITIVE, min_size=1, max_size=99), BETTER)
def test_p99_of_fewer_than_100_runs_is_the_worst(values: list[float], better: Better) -> None:
    assert summary.p99(values, better) == (max(values) if better == "lower" else min(values))


def test_p99_forgives_one_run_in_a_hundred() -> None:
    assert summary.p99([1.0] * 99 + [50.0], "lower") == 1.0
    assert summary.p99([1.0] * 98 + [50.0] * 2, "lower") == 50.0


@pytest.mark.parametrize(("value", "better", "expected"), [(10, "lower", 4.0), (10, "higher", 0.25)])
def test_a_ratio_says_how_many_times_better(value: float, better: Better, expected: float) -> None:
    assert summary.ratio(value, 40, better) == expected


def test_nothing_compares_with_nothing() -> None:
    assert summary.ratio(0, 1, "lower") is None
    assert summary.ratio(1, 0, "higher") is None


def test_what_fell_back_has_no_ratio() -> None:
    cells = [
        summary.cell("tcp", [40.0], "lower"),
        summary.cell("unix", [20.0], "lower"),
        summary.cell("shm", [1.0], "lower", fell_back="seen nothing"),
    ]
    assert [cell.ratio for cell in summary.with_ratios(cells, "lower")] == [1.0, 2.0, None]
