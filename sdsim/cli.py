"""`sdsim`: the simulator's command line.

What is slow to import is imported by the command that needs it. Exit codes: 0 done, 1 a law was broken or a figure was
missed, 2 wrong use or a wrong scenario: one line, and nothing was begun.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sdcore.cli.faults import OneLine
from sdcore.cli.places import check_file, check_folder

if TYPE_CHECKING:
    from sdsim.lanes import Lanes
    from sdsim.run import Run
    from sdsim.scenario import Scenario


class Output(click.Path):
    """A file to write, which is refused before anything is begun if it could not be written."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; nothing is made."""
        check_file(Path(value), param.opts[0] if param else str(value))
        return Path(value)


class OutputTable(Output):
    """A table to write, of a kind that can be written here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; nothing is made."""
        from sdsim.table import BadTable, check

        path = super().convert(value, param, ctx)
        try:
            check(path)
        except BadTable as error:
            raise click.UsageError(f"{param.opts[0] if param else ''}: {error}") from None
        return path


class OutputFolder(click.Path):
    """A folder to write into, likewise."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; nothing is made."""
        check_folder(Path(value), param.opts[0] if param else str(value))
        return Path(value)


class Simulator(OneLine, click.Group):
    """The group of all commands."""

    program = "sdsim"


@contextmanager
def writing(option: str, path: Path) -> Iterator[None]:
    """What cannot be written in spite of all checks, for the disk is full, is told in one line."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{option}: {path} cannot be written: {error.strerror}") from None


SETS = click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key, such as workload.size=64."
)
HTML = click.option("--html", type=Output(), help="Write a report, one file that needs nothing else.")
SEED = click.option("--seed", type=click.IntRange(min=0), help="In place of the scenario's seed.")


@click.group(cls=Simulator, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="socksdirect", prog_name="sdsim")
def main() -> None:
    """The protocol of sdcore in a simulated data centre.

    Example: sdsim run ping-pong
    """


@main.command(name="list")
def list_() -> None:
    """List the bundled scenarios."""
    from sdsim.scenario_file import bundled, load

    for name in bundled():
        click.echo(f"{name:24}{load(name).description}")


@main.command()
@click.argument("scenario")
@SEED
@SETS
@click.option("--trace", type=Output(), help="Write every transition to a file.")
@click.option("--perfetto", type=Output(), help="Write a trace that Perfetto opens.")
@click.option("--table", type=OutputTable(), help="Write the measures as a table of one line, .csv or .parquet.")
@click.option("--latencies", type=OutputTable(), help="Write every latency, .csv or .parquet.")
@HTML
@click.option("--no-check", is_flag=True, help="Do not check the laws: faster.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Run with so many seeds.")
def run(
    scenario: str, *, seed: int | None, changes: tuple[str, ...], no_check: bool, seeds: int, **outputs: Path | None,
) -> None:  # fmt: skip
    """Simulate SCENARIO: the name of a bundled one, or a TOML file."""
    chosen = {f"--{option}": path for option, path in outputs.items() if path is not None}
    _refuse_mixed(chosen, seeds)
    loaded = _load(scenario, changes)
    first = loaded.seed if seed is None else seed
    if seeds == 1:
        _run_one(scenario, loaded, first, changes, check=not no_check, outputs=chosen)
        return
    for number in range(first, first + seeds):
        _run(scenario, loaded, number, changes, check=not no_check)
    click.echo(f"{scenario}: {seeds} seeds from {first} on, no law broken")


def _refuse_mixed(outputs: dict[str, Path], seeds: int) -> None:
    """Each output is of one run, and in a file of its own."""
    if outputs and seeds > 1:
        raise click.UsageError(f"{next(iter(outputs))}: of one run only; allowed: --seeds 1, or --seed")
    places: dict[Path, str] = {}
    for option, path in outputs.items():
        other = places.setdefault(path.resolve(), option)
        if other != option:
            raise click.UsageError(f"{option}: {path} is the file of {other}, too; name another")


def _run_one(
    name: str, scenario: Scenario, seed: int, changes: tuple[str, ...], *, check: bool, outputs: dict[str, Path]
) -> None:
    from sdsim.lanes import Lanes

    lanes = Lanes() if "--perfetto" in outputs else None
    trace = outputs.pop("--trace", None)
    if trace is None:
        done = _run(name, scenario, seed, changes, check=check, lanes=lanes)
    else:
        with writing("--trace", trace), trace.open("w", encoding="utf-8") as file:
            done = _run(name, scenario, seed, changes, check=check, trace=file, lanes=lanes)
    _show(name, seed, done)
    for option, path in outputs.items():
        with writing(option, path):
            _write(option, path, done, (name, seed, changes))


def _write(option: str, path: Path, done: Run, what: tuple[str, int, tuple[str, ...]]) -> None:
    """What is written of a run that is over."""
    if option == "--html":
        from sdsim.html import of_run

        path.write_text(of_run(what[0], what[1], done, f"sdsim run {_arguments(*what)}"), encoding="utf-8")
    elif option == "--perfetto":
        assert done.world.lanes is not None
        done.world.lanes.write(path, done.world.head())
    else:
        from sdsim.sweep import measures
        from sdsim.table import typed, write

        latencies = {"latency_ps": done.result.latencies_ps}
        write(path, latencies if option == "--latencies" else typed([{"seed": str(what[1]), **measures(done)}]))


def _arguments(scenario: str, seed: int, changes: tuple[str, ...]) -> str:
    sets = "".join(f" --set {shlex.quote(change)}" for change in changes)
    return f"{shlex.quote(scenario)} --seed {seed}{sets}"


@main.command()
@click.argument("scenario")
@click.option("--seed", type=click.IntRange(min=0), required=True, help="The seed that the failure named.")
@SETS
def replay(scenario: str, seed: int, changes: tuple[str, ...]) -> None:
    """Repeat a run with every transition on standard output."""
    _run(scenario, _load(scenario, changes), seed, changes, trace=sys.stdout)


@main.command()
@click.argument("worlds", nargs=-1, metavar="[WORLD]...")
@click.option("--list", "only_list", is_flag=True, help="List the worlds.")
@click.option("--most", type=click.IntRange(min=1), default=5_000_000, show_default=True, help="Worlds to visit.")
@click.option("--mermaid", is_flag=True, help="Draw a counterexample as a Mermaid sequence diagram.")
def explore(worlds: tuple[str, ...], only_list: bool, most: int, mermaid: bool) -> None:
    """Visit every order of events of small worlds; without WORLD, of all but the slow ones."""
    from sdsim.explore.models import MODELS, SLOW

    unknown = [name for name in worlds if name not in MODELS]
    if unknown:
        raise click.UsageError(f"{unknown[0]}: no such world; allowed are {', '.join(MODELS)}")
    if only_list:
        for name, (text, _) in MODELS.items():
            click.echo(f"{name:20}{text}")
        return
    fine = [_explore(name, most, mermaid) for name in worlds or [name for name in MODELS if name not in SLOW]]
    sys.exit(0 if all(fine) else 1)


def _explore(name: str, most: int, mermaid: bool) -> bool:
    from sdsim.explore.chart import as_mermaid, as_text
    from sdsim.explore.engine import explore as visit
    from sdsim.explore.engine import tables
    from sdsim.explore.models import MODELS

    model = MODELS[name][1](tables({}))
    found = visit(model, most)
    click.echo(f"{name:20}{found.worlds:>10} worlds {found.steps:>10} steps, depth {found.depth}", nl=False)
    click.echo("" if found.complete else "  (not all visited)")
    if found.fault is not None:
        click.echo((as_mermaid if mermaid else as_text)(found.fault, model.parties))
    return found.fault is None


@main.command()
@click.argument("figures", nargs=-1)
@click.option("--quick", is_flag=True, help="Every second point and fewer messages.")
@click.option("--plots", type=OutputFolder(), help="Write a plot of each figure (SVG) into this folder.")
def compare(figures: tuple[str, ...], quick: bool, plots: Path | None) -> None:
    """Compare the model with the paper's plotted points (profile paper-2019), point by point."""
    from sdsim.compare import MODELLED, compare_all, plot, show

    unknown = [name for name in figures if name not in MODELLED]
    if unknown:
        raise click.UsageError(f"{unknown[0]}: not a figure that is modelled; allowed are {', '.join(MODELLED)}")
    points = compare_all(figures or tuple(MODELLED), quick=quick)
    show(points)
    if plots is not None:
        with writing("--plots", plots):
            plot(points, plots)


@main.command()
@click.argument("scenario")
@click.option("--over", multiple=True, required=True, metavar="KEY=VALUE,...", help="Values of a key; may be repeated.")
@SETS
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Seeds of each combination.")
@click.option("--out", type=Output(), required=True, help="The table (CSV).")
@HTML
@click.option("--parquet", type=OutputTable(), help="Write the whole table once more, with a type for each column.")
@click.option("--jobs", type=click.IntRange(min=1), help="Runs at a time; all cores if left out.")
@click.option("--cluster", metavar="ADDRESS", help="Run on the workers of this scheduler of Dask, tcp://HOST:PORT.")
def sweep(
    scenario: str,
    *,
    over: tuple[str, ...],
    changes: tuple[str, ...],
    seeds: int,
    out: Path,
    html: Path | None,
    parquet: Path | None,
    jobs: int | None,
    cluster: str | None,
) -> None:
    """Simulate SCENARIO with every combination of some values; goes on where it was broken off."""
    from rich.progress import Progress

    from sdsim.sweep import BadSweep, LostRuns, combinations, on_cluster, on_cores
    from sdsim.sweep import sweep as sweep_all

    also = {option: path for option, path in (("--html", html), ("--parquet", parquet)) if path is not None}
    _refuse_mixed({"--out": out, **also}, seeds=1)
    if cluster is not None and jobs is not None:
        raise click.UsageError("--jobs: the cluster has as many as it has workers; leave it out")
    try:
        columns, todo = combinations(over, range(1, seeds + 1))
        tasks = [(_load_one(scenario, changes, values), values) for values in todo]
        broken = 0
        runs = on_cores(jobs or os.cpu_count() or 1) if cluster is None else on_cluster(cluster)
        with runs as run_all, writing("--out", out), Progress() as progress:
            bar = progress.add_task(scenario, total=len(todo))
            for line, left in sweep_all(tasks, columns, run_all, out):
                broken += bool(line["law_broken"])
                progress.update(bar, completed=len(todo) - left)
    except BadSweep as error:
        raise click.UsageError(str(error)) from None
    except LostRuns as error:
        raise click.ClickException(f"{error}; {out} keeps what is done, and the same command goes on") from None
    for option, path in also.items():
        with writing(option, path):
            _write_sweep(option, path, scenario, columns, out)
    click.echo(f"{out}: {len(todo)} combinations, {broken} of this time's runs broke a law")
    sys.exit(1 if broken else 0)


def _load_one(scenario: str, changes: tuple[str, ...], values: dict[str, str]) -> str:
    over = [f"{key}={value}" for key, value in values.items() if key != "seed"]
    return _load(scenario, changes, over).model_dump_json()


def _write_sweep(option: str, path: Path, scenario: str, columns: tuple[str, ...], table: Path) -> None:
    import csv

    from sdsim.html import of_sweep
    from sdsim.table import typed, write

    with table.open(newline="") as file:
        lines = list(csv.DictReader(file))
    if option == "--html":
        path.write_text(of_sweep(scenario, columns, lines), encoding="utf-8")
    else:
        write(path, typed(lines))


@main.command(name="this-host")
@click.argument("report", type=click.Path(exists=True, dir_okay=False))
@click.option("--profile", "path", type=Output(), required=True, help="File to write.")
def this_host(report: str, path: Path) -> None:
    """Make a profile from a REPORT of `sdcore bench --json`, and compare the model with the report."""
    from sdsim.bench import as_toml, predict, profile, read, system_call_ns
    from sdsim.costs import BadProfile

    try:
        measured = read(Path(report))
        text = as_toml(profile(measured, system_call_ns()))
    except BadProfile as error:
        raise click.UsageError(str(error)) from None
    with writing("--profile", path):
        path.write_text(text)
    good = judged = 0
    for one in measured:
        model = predict(one, path)
        if model is None:
            continue
        off = 100 * (model - one.value) / one.value
        mark = "used" if one.used else "" if abs(off) <= 25 else "MISS"
        judged, good = judged + (not one.used), good + (not one.used and abs(off) <= 25)
        text = f"{one.measure:10} {one.transport:4} {one.size:>7} {one.value:>14.5g} {model:>14.5g} {one.unit:4}"
        click.echo(f"{text} {off:>+6.0f} % {mark}")
    click.echo(f"{good} of {judged} measures that no cost was taken from within 25 %")


@main.command()
@click.argument("machines", nargs=-1, metavar="[MACHINE]...")
@click.option("--survivors", is_flag=True, help="List the mutants that nobody noticed.")
def mutate(machines: tuple[str, ...], survivors: bool) -> None:
    """Change every row of every table, and count which changes explorations and runs notice. Takes minutes."""
    from sdsim.mutate import judge_all
    from sdsim.world import TABLES

    unknown = [name for name in machines if name not in TABLES]
    if unknown:
        raise click.UsageError(f"{unknown[0]}: no such machine; allowed are {', '.join(TABLES)}")
    for name in machines or tuple(TABLES):
        verdicts = list(judge_all((name,)))
        never = sum(verdict.killer is None for verdict in verdicts)
        killed = sum(bool(verdict.killer) for verdict in verdicts)
        same = sum(verdict.killer == "" and bool(verdict.excuse) for verdict in verdicts)
        taken = len(verdicts) - never
        click.echo(
            f"{name:18}{killed:>5} of {taken} killed, {same} equivalent, {never} in rows that are never taken here"
        )
        for verdict in verdicts:
            if survivors and verdict.killer == "":
                click.echo(f"    survives: {verdict.mutant.kind}: {verdict.mutant.row}")
                if verdict.excuse:
                    click.echo(f"        equivalent: {verdict.excuse}")


@main.command()
@click.option("--count", type=click.IntRange(min=100), default=20_000, show_default=True, help="Messages of each load.")
def speed(count: int) -> None:
    """Measure the simulator itself: simulated messages a second, with SimPy's bare event rate beside it."""
    from sdsim.speed import measure

    for one in measure(count):
        steps = f"{one.steps:8.1f} steps of machines each" if one.steps else ""
        click.echo(f"{one.name:28}{one.per_second:>12,.0f} /s{steps}")


@main.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def conform(logs: tuple[Path, ...]) -> None:
    """Check that the logs of `sdcore run --record` are a possible history of the machines.

    Give the logs of all programs that talked to each other: then pairs of machines that share memory are judged
    together. The first line that cannot be is shown. Exit code 1: such a line was found; 2: a file is no log.
    """
    from sdsim.conform.history import Offence
    from sdsim.conform.judge import judge
    from sdsim.conform.log import BadLog

    try:
        found = judge(logs)
    except BadLog as error:
        raise click.UsageError(str(error)) from None
    except Offence as offence:
        _stop(f"not a possible history:\n{offence}", 1)
    for machine, lines in found.lines.items():
        click.echo(f"{machine:18}{lines:>12} lines")
    click.echo(
        f"a possible history: {sum(found.lines.values())} lines of {found.processes} processes, {found.rows} different "
        f"rows, {found.connections} connections: of {found.whole} both ends, {found.withdrawn} offers taken back, "
        f"{found.unserved} never seen by a server"
    )
    if found.again:
        click.echo(f"{found.again} steps were taken again, since a killed process had only announced them")
    if found.failed:
        click.echo(f"the recording is cut short: {os.strerror(found.failed)}")


def _load(name: str, changes: tuple[str, ...], over: Sequence[str] = ()) -> Scenario:
    from sdsim.scenario_file import BadScenario, load

    try:
        return load(name, changes, over)
    except BadScenario as error:
        raise click.UsageError(str(error)) from None


def _run(
    name: str, scenario: Scenario, seed: int, changes: tuple[str, ...], *, check: bool = True, trace: Any = None,
    lanes: Lanes | None = None,
) -> Run:  # fmt: skip
    from sdsim.aggregate import NotAggregate
    from sdsim.faults import NoProcess
    from sdsim.run import Failed
    from sdsim.run import run as simulate
    from sdsim.scenario_file import place_of

    command = f"sdsim replay {_arguments(name, seed, changes)}"
    try:
        return simulate(scenario, seed=seed, check=check, trace=trace, lanes=lanes, command=command)
    except NotAggregate as refused:
        raise click.ClickException(str(refused)) from None
    except NoProcess as wrong:
        place = place_of(name, changes, ("fault", wrong.fault, "process"))
        raise click.UsageError(f"{place}: {wrong}") from None
    except Failed as failure:
        _stop(str(failure), 1)


def _stop(text: str, code: int) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(code)


def _show(name: str, seed: int, done: Run) -> None:
    from rich.console import Console
    from rich.table import Table

    from sdsim.units import text_of

    result = done.result
    table = Table(title=f"{name}, seed {seed}", show_header=False)
    rows: list[tuple[str, str]] = [("simulated time", text_of(done.ended_ps))]
    if done.estimate is not None:
        rows.append(("in detail", f"{done.estimate.messages} messages; rate within {done.estimate.percent:.1f} %"))
    if result.latencies_ps:
        rows.append(("latency, mean", f"{result.mean_us:.3f} us"))
        rows.append(("latency, p1 / p99", f"{result.percentile_us(1):.3f} / {result.percentile_us(99):.3f} us"))
    rows.append(("messages", f"{result.messages} ({result.messages_per_second:,.0f}/s)"))
    rows.append(("bandwidth", f"{result.gbit_per_second:.3f} Gbit/s"))
    rows.append(("connections", f"{result.connections} ({result.connections_per_second:,.0f}/s)"))
    rows += [(f"carried by {mode}", str(number)) for mode, number in sorted(result.modes.items())]
    rows += [(f"programs got {fault}", str(number)) for fault, number in sorted(result.faults.items())]
    rows.append(("rows of tables taken", str(len(done.world.rows))))
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
