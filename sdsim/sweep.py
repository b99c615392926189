"""Sweeps: a scenario for every combination of some values, on all cores, into a table of comma-separated values.

A table that is there already is continued: combinations that it has are not run again, so a sweep that was broken off
goes on where it stopped. Each line is written when its run is over; a run that broke a law has the law in its last
column.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Final

MEASURES: Final = (
    "mean_us", "p99_us", "messages", "messages_per_second", "gbit_per_second", "connections",
    "connections_per_second", "faults", "simulated_us", "law_broken",
)  # fmt: skip
Values = dict[str, str]


class BadSweep(ValueError):
    """A sweep cannot be done; the text says why."""


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


def one(scenario: str, changes: Sequence[str], values: Mapping[str, str]) -> Values:
    """Run one combination; its line of the table."""
    from sdsim.run import Failed, run
    from sdsim.scenario_file import load
    from sdsim.units import US

    sets = [f"{key}={value}" for key, value in values.items() if key != "seed"]
    try:
        done = run(load(scenario, [*changes, *sets]), seed=int(values["seed"]))
    except Failed as failure:
        return {**values, "law_broken": str(failure).partition("\n")[0]}
    result = done.result
    measured = {
        "mean_us": f"{result.mean_us:.4f}", "p99_us": f"{result.percentile_us(99):.4f}",
        "messages": str(result.messages), "messages_per_second": f"{result.messages_per_second:.0f}",
        "gbit_per_second": f"{result.gbit_per_second:.4f}", "connections": str(result.connections),
        "connections_per_second": f"{result.connections_per_second:.0f}",
        "faults": str(sum(result.faults.values())), "simulated_us": f"{done.ended_ps / US:.3f}", "law_broken": "",
    }  # fmt: skip
    return {**values, **measured}


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


def sweep(
    scenario: str, changes: Sequence[str], columns: tuple[str, ...], todo: Sequence[Values], *, path: Path, jobs: int
) -> Iterator[tuple[Values, int]]:
    """Run what the table does not have; yields each line as it is written, and how many are left."""
    known = _done(path, columns)
    left = [values for values in todo if tuple(values.values()) not in known]
    with path.open("a", newline="") as file, ProcessPoolExecutor(jobs) as pool:
        writer = csv.DictWriter(file, (*columns, *MEASURES), restval="")
        if not known:
            writer.writeheader()
        runs: list[Future[Values]] = [pool.submit(one, scenario, changes, values) for values in left]
        for number, finished in enumerate(as_completed(runs), 1):
            line = finished.result()
            writer.writerow(line)
            file.flush()
            yield line, len(left) - number
