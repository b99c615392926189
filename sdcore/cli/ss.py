"""`sdcore ss`: sockets as the monitor sees them, in the manner of `ss -t`."""

from __future__ import annotations

import json
from typing import Any

import click

from sdcore.cli import queues
from sdcore.cli.monitor import connect, runtime_option
from sdcore.monitor.control import NoMonitor, Refused

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--totals", is_flag=True, help="Print sums by transport and reason, with what ended already.")
@runtime_option
def ss(as_json: bool, totals: bool, monitor_dir: str | None) -> None:
    """Show the sockets of programs that run under sdcore, and how each is transported.

    The last column says why a socket is not accelerated. The queues of a shared-memory connection are the bytes that
    wait in its rings: those that this end may read, and those that it sent. Those of a connection on kernel TCP are the
    kernel's, as in ss -t; a dash stands where there is no connection, or none any more.

    Example: sdcore ss --totals
    """
    with connect(monitor_dir) as control:
        try:
            document = control.sockets()
        except (Refused, NoMonitor) as error:
            raise click.ClickException(str(error)) from None
    queues.fill(document["sockets"])
    if as_json:
        click.echo(json.dumps(document["totals"] if totals else document, indent=2))
    elif totals:
        print_totals(document["totals"])
    else:
        print_sockets(document["sockets"])


def print_sockets(sockets: list[dict[str, Any]]) -> None:
    """One row a socket. Wide when it goes to a file, fitted when it goes to a terminal."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("State", "Local", "Peer", "Process", "Transport"):
        table.add_column(column, no_wrap=True)
    for column in ("Recv-Q", "Send-Q", "Received", "Sent"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("Why not accelerated")
    for row in sorted(sockets, key=lambda row: (row["state"], row["program"], row["pid"], row["fd"])):
        table.add_row(*_cells(row))
    _console().print(table)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["state"].upper(),
        row["local"],
        row["peer"],
        f"{row['program']},{row['pid']},fd={row['fd']}",
        row["transport"],
        _count(row["receive_queue_bytes"]),
        _count(row["send_queue_bytes"]),
        quantity(row["received_bytes"]),
        quantity(row["sent_bytes"]),
        row["reason_text"],
    )


def print_totals(totals: dict[str, Any]) -> None:
    """Two tables: transports, reasons."""
    from rich.table import Table

    transports = Table("Transport", box=None, pad_edge=False)
    for column in ("Connections", "Sent", "Received"):
        transports.add_column(column, justify="right")
    for name, total in totals["transports"].items():
        numbers = (quantity(total["sent_bytes"]), quantity(total["received_bytes"]))
        transports.add_row(name, str(total["connections"]), *numbers)
    reasons = Table("Reason", box=None, pad_edge=False)
    reasons.add_column("Times", justify="right")
    reasons.add_column("Meaning")
    for name, reason in totals["reasons"].items():
        reasons.add_row(name, str(reason["count"]), reason["text"])
    console = _console()
    console.print(transports)
    if totals["reasons"]:
        console.print("")
        console.print(reasons)


def _console() -> Any:
    """A console as wide as the table needs, unless it is a terminal."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=250)


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)


def quantity(number: int) -> str:
    """Bytes for people."""
    value, unit = float(number), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    digits = 0 if unit == 0 or value >= 100 else 1
    return f"{value:.{digits}f} {UNITS[unit]}"
