"""Sweeps: a scenario for every combination of some values, on all cores or on a cluster, into a table (CSV).

A table that is there already is continued: combinations that it has are not run again, so a sweep that was broken off
goes on where it stopped. Each line is written when its run is over; a run that broke a law has the law in its last
column.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sdsim.run import Run

MEASURES: Final = (
    "mean_us", "p99_us", "messages", "messages_per_second", "gbit_per_second", "connections",
    "connections_per_second", "faults", "simulated_us", "law_broken",
)  # fmt: skip
CONNECT_S: Final = 10
Values = dict[str, str]


class BadSweep(ValueError):
    """A sweep cannot be done; the text says why."""


class LostRuns(RuntimeError):
    """Whoever ran the rest is gone; the table keeps what is done."""


def combinations(over: Sequence[str], seeds: Sequence[int]) -> tuple[tuple[str, ...], list[Values]]:
    """The columns, and every combination, of `KEY=VALUE,VALUE...` and seeds."""
    axes: dict[str, list[str]] = {}
    for text in over:
        key, sign, values = text.partition("=")
        if not sign or not key or not all(values.split(",")):
            raise BadSweep(f"--over {text}: must be table.key=value,value,...")
        axes[key] = values.split(",")
    columns = (*axes, "seed")
    choices = itertools.product(*axes.values(), map(str, seeds))
    return columns, [dict(zip(columns, choice, strict=True)) for choice in choices]


Task = tuple[str, Values]
"""A scenario as JSON, so that whoever runs it needs no file of it, and its values."""
RunAll = Callable[[Sequence[Task]], Iterable[Values]]
"""Runs tasks, and gives their lines as they are done."""


def one(task: Task) -> Values:
    """Run one combination; its line of the table."""
    from sdsim.run import Failed, run
    from sdsim.scenario import Scenario

    content, values = task
    try:
        done = run(Scenario.model_validate_json(content), seed=int(values["seed"]))
    except Failed as failure:
        return {**values, "law_broken": str(failure).partition("\n")[0]}
    return {**values, **measures(done)}


def measures(done: Run) -> Values:
    """What a run measured, as texts."""
    from sdsim.units import US

    result = done.result
    return {
        "mean_us": f"{result.mean_us:.4f}", "p99_us": f"{result.percentile_us(99):.4f}",
        "messages": str(result.messages), "messages_per_second": f"{result.messages_per_second:.0f}",
        "gbit_per_second": f"{result.gbit_per_second:.4f}", "connections": str(result.connections),
        "connections_per_second": f"{result.connections_per_second:.0f}",
        "faults": str(sum(result.faults.values())), "simulated_us": f"{done.ended_ps / US:.3f}", "law_broken": "",
    }  # fmt: skip


def _done(path: Path, columns: tuple[str, ...]) -> set[tuple[str, ...]]:
    """What a table has already.

    Raises:
        BadSweep: it is the table of another sweep.
    """
    if not path.exists() or not path.stat().st_size:
        return set()
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != (*columns, *MEASURES):
            raise BadSweep(f"{path}: has other columns than this sweep; name another file")
        return {tuple(line[column] for column in columns) for line in reader}


@contextmanager
def on_cores(jobs: int) -> Iterator[RunAll]:
    """Runs tasks in processes here."""
    with ProcessPoolExecutor(jobs) as pool:

        def run_all(tasks: Sequence[Task]) -> Iterator[Values]:
            runs = [pool.submit(one, task) for task in tasks]
            try:
                yield from (run.result() for run in as_completed(runs))
            except BrokenExecutor as error:
                raise LostRuns(f"a process that ran one was killed: {error}") from error

        yield run_all


@contextmanager
def on_cluster(address: str) -> Iterator[RunAll]:
    """Runs tasks on the workers of a scheduler of Dask, which needs the extra `cluster`.

    Raises:
        BadSweep: there is no such scheduler, or nothing to talk to it with.
    """
    try:
        import distributed
    except ImportError:
        raise BadSweep("--cluster: needs Dask; allowed here: --jobs, or pip install 'socksdirect[cluster]'") from None
    try:
        client = distributed.Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise BadSweep(f"--cluster {address}: no scheduler answers there ({why})") from None

    def run_all(tasks: Sequence[Task]) -> Iterator[Values]:
        runs = client.map(one, tasks, pure=False)
        try:
            yield from (line for _, line in distributed.as_completed(runs, with_results=True))
        except (OSError, distributed.KilledWorker, CancelledError) as error:
            raise LostRuns(f"the cluster at {address} lost them: {error}") from error

    with client:
        yield run_all


def sweep(tasks: Sequence[Task], columns: tuple[str, ...], run_all: RunAll, path: Path) -> Iterator[tuple[Values, int]]:
    """Run what the table does not have; yields each line as it is written, and how many are left."""
    known = _done(path, columns)
    left = [task for task in tasks if tuple(task[1].values()) not in known]
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, (*columns, *MEASURES), restval="")
        if not known:
            writer.writeheader()
        for number, line in enumerate(run_all(left), 1):
            writer.writerow(line)
            file.flush()
            yield line, len(left) - number
