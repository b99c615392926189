"""`sdcore monitor`: start, stop and question the monitor."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, NoReturn

import click

from sdcore.cli.environment import check_configuration
from sdcore.cli.faults import fault
from sdcore.monitor import launch, paths
from sdcore.monitor.control import Control, NoMonitor, Refused

STOP_TIMEOUT_S = 10.0


def runtime_option(command: Any) -> Any:
    """The option that chooses another monitor than the one that programs find by themselves."""
    return click.option("--monitor-dir", metavar="DIR", help="Runtime directory of the monitor.")(command)


def runtime_of(monitor_dir: str | None) -> paths.RuntimeDir:
    """The runtime directory that an option names, or the one where programs look.

    Raises:
        click.UsageError: it cannot be one.
    """
    try:
        if monitor_dir is not None:
            return chosen_directory(monitor_dir)
        return paths.find(os.environ, os.getuid())
    except paths.RuntimeDirError as error:
        raise click.UsageError(str(error)) from None


def chosen_directory(monitor_dir: str) -> paths.RuntimeDir:
    """The runtime directory that an option names, from here if it does not say from where.

    Raises:
        RuntimeDirError: it cannot be one.
    """
    if not monitor_dir:
        raise paths.RuntimeDirError("--monitor-dir: the name is empty")
    return paths.explicit(str(Path(monitor_dir).absolute()), "--monitor-dir")


def connect(monitor_dir: str | None) -> Control:
    """A connection to the monitor.

    Raises:
        click.UsageError: the configuration is wrong; exit code 2.
        click.ClickException: none serves; exit code 1.
    """
    runtime = runtime_of(monitor_dir)
    check_configuration(os.environ, runtime)
    try:
        return Control(runtime)
    except NoMonitor as error:
        raise click.ClickException(f"{error} (start one: sdcore monitor start)") from None


def number(count: int, one: str, many: str) -> str:
    """A number of things in words."""
    return f"{count} {one if count == 1 else many}"


@click.group()
def monitor() -> None:
    """Start, stop and question the monitor, the daemon through which programs find each other.

    `sdcore run` starts one for its user when none serves.

    Example: sdcore monitor status
    """


@monitor.command()
@click.option("--system", is_flag=True, help="Serve all users, at /run/sdcore; needs root.")
@click.option("--foreground", is_flag=True, help="Do not detach; log to standard error.")
@runtime_option
def start(system: bool, foreground: bool, monitor_dir: str | None) -> None:
    """Start the monitor; return when it serves.

    Example: sudo sdcore monitor start --system
    """
    runtime = _runtime_to_start(system, monitor_dir)
    if foreground:
        _become_monitor(runtime)
    try:
        started = launch.start(runtime, os.environ)
    except launch.StartError as error:
        raise _failure(error) from None
    click.echo(f"{'serving' if started else 'another monitor serves already'} at {runtime.socket}")


def _failure(error: launch.StartError) -> click.ClickException:
    """Wrong configuration and environment are wrong use; all else is a failure."""
    return fault(str(error), wrong_use=error.exit_code == launch.EXIT_USAGE)


def _runtime_to_start(system: bool, monitor_dir: str | None) -> paths.RuntimeDir:
    if not system:
        return runtime_of(monitor_dir)
    if os.geteuid() != 0:
        raise click.UsageError("--system needs root")
    return paths.RuntimeDir(runtime_of(monitor_dir).path if monitor_dir else paths.SYSTEM_DIRECTORY, system=True)


def _become_monitor(runtime: paths.RuntimeDir) -> NoReturn:
    command = launch.command(runtime, detach=False)
    os.execve(command[0], command, launch.environment(os.environ))


@monitor.command()
@runtime_option
def stop(monitor_dir: str | None) -> None:
    """Stop the monitor; return when it has ended.

    Connections live on; new ones use kernel TCP until a monitor serves again. What goes on in shared memory is told; to
    have it moved to kernel TCP, use `sdcore drain all` before.

    Example: sdcore monitor stop
    """
    runtime = runtime_of(monitor_dir)
    with connect(monitor_dir) as control:
        try:
            sockets = sum(row["transport"] == "shm" for row in control.sockets()["sockets"])
            drained = control.status()["drained"]
            control.stop()
        except (Refused, NoMonitor) as error:
            raise click.ClickException(str(error)) from None
        control.wait_closed()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while paths.serves(runtime):
        if time.monotonic() > deadline:
            raise click.ClickException(f"the monitor agreed to stop, but still serves at {runtime.socket}")
        time.sleep(0.01)
    click.echo("stopped")
    if sockets:
        left = number(sockets, "socket", "sockets")
        click.echo(
            f"in shared memory still, and going on there: {left} (`sdcore drain all` before moves what is there)"
        )
    if drained:
        them = "it" if drained == 1 else "them"
        whom = number(drained, "process", "processes")
        click.echo(f"drained until now: {whom}; another monitor may let {them} use shared memory again")


@monitor.command()
@click.option("--json", "as_json", is_flag=True, help="Print the whole status as JSON.")
@runtime_option
def status(as_json: bool, monitor_dir: str | None) -> None:
    """Show what the monitor does; exit code 1 if none serves.

    Example: sdcore monitor status --json
    """
    with connect(monitor_dir) as control:
        try:
            document = control.status()
        except (Refused, NoMonitor) as error:
            raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    _print_status(document)


def _print_status(document: dict[str, Any]) -> None:
    """The status as two columns; groups of counters as lines of their own."""
    for name, value in document.items():
        counters = value.items() if isinstance(value, dict) else ()
        text = ", ".join(f"{key} {number}" for key, number in counters if number) or "none"
        click.echo(f"{name.replace('_', ' '):<15} {text if isinstance(value, dict) else value}")
