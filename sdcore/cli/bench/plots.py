"""The report as PNG files: curves over message size for round trip and one way, bars for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sdcore.cli.bench.measures import MEASURES, SIZED, size_text
from sdcore.cli.bench.model import PLACEMENT_TITLES, TITLES, Cell, Report, Row, Transport

COLOURS: dict[Transport, str] = {"tcp": "#888888", "unix": "#d0a020", "shm": "#1f77b4", "bare": "#b0d0e8"}
UNITS = {"us": "microseconds", "1/s": "per second", "B": "bytes", "ms": "milliseconds"}


def draw(report: Report, directory: Path) -> list[Path]:
    """Write every picture and return where. Makes the directory; replaces files of the same name.

    Raises:
        OSError: they cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for measure, rows in _grouped(report).items():
        sized = measure in SIZED
        title = MEASURES[measure].what
        figure = _curves(rows, title, report) if sized else _bars(rows, title, report)
        written.append(_save(figure, directory / f"{measure}.png"))
        if measure == "stream":
            figure = _curves([_bandwidth(row) for row in rows], "bandwidth, bytes", report)
            written.append(_save(figure, directory / "bandwidth.png"))
    return written


def _grouped(report: Report) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in report.rows:
        groups.setdefault(row.measure, []).append(row)
    return groups


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=120, bbox_inches="tight")
    return path


def _note(report: Report) -> str:
    machine = report.machine
    return (
        f"{machine.cpu}, kernel TCP with {machine.congestion_control}, median and worst of {report.settings.runs} runs"
    )


def _bandwidth(row: Row) -> Row:
    """Messages a second as bytes a second."""
    size = row.size or 0
    cells = tuple(cell.model_copy(update={"median": cell.median * size, "p99": cell.p99 * size}) for cell in row.cells)
    return row.model_copy(update={"cells": cells})


def _curves(rows: Sequence[Row], title: str, report: Report) -> Figure:
    """One picture for each placement, side by side, both axes logarithmic."""
    placements = list(dict.fromkeys(row.placement for row in rows))
    figure = Figure(figsize=(6 * len(placements), 4.5))
    axes = figure.subplots(1, len(placements), squeeze=False, sharey=True)[0]
    for ax, placement in zip(axes, placements, strict=True):
        here = [row for row in rows if row.placement == placement]
        for transport in report.settings.transports:
            _curve(ax, transport, [(row.size or 0, cell) for row in here if (cell := _shown(row, transport))])
        ax.set(xscale="log", yscale="log", title=PLACEMENT_TITLES[placement], xlabel="size of a message")
        sizes = sorted({row.size or 0 for row in here})
        ax.set_xticks(sizes, [size_text(size) for size in sizes], rotation=45, fontsize=8)
        ax.minorticks_off()
        ax.grid(True, alpha=0.3)
    axes[0].set_ylabel(f"{title}, {UNITS[rows[0].unit]}")
    axes[-1].legend()
    figure.suptitle(f"{title}\n{_note(report)}", fontsize=9, y=1.03)
    return figure


def _curve(ax: Axes, transport: Transport, points: Sequence[tuple[int, Cell]]) -> None:
    if not points:
        return
    sizes = [size for size, _ in points]
    medians = [cell.median for _, cell in points]
    ax.plot(sizes, medians, "o-", color=COLOURS[transport], label=TITLES[transport])
    ax.fill_between(sizes, medians, [cell.p99 for _, cell in points], color=COLOURS[transport], alpha=0.2, linewidth=0)


def _bars(rows: Sequence[Row], title: str, report: Report) -> Figure:
    """A group of bars for each row, with the ratio above."""
    figure = Figure(figsize=(max(5, 3 * len(rows)), 4))
    ax = figure.subplots()
    transports = [one for one in report.settings.transports if any(_shown(row, one) for row in rows)]
    width = 0.8 / max(1, len(transports))
    for number, transport in enumerate(transports):
        for place, row in enumerate(rows):
            if cell := _shown(row, transport):
                _bar(ax, place + (number - (len(transports) - 1) / 2) * width, width, cell)
    ax.set_xticks(range(len(rows)), [_name(row) for row in rows])
    ax.set(ylabel=UNITS[rows[0].unit], title=f"{title}\n{_note(report)}")
    ax.title.set_fontsize(9)
    ax.legend(handles=[_patch(transport) for transport in transports])
    return figure


def _bar(ax: Axes, at: float, width: float, cell: Cell) -> None:
    ax.bar(at, cell.median, width, color=COLOURS[cell.transport])
    if cell.ratio is not None and cell.transport != "tcp":
        ax.annotate(f"{cell.ratio:.3g}x", (at, cell.median), ha="center", va="bottom", fontsize=8)


def _patch(transport: Transport) -> Patch:
    return Patch(color=COLOURS[transport], label=TITLES[transport])


def _name(row: Row) -> str:
    return PLACEMENT_TITLES[row.placement] + (f"\n({row.connections})" if row.connections else "")


def _shown(row: Row, transport: Transport) -> Cell | None:
    """The cell, unless there is nothing in it that could be shown as this transport's."""
    cell = row.cell(transport)
    return None if cell is None or cell.fell_back else cell
