"""`sdcore run`: start a monitor if none serves, set the preload, and become the program."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import NoReturn

import click

from sdcore.cli.environment import check_configuration, check_disable
from sdcore.cli.monitor import runtime_of
from sdcore.monitor import launch, paths
from sdcore.native import LibraryNotFoundError, library_path, recording_library_path

EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--monitor-dir", metavar="DIR", help="Runtime directory of the monitor to use; default as in the manual.")
@click.option(
    "--record",
    metavar="FILE",
    help="Log every transition of the protocol's machines into FILE, which must not exist yet.",
)
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(monitor_dir: str | None, record: str | None, program: str, arguments: tuple[str, ...]) -> None:
    """Run PROGRAM with ARGUMENTS, its TCP sockets in user space.

    Connections to programs on this host that run under sdcore, too, go through shared memory; all others are kernel
    TCP as ever. A monitor for this user is started if none serves. The exit code is the program's; 127 if there is no
    such program, 126 if it cannot be executed.

    With --record the program and all that it starts write one log, which `sdsim conform` judges. A transition takes
    some tenths of a microsecond more then, and 64 bytes of the file.

    Example: sdcore run -- redis-server --port 7000
    """
    if not program:
        raise click.UsageError("PROGRAM: the name is empty")
    environ = dict(os.environ)
    check_disable(environ)
    preload(environ, recording=record is not None)
    runtime = _runtime(environ, monitor_dir)
    if record is None:
        _provide_monitor(environ, runtime)
        become(program, arguments, environ)
    log = _new_log(Path(record))
    environ["SDCORE_RECORD"] = str(log)
    try:
        _provide_monitor(environ, runtime)
        become(program, arguments, environ)
    finally:
        log.unlink()  # only reached if there is no program to write it


def _new_log(path: Path) -> Path:
    """Make an empty log. An existing one is never overwritten: it may be all that is left of a run."""
    from sdcore.protocol import record as log
    from sdcore.protocol.machines import MACHINES

    try:
        with path.open("xb") as file:
            file.write(log.empty(MACHINES))
    except FileExistsError:
        raise click.UsageError(f"--record: {path} exists already") from None
    except OSError as error:
        raise click.UsageError(f"--record: {path} cannot be written: {error.strerror}") from None
    return path.absolute()


def preload(environ: MutableMapping[str, str], *, recording: bool = False) -> None:
    """Put the library, or its variant that logs transitions, before what is preloaded already.

    Raises:
        click.UsageError: there is no library, or the loader could not read its path.
    """
    try:
        library = str(recording_library_path() if recording else library_path())
    except LibraryNotFoundError as error:
        raise click.UsageError(str(error)) from None
    if any(separator in library for separator in ": "):
        raise click.UsageError(f"{library}: the dynamic loader cannot preload a path with a space or a colon")
    others = [path for path in environ.get("LD_PRELOAD", "").replace(":", " ").split() if path != library]
    environ["LD_PRELOAD"] = " ".join([library, *others])


def _runtime(environ: MutableMapping[str, str], monitor_dir: str | None) -> paths.RuntimeDir:
    """Where the program will look for its monitor."""
    runtime = runtime_of(monitor_dir)
    if monitor_dir is not None:
        environ["SDCORE_RUNTIME_DIR"] = str(runtime.path)
    return runtime


def _provide_monitor(environ: Mapping[str, str], runtime: paths.RuntimeDir) -> None:
    """See to it that a monitor serves. Without one the program still runs, on kernel TCP."""
    if paths.serves(runtime):
        check_configuration(environ, runtime)  # one that starts checks it by itself
        return
    try:
        launch.start(runtime, environ)
    except launch.StartError as error:
        if error.exit_code == launch.EXIT_USAGE:
            raise click.UsageError(str(error)) from None
        click.echo(f"sdcore: no monitor, so all connections use kernel TCP: {error}", err=True)


def become(program: str, arguments: tuple[str, ...], environ: MutableMapping[str, str]) -> NoReturn:
    """Replace this process by the program."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(program, [program, *arguments], environ)
    except (FileNotFoundError, NotADirectoryError):
        click.echo(f"sdcore: {program}: no such program", err=True)
        sys.exit(EXIT_NOT_FOUND)
    except OSError as error:
        click.echo(f"sdcore: {program}: cannot be executed: {error.strerror}", err=True)
        sys.exit(EXIT_NOT_EXECUTABLE)
