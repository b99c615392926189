"""`sdsim`: the simulator's command line.

What is slow to import is imported by the command that needs it. Exit codes: 0 done, 1 a law was broken or a figure was
missed, 2 wrong use or a wrong scenario.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from sdsim.run import Run
    from sdsim.scenario import Scenario

SETS = click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key, such as workload.size=64.")
SEED = click.option("--seed", type=click.IntRange(min=0), help="In place of the scenario's seed.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="socksdirect", prog_name="sdsim")
def main() -> None:
    """The protocol of sdcore in a simulated data centre.

    Example: sdsim run ping-pong
    """


@main.command(name="list")
def list_() -> None:
    """List the bundled scenarios."""
    from sdsim.scenario import bundled, load

    for name in bundled():
        click.echo(f"{name:24}{load(name).description}")


@main.command()
@click.argument("scenario")
@SEED
@SETS
@click.option("--trace", type=click.Path(dir_okay=False, writable=True), help="Write every transition to a file.")
@click.option("--no-check", is_flag=True, help="Do not check the laws: faster.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Run with so many seeds.")
def run(
    scenario: str, seed: int | None, changes: tuple[str, ...], trace: str | None, no_check: bool, seeds: int
) -> None:
    """Simulate SCENARIO: the name of a bundled one, or a TOML file."""
    loaded = _load(scenario, changes)
    first = loaded.seed if seed is None else seed
    for number in range(first, first + seeds):
        if trace is None:
            done = _run(scenario, loaded, number, changes, not no_check, None)
        else:
            with open(trace, "w", encoding="utf-8") as file:
                done = _run(scenario, loaded, number, changes, not no_check, file)
        if seeds == 1:
            _show(scenario, number, done)
    if seeds > 1:
        click.echo(f"{scenario}: {seeds} seeds from {first} on, no law broken")


@main.command()
@click.argument("scenario")
@click.option("--seed", type=click.IntRange(min=0), required=True, help="The seed that the failure named.")
@SETS
def replay(scenario: str, seed: int, changes: tuple[str, ...]) -> None:
    """Repeat a run with every transition on standard output."""
    _run(scenario, _load(scenario, changes), seed, changes, True, sys.stdout)


def _load(name: str, changes: tuple[str, ...]) -> Scenario:
    from sdsim.scenario import BadScenario, load

    try:
        return load(name, changes)
    except BadScenario as error:
        _stop(str(error), 2)


def _run(name: str, scenario: Scenario, seed: int, changes: tuple[str, ...], check: bool, trace: Any) -> Run:
    from sdsim.run import Failed
    from sdsim.run import run as simulate

    sets = "".join(f" --set {shlex.quote(change)}" for change in changes)
    command = f"sdsim replay {shlex.quote(name)} --seed {seed}{sets}"
    try:
        return simulate(scenario, seed=seed, check=check, trace=trace, command=command)
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


Command = Callable[..., Any]

if __name__ == "__main__":
    main()
