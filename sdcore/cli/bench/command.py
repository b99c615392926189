"""`sdcore bench`: the command line of the measurements."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import click
from pydantic import ValidationError

from sdcore.cli.bench import machine, redis, table
from sdcore.cli.bench import plots as pictures
from sdcore.cli.bench.measures import MEASURES, SIZES, Plan
from sdcore.cli.bench.model import Placement, Report, Transport
from sdcore.cli.bench.pair import WorkerError
from sdcore.cli.bench.progress import Steps
from sdcore.cli.bench.routes import Route, RouteError, kernel_routes, sdcore_route
from sdcore.cli.bench.runner import Bench
from sdcore.cli.faults import fault
from sdcore.cli.places import check_file, check_folder

DEFAULT_RUNS, DEFAULT_QUICK_RUNS = 7, 3
PLACEMENTS: dict[str, tuple[Placement, ...]] = {"same": ("same",), "two": ("two",), "both": ("same", "two")}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*MEASURES]), metavar="[NAMES]...")
@click.option("--quick", is_flag=True, help="Fewer sizes, operations and runs; about a minute, less exact.")
@click.option("--runs", type=click.IntRange(1, 1000), help="Runs of each measure. Default 7, with --quick 3.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write the report as JSON; - is standard output, without the table.",
)
@click.option("--plots", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write PNG plots there.")
@click.option(
    "--placement",
    type=click.Choice([*PLACEMENTS]),
    default="both",
    show_default=True,
    help="Client and server on the same core, on two cores, or both in turn.",
)
@click.option(
    "--transport",
    default="tcp,unix,shm,bare",
    show_default=True,
    metavar="LIST",
    help="Which to compare; shm is sdcore, bare a ring without sockets.",
)
@click.option("--sizes", default="", metavar="LIST", help="Message sizes in bytes, for roundtrip and stream.")
@click.option(
    "--load",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Measure nothing; show a report that --json wrote.",
)
@click.option("--schema", is_flag=True, help="Print the JSON schema of the report and do nothing else.")
def bench(
    *,
    names: tuple[str, ...],
    quick: bool,
    runs: int | None,
    json_file: str | None,
    plots: Path | None,
    placement: str,
    transport: str,
    sizes: str,
    load: Path | None,
    schema: bool,
) -> None:
    """Measure kernel TCP, Unix sockets and sdcore against each other, in turns, with the same calls.

    NAMES are measures: roundtrip, stream, connect, many, memory, idle, crowd, threads, family, beside, first-owner,
    first-thread, first-child, redis; all of them by default (about a quarter of an hour). Every process is pinned.
    A run that did not go through shared memory is shown as FELL BACK, not as sdcore.

    Exit code: 0 measured, 1 something could not be measured or fell back, 2 wrong use. A missed target is no failure.

    Example: sdcore bench --quick roundtrip stream --json report.json --plots plots
    """
    if schema:
        click.echo(json.dumps(Report.model_json_schema(), indent=2))
        return
    if json_file not in (None, "-"):
        check_file(Path(str(json_file)), "--json")
    if plots is not None:
        check_folder(plots, "--plots")
    report = (
        _load(load)
        if load is not None
        else _measure(_plan(names=names, quick=quick, runs=runs, placement=placement, transport=transport, sizes=sizes))
    )
    _show(report, json_file, plots)
    if report.fell_back():
        raise SystemExit(1)


def _plan(*, names: tuple[str, ...], quick: bool, runs: int | None, placement: str, transport: str, sizes: str) -> Plan:
    """Check what was asked for against this machine."""
    placements = PLACEMENTS[placement]
    if len(machine.cores()) < 2:
        if placement == "two":
            raise click.UsageError("--placement two: this process may use one core only")
        placements = ("same",)
    chosen = names or tuple(MEASURES)
    if "redis" in chosen and (program := redis.missing()):
        if names:
            raise click.UsageError(f"redis: {program} is not installed")
        click.echo(f"sdcore bench: redis is left out: {program} is not installed", err=True)
        chosen = tuple(name for name in chosen if name != "redis")
    plan = Plan(
        names=tuple(dict.fromkeys(chosen)),
        transports=_transports(transport),
        placements=placements,
        runs=runs or (DEFAULT_QUICK_RUNS if quick else DEFAULT_RUNS),
        quick=quick,
        sizes=_sizes(sizes),
    )
    _refuse_nothing(plan, names)
    return plan


def _refuse_nothing(plan: Plan, asked: tuple[str, ...]) -> None:
    """A measure that was asked for by name must be one of the transports'."""
    for name in asked:
        if not plan.transports_of(MEASURES[name]):
            known = ", ".join(MEASURES[name].transports)
            raise click.UsageError(f"--transport {','.join(plan.transports)}: {name} is measured on {known} only")


def _transports(text: str) -> tuple[Transport, ...]:
    chosen = [word.strip() for word in text.split(",")]
    known: tuple[Transport, ...] = get_args(Transport)
    if unknown := [word for word in chosen if word not in known]:
        raise click.UsageError(f"--transport: {unknown[0]!r} is none of {', '.join(known)}")
    return tuple(transport for transport in known if transport in chosen)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(word) for word in text.split(",") if text)
    except ValueError:
        raise click.UsageError(f"--sizes: {text!r} is not a list of numbers") from None
    if any(not 0 < size <= SIZES[-1] for size in sizes):
        raise click.UsageError(f"--sizes: from 1 to {SIZES[-1]} bytes")
    return sizes


def _measure(plan: Plan) -> Report:
    """Measure, with progress on standard error.

    Raises:
        click.ClickException: something could not be measured.
    """
    try:
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sdcore-bench-")))
            routes: dict[Transport, Route] = kernel_routes()
            if "shm" in plan.transports:
                routes["shm"] = stack.enter_context(sdcore_route(directory))
            run = Bench(plan, routes, machine.pair(), directory)
            with Steps(run.steps()) as steps:
                return run.run(version("socksdirect"), steps.step)
    except RouteError as error:
        raise fault(str(error), wrong_use=error.wrong_use) from error
    except WorkerError as error:
        raise click.ClickException(str(error)) from error


def _load(path: Path) -> Report:
    try:
        return Report.model_validate_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        why = str(error).splitlines()[0]
        raise click.UsageError(f"--load: {path} is not a report of sdcore bench: {why}") from None


def _show(report: Report, json_file: str | None, plots: Path | None) -> None:
    text = report.model_dump_json(indent=2) + "\n"
    if json_file == "-":
        click.echo(text, nl=False)
    else:
        console = table.console()
        console.print(table.header(report), highlight=False)
        console.print(table.table(report))
    try:
        if json_file not in (None, "-"):
            Path(str(json_file)).write_text(text, "utf-8")
        if plots is not None:
            _draw(report, plots)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: cannot be written: {error.strerror}") from None


def _draw(report: Report, directory: Path) -> None:
    for path in pictures.draw(report, directory):
        click.echo(f"wrote {path}", err=True)
