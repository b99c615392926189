"""The main job, shown: an unmodified redis over kernel TCP and over sdcore, in turns.

Two redis-servers run, one on the kernel and one under sdcore, each on a port of its own, and redis-benchmark asks them
alternately, so that both meet the same machine. Server and client have a core each. At the end a table and a bar chart.
Where redis is not installed, the bench's own programs are measured instead.

Run as `python -m sdcore.cli.demo`; takes about half a minute. Exit code: 0 shown, 1 something failed or did not go
through shared memory, 2 wrong use.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import click
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from rich.table import Table

from sdcore.cli.bench import machine, plots, redis, table
from sdcore.cli.bench.measures import Plan
from sdcore.cli.bench.model import PLACEMENT_TITLES, TITLES, Placement, Transport
from sdcore.cli.bench.pair import WorkerError
from sdcore.cli.bench.progress import Steps
from sdcore.cli.bench.redis import Answer, Load
from sdcore.cli.bench.routes import Route, RouteError, kernel_routes, sdcore_route
from sdcore.cli.bench.runner import Bench
from sdcore.cli.faults import OneLine, fault
from sdcore.cli.places import check_folder

TESTS = ("get", "set")
LOADS = (
    Load(clients=1, pipeline=1, requests=10_000, tests=TESTS),
    Load(clients=50, pipeline=1, requests=40_000, tests=TESTS),
    Load(clients=1, pipeline=16, requests=80_000, tests=TESTS),
    Load(clients=50, pipeline=16, requests=200_000, tests=TESTS),
)
OWN_MEASURES = ("roundtrip", "stream", "many")
WARMUP_PART = 10
NEW_ROUND_SECONDS_MAX = 40.0
COMPARED: tuple[Transport, Transport] = ("tcp", "shm")
CHART = "redis.png"


@dataclass(frozen=True)
class Line:
    """One test under one load: what redis-benchmark answered on each transport, round by round."""

    load: Load
    test: str
    answers: dict[Transport, list[Answer]] = field(default_factory=lambda: {one: [] for one in COMPARED})

    @property
    def title(self) -> str:
        """For the table."""
        return f"{self.test.upper()}, {load_title(self.load)}"

    def median(self, transport: Transport, what: str) -> float:
        """The median over rounds of a field of `Answer`."""
        return float(statistics.median(getattr(answer, what) for answer in self.answers[transport]))

    def rate_ratio(self) -> float:
        """How many times more requests a second sdcore serves."""
        return self.median("shm", "requests_per_s") / self.median("tcp", "requests_per_s")

    def latency_ratio(self) -> float:
        """How many times shorter a request takes; 0 if sdcore's is below what redis-benchmark can tell."""
        ours = self.median("shm", "mean_us")
        return self.median("tcp", "mean_us") / ours if ours else 0.0


def load_title(load: Load) -> str:
    """A load in a few words."""
    clients = "1 client" if load.clients == 1 else f"{load.clients} clients"
    return f"{clients}, -P {load.pipeline}"


@click.command(cls=OneLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    metavar="DIR",
    help="Where the chart goes.",
)
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True, help="Rounds over both transports.")
def demo(output: Path, rounds: int) -> None:
    """Run redis over kernel TCP and over sdcore in turns, and show both.

    Example: python -m sdcore.cli.demo --output results
    """
    check_folder(output, "--output")
    try:
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sdcore-demo-")))
            routes = kernel_routes() | {"shm": stack.enter_context(sdcore_route(directory))}
            if program := redis.missing():
                click.echo(f"{program} is not installed, so the bench's own programs are measured instead", err=True)
                _without_redis(routes, directory, output)
            else:
                _with_redis(routes, directory, output, rounds)
    except RouteError as error:
        raise fault(str(error), wrong_use=error.wrong_use) from error
    except WorkerError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        if error.filename is None:  # standard output, say: not a file of ours
            raise
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def _with_redis(routes: dict[Transport, Route], directory: Path, output: Path, rounds: int) -> None:
    lines, proof = _measure(routes, directory, rounds)
    table.console().print(_table(lines))
    where = machine.describe()
    click.echo(
        f"{where.cpu}, Linux {where.kernel}, kernel TCP with {where.congestion_control}; server and client on "
        f"{PLACEMENT_TITLES[_placement()]}; medians of {len(lines[0].answers['tcp'])} rounds\n{proof}"
    )
    output.mkdir(parents=True, exist_ok=True)
    _chart(lines).savefig(output / CHART, dpi=120, bbox_inches="tight")
    click.echo(f"chart: {output / CHART}")


def _placement() -> Placement:
    return "two" if len(machine.cores()) > 1 else "same"


def _measure(routes: dict[Transport, Route], directory: Path, rounds: int) -> tuple[list[Line], str]:
    """Ask both servers in turns; the lines, and what the monitor saw.

    Raises:
        WorkerError: redis failed, or sdcore's part did not go through shared memory.
    """
    server_core, client_core = machine.pair()
    lines = [Line(load, test) for load in LOADS for test in TESTS]
    with ExitStack() as stack, Steps(total=len(LOADS) * len(COMPARED) * rounds) as steps:
        ports = {
            one: stack.enter_context(redis.server(routes[one].environment, directory, server_core)) for one in COMPARED
        }
        watch = stack.enter_context(routes["shm"].watched())
        for transport, load in _turns(rounds):
            steps.step(f"{TITLES[transport]}: {load_title(load)}")
            _ask(routes[transport], ports[transport], load, client_core, lines)
        watch.look()
    if watch.share is None or not watch.share.enough:
        raise WorkerError(f"sdcore fell back to kernel TCP: {watch.share}")
    return lines, f"proof: {watch.share}"


def _turns(rounds: int) -> Iterator[tuple[Transport, Load]]:
    """Kernel first in one round, sdcore first in the next; no new round on a machine where they take long."""
    until = time.monotonic() + NEW_ROUND_SECONDS_MAX
    for number in range(rounds):
        if time.monotonic() > until:
            return
        for load in LOADS:
            for transport in COMPARED if number % 2 == 0 else reversed(COMPARED):
                yield transport, load


def _ask(route: Route, port: int, load: Load, core: int, lines: Sequence[Line]) -> None:
    warmup = Load(load.clients, load.pipeline, load.requests // WARMUP_PART, load.tests)
    redis.warm_up(route.environment, port, warmup, core)
    answers = redis.benchmark(route.environment, port, load, core)
    for line in lines:
        if line.load is load:
            line.answers[route.transport].append(answers[line.test])


def _table(lines: Sequence[Line]) -> Table:
    out = Table(title="redis, unmodified: kernel TCP and sdcore", header_style="bold")
    out.add_column("", no_wrap=True)
    for name in (
        "requests/s kernel",
        "sdcore",
        "ratio",
        "mean us kernel",
        "sdcore",
        "ratio",
        "p99 us kernel",
        "sdcore",
    ):
        out.add_column(name, justify="right")
    for line in lines:
        rates = [table.number(line.median(one, "requests_per_s")) for one in COMPARED]
        means = [table.number(line.median(one, "mean_us")) for one in COMPARED]
        worst = [table.number(line.median(one, "p99_us")) for one in COMPARED]
        ratios = (f"[bold]{line.rate_ratio():.2f}x[/]", f"[bold]{line.latency_ratio():.2f}x[/]")
        out.add_row(line.title, *rates, ratios[0], *means, ratios[1], *worst)
    return out


def _chart(lines: Sequence[Line]) -> Figure:
    """Requests a second above, mean latency below; a column for each load, since loads differ by a hundred times."""
    figure = Figure(figsize=(3.5 * len(LOADS), 7))
    grid = figure.subplots(2, len(LOADS))
    for column, load in enumerate(LOADS):
        here = [line for line in lines if line.load is load]
        _bars(grid[0][column], here, "requests_per_s", [line.rate_ratio() for line in here])
        _bars(grid[1][column], here, "mean_us", [line.latency_ratio() for line in here])
        grid[0][column].set_title(load_title(load))
    grid[0][0].set_ylabel("requests per second")
    grid[1][0].set_ylabel("mean latency, microseconds")
    grid[0][0].legend(loc="lower left")
    figure.suptitle("redis, unmodified, on kernel TCP and on sdcore")
    figure.tight_layout()
    return figure


def _bars(ax: Axes, lines: Sequence[Line], what: str, ratios: Sequence[float]) -> None:
    """Two bars for each line, the ratio above sdcore's."""
    for number, transport in enumerate(COMPARED):
        places = [place + (number - 0.5) * 0.4 for place in range(len(lines))]
        heights = [line.median(transport, what) for line in lines]
        bars = ax.bar(places, heights, 0.4, color=plots.COLOURS[transport], label=TITLES[transport])
        if transport == "shm":
            ax.bar_label(bars, [f"{ratio:.2f}x" for ratio in ratios], fontsize=9)
    ax.set_xticks(range(len(lines)), [line.test.upper() for line in lines])
    ax.yaxis.set_major_formatter(EngFormatter(sep=""))
    ax.margins(y=0.15)


def _without_redis(routes: dict[Transport, Route], directory: Path, output: Path) -> None:
    """Round trip, one way and many connections, by the programs that come with us."""
    plan = Plan(
        names=OWN_MEASURES,
        transports=("tcp", "unix", "shm"),
        placements=("two",) if len(machine.cores()) > 1 else ("same",),
        runs=3,
        quick=True,
    )
    run = Bench(plan, routes, machine.pair(), directory)
    with Steps(run.steps()) as steps:
        report = run.run(version("socksdirect"), steps.step)
    click.echo(table.header(report))
    table.console().print(table.table(report))
    for path in plots.draw(report, output):
        click.echo(f"chart: {path}")
    if report.fell_back():
        raise WorkerError("some of it did not go through shared memory")


if __name__ == "__main__":
    demo()
