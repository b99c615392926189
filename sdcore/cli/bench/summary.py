"""From the values of single runs to median, 99th percentile and ratio.

Percentiles are by nearest rank. The 99th is taken from the bad end: 99 of 100 runs were at least that good, whether
good means low (time) or high (rate). With fewer than 100 runs it is the worst one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from sdcore.cli.bench.model import Better, Cell, Transport


def p99(values: Sequence[float], better: Better) -> float:
    """The value that 99 of 100 runs reach or better."""
    from_good_to_bad = sorted(values, reverse=better == "higher")
    return from_good_to_bad[math.ceil(0.99 * len(values)) - 1]


def ratio(value: float, baseline: float, better: Better) -> float | None:
    """How many times better `value` is than `baseline`; None where one of them is nothing."""
    if value <= 0 or baseline <= 0:
        return None
    return value / baseline if better == "higher" else baseline / value


def cell(
    transport: Transport,
    values: Sequence[float],
    better: Better,
    *,
    calls_us: Sequence[float] = (),
    fell_back: str | None = None,
    shm_share: float | None = None,
) -> Cell:
    """One transport's cell, without its ratio."""
    return Cell(
        transport=transport,
        runs=tuple(values),
        median=statistics.median(values),
        p99=p99(values, better),
        call_p99_us=statistics.median(calls_us) if calls_us else None,
        shm_share=shm_share,
        fell_back=fell_back,
    )


def with_ratios(cells: Sequence[Cell], better: Better) -> tuple[Cell, ...]:
    """The same cells, each compared with kernel TCP. What fell back is kernel TCP and compares with nothing."""
    baseline = next((cell.median for cell in cells if cell.transport == "tcp"), None)
    if baseline is None:
        return tuple(cells)
    return tuple(
        cell if cell.fell_back else cell.model_copy(update={"ratio": ratio(cell.median, baseline, better)})
        for cell in cells
    )
