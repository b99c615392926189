"""The report as a table on a terminal: a row for each point, a column for each transport, the targets at the end."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sdcore.cli.bench.measures import MEASURES, size_text
from sdcore.cli.bench.model import TITLES, Cell, Placement, Report, Row

BANDWIDTH_FROM = 4096
FILE_WIDTH = 120
CORES: dict[Placement, str] = {"same": "1", "two": "2", "all": "all"}


def console() -> Console:
    """Standard output; wide enough for the table where it is a file or a pipe."""
    out = Console()
    out.width = out.width if out.is_terminal else FILE_WIDTH
    return out


def header(report: Report) -> str:
    """What must be said beside the numbers."""
    machine, settings = report.machine, report.settings
    virtual = " (virtual)" if machine.hypervisor else ""
    return (
        f"socksdirect {report.version}, {report.started}, {settings.runs} runs in {report.seconds:g} s\n"
        f"{machine.cpu}{virtual}, {len(machine.cores)} cores, Linux {machine.kernel}, load {machine.load_before:.2g}; "
        f"kernel TCP with {machine.congestion_control}\n"
        f"median / p99 (99 of 100 runs are at least that good), then how many times better than kernel TCP"
    )


def table(report: Report) -> Table:
    """All rows, under a line for each measure."""
    out = Table(header_style="bold")
    out.add_column("", min_width=10)
    out.add_column("cores", justify="right")
    for transport in report.settings.transports:
        out.add_column(TITLES[transport], justify="right", min_width=9)
    out.add_column("target", min_width=12)
    last = ""
    for row in report.rows:
        if row.measure != last:
            out.add_section()
            out.add_row(Text(f"{MEASURES[row.measure].what}, {row.unit}", "bold"))
        last = row.measure
        out.add_row(*_cells(row, report))
    return out


def _cells(row: Row, report: Report) -> list[str | Text]:
    named = size_text(row.size) if row.size is not None else ""
    many = f"{row.connections}" if row.connections else ""
    cells = [cell_text(row, row.cell(transport)) for transport in report.settings.transports]
    return ["  " + " x ".join(filter(None, (many, named))), CORES[row.placement], *cells, _verdicts(row)]


def cell_text(row: Row, cell: Cell | None) -> Text:
    """Median, p99, ratio; bandwidth where a message is large enough for it to say something."""
    if cell is None:
        return Text("-", "dim")
    if cell.fell_back:
        return Text(f"FELL BACK: {cell.fell_back}", "red")
    text = Text(f"{number(cell.median)} / {number(cell.p99)}")
    if cell.ratio is not None and cell.transport != "tcp":
        text.append(f"\n{cell.ratio:.3g}x", "bold")
    if row.measure == "stream" and row.size and row.size >= BANDWIDTH_FROM:
        text.append(f"\n{cell.median * row.size / 1e9:.3g} GB/s", "dim")
    if cell.call_p99_us is not None:
        text.append(f"\ncalls' p99 {number(cell.call_p99_us)}", "dim")
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
