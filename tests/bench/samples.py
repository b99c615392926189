"""A report without measuring anything."""

from __future__ import annotations

from collections.abc import Mapping

from sdcore.cli.bench import summary, targets
from sdcore.cli.bench.model import Better, Machine, Placement, Report, Row, Settings, Transport


def row(
    values: Mapping[Transport, float],
    *,
    measure: str = "roundtrip",
    better: Better = "lower",
    unit: str = "us",
    placement: Placement = "two",
    size: int | None = 8,
    connections: int | None = None,
    fell_back: str | None = None,
) -> Row:
    """A judged row with three equal runs of each transport."""
    cells = [
        summary.cell(one, [value] * 3, better, fell_back=fell_back if one == "shm" else None)
        for one, value in values.items()
    ]
    return targets.judged(
        Row(
            measure=measure,
            placement=placement,
            size=size,
            connections=connections,
            unit=unit,
            better=better,
            cells=summary.with_ratios(cells, better),
        )
    )


def report(*rows: Row) -> Report:
    """Rows on an imagined machine."""
    return Report(
        version="0",
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
        machine=Machine(
            cpu="a core",
            cores=(0, 1),
            hypervisor=True,
            kernel="6.1",
            congestion_control="cubic",
            slab_source="slabinfo",
            load_before=0.0,
        ),
        settings=Settings(quick=True, runs=3, transports=("tcp", "unix", "shm", "bare"), placements=("same", "two")),
        rows=rows,
    )
