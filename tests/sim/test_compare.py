"""The model against the published figures: what has its cause in the model stays there."""

from __future__ import annotations

import pytest

from sdsim.compare import GOOD_PERCENT, compare_figure, wrong_orderings
from sdsim.costs import costs_of

COSTS = costs_of("paper-2019")


def test_lines_are_fetched_ten_at_a_time_and_the_first_is_part_of_the_message() -> None:
    line = COSTS.cache_line
    assert [COSTS.fetch(size) for size in (8, 63, 64, 640, 704, 4096)] == [0, 0, line, line, 2 * line, 7 * line]


def test_a_mapped_page_changes_twice() -> None:
    assert COSTS.map(1) == COSTS.map(4096) == COSTS.map_page + COSTS.map_more
    assert COSTS.map(4097) - COSTS.map(4096) == 2 * COSTS.map_more


def test_a_nic_holds_one_packet_and_no_more() -> None:
    assert 0 < COSTS.dma(8) < COSTS.dma(COSTS.mtu) == COSTS.dma(1 << 20)


@pytest.mark.parametrize("name", ["shared_core_latency", "intra_host_core_scaling"])
def test_curves_whose_causes_are_known_are_met_and_systems_are_ranked_as_published(name: str) -> None:
    points = list(compare_figure(name, quick=True))
    ours = [point for point in points if point.system == "socksdirect"]
    assert len(ours) >= 4
    assert all(abs(point.error_percent) <= GOOD_PERCENT for point in ours)
    assert not wrong_orderings(points)
