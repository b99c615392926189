"""`sdcore drain`: running programs go over to kernel TCP, before the library is upgraded or taken away.

The monitor asks them and knows how far they are; this command asks it again and again until all have moved.
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

import click

from sdcore.cli.monitor import connect, number, runtime_option
from sdcore.monitor.control import Control, NoMonitor, Refused

EXIT_SOME_LEFT = 3
FIRST_PAUSE_S = 0.02
LAST_PAUSE_S = 0.5
SHOWN_MAX = 20
ALL = 0


def _programs(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    """The process id; 0 is all."""
    if value == "all":
        return ALL
    if not value.isdecimal() or not 0 < int(value) < 1 << 31:
        raise click.BadParameter(f"{value!r} is neither a process id nor 'all'")
    return int(value)


def _seconds(_ctx: click.Context, _param: click.Parameter, value: float) -> float:
    """A time that comes to an end or does not, but nothing that is neither."""
    if math.isnan(value):
        raise click.BadParameter(f"{value} is not a number of seconds")
    return value


@click.command()
@click.argument("programs", metavar="PID|all", callback=_programs)
@click.option(
    "--timeout", "timeout_s", metavar="SECONDS", type=click.FloatRange(min=0), default=30.0, show_default=True,
    callback=_seconds,
    help="How long to wait for programs that make no call.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@runtime_option
def drain(programs: int, timeout_s: float, as_json: bool, monitor_dir: str | None) -> int:
    """Move the connections of a running program, or of all, to kernel TCP, and keep new ones there.

    No byte is lost, and no connection. PID stands for its whole program: what it was forked from and what it forked. A
    program moves a connection in its next call on it, and is woken from one that waits; so the command waits until all
    have moved. It holds until the monitor ends; with `all` also for programs that are started later.

    Exit codes: 0 everything has moved, or its process has ended; 3 some connections have not yet, and will when their
    programs make a call or have read what waits for them; 1 no such program, or no monitor.

    Example: sdcore drain all --timeout 60
    """
    with connect(monitor_dir) as control:
        try:
            outcome = wait(control, programs, timeout_s)
        except (Refused, NoMonitor) as error:
            raise click.ClickException(str(error)) from None
    if programs != ALL and not outcome["processes"] and not outcome["ended"]:
        raise click.ClickException(f"process {programs} is not attached to this monitor, or not yours")
    if as_json:
        click.echo(json.dumps(outcome, indent=2))
    else:
        _print(outcome, programs, timeout_s)
    return EXIT_SOME_LEFT if outcome["left"] else 0


def wait(control: Control, programs: int, timeout_s: float) -> dict[str, Any]:
    """Ask until nothing is left or the time is over; returns processes, sockets, moved and left.

    And `ended`: that there were processes, and while we waited all of them have ended, with their sockets.
    """
    deadline, pause_s = time.monotonic() + timeout_s, FIRST_PAUSE_S
    answer = control.drain(programs)
    sockets, asked = answer["before"], answer["processes"]
    while answer["left"] and time.monotonic() < deadline:
        _show_progress(len(answer["left"]), sockets)
        time.sleep(min(pause_s, max(0.0, deadline - time.monotonic())))
        pause_s = min(2 * pause_s, LAST_PAUSE_S)
        answer = control.drain(programs)
    _show_progress(0, 0)
    left, ended = answer["left"], asked > 0 and not answer["processes"]
    moved = 0 if ended else max(0, sockets - len(left))
    return {"processes": answer["processes"], "sockets": sockets, "moved": moved, "left": left, "ended": ended}


def _show_progress(left: int, sockets: int) -> None:
    """One line on a terminal, written over and over; the last call takes it away."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{f'{sockets - left} of {sockets} sockets have moved' if left else ''}", err=True, nl=False)


def _print(outcome: dict[str, Any], programs: int, timeout_s: float) -> None:
    left = outcome["left"]
    if outcome["ended"]:
        who = "every process" if programs == ALL else f"process {programs}"
        click.echo(f"{who} has ended, and its sockets with it")
        return
    click.echo(f"drained {number(outcome['processes'], 'process', 'processes')}: ", nl=False)
    click.echo(f"{number(outcome['moved'], 'socket', 'sockets')} moved to kernel TCP")
    if left:
        click.echo(f"{number(len(left), 'socket has', 'sockets have')} not moved within {timeout_s:g} s:", err=True)
    for row in left[:SHOWN_MAX]:
        name = f"{row['program']},{row['pid']},fd={row['fd']}"
        click.echo(f"  {name}  {row['local']} -> {row['peer']}  {why(row)}", err=True)
    if len(left) > SHOWN_MAX:
        click.echo(f"  and {len(left) - SHOWN_MAX} more; all with --json", err=True)


def why(row: dict[str, Any]) -> str:
    """What a socket that has not moved waits for, as far as the monitor can know."""
    if row["orphaned"]:
        return "its shared memory is not this monitor's: who made it, or the program at the other end, has ended"
    if row["receive_queue_bytes"]:
        return f"{row['receive_queue_bytes']} bytes wait to be read"
    return "it, or the program at the other end, has made no call on it"
