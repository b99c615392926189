"""The report as a table on a terminal: a row for each point, a column for each transport, the targets at the end."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from sdcore.cli.bench.measures import MEASURES
from sdcore.cli.bench.model import PLACEMENT_TITLES, TITLES, Cell, Report, Row
from sdcore.cli.bench.runner import size_text

BANDWIDTH_FROM = 4096


def header(report: Report) -> str:
    """What must be said beside the numbers."""
    machine, settings = report.machine, report.settings
    virtual = ", virtual" if machine.hypervisor else ""
    return (
        f"socksdirect {report.version}, {report.started}, {report.seconds:g} s, {settings.runs} runs\n"
        f"{machine.cpu}, {len(machine.cores)} cores{virtual}, Linux {machine.kernel}, load {machine.load_before:g}\n"
        f"kernel TCP uses {machine.congestion_control}. Median, and p99 (99 of 100 runs at least that good); "
        f"x: times better than kernel TCP"
    )


def table(report: Report) -> Table:
    """All rows."""
    out = Table(header_style="bold", row_styles=("", "dim"))
    for name in ("measure", "size", "placement", "unit"):
        out.add_column(name, no_wrap=True)
    for transport in report.settings.transports:
        out.add_column(TITLES[transport], justify="right")
    out.add_column("target")
    last = None
    for row in report.rows:
        if last not in (None, (row.measure, row.placement)):
            out.add_section()
        last = (row.measure, row.placement)
        out.add_row(*_cells(row, report))
    return out


def _cells(row: Row, report: Report) -> list[str | Text]:
    unit = row.unit
    size = size_text(row.size) if row.size is not None else ""
    what = MEASURES[row.measure].what + (f" ({row.connections})" if row.connections else "")
    cells = [cell_text(row, row.cell(transport)) for transport in report.settings.transports]
    return [what, size, PLACEMENT_TITLES[row.placement], unit, *cells, _verdicts(row)]


def cell_text(row: Row, cell: Cell | None) -> Text:
    """Median, p99, ratio; bandwidth where a message is large enough for it to say something."""
    if cell is None:
        return Text("-", "dim")
    if cell.fell_back:
        return Text(f"FELL BACK: {cell.fell_back}", "red")
    text = Text(f"{number(cell.median)} (p99 {number(cell.p99)})")
    if cell.ratio is not None and cell.transport != "tcp":
        text.append(f"  {cell.ratio:.3g}x", "bold")
    if row.measure == "stream" and row.size and row.size >= BANDWIDTH_FROM:
        text.append(f"\n{cell.median * row.size / 1e9:.3g} GB/s", "dim")
    if cell.call_p99_us is not None:
        text.append(f"\n99 % of calls in {number(cell.call_p99_us)}", "dim")
    return text


def number(value: float) -> str:
    """Three figures, thousands as k and M, so that columns can be compared at a glance."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (limit if unit != 'k' else 1e3):.3g} {unit}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _verdicts(row: Row) -> Text:
    text = Text()
    for verdict in row.verdicts:
        reached = "not measured" if verdict.reached is None else f"{verdict.reached:.3g}"
        text.append("\n" if text else "")
        text.append(f"{verdict.target}: ")
        text.append(f"ok ({reached})" if verdict.ok else f"MISS ({reached})", "green" if verdict.ok else "bold red")
    return text
