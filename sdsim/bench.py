"""A profile of a host from the report of `sdcore bench --json`, and the model against that report.

What the report measures by itself becomes a cost; what it does not keeps the published value, and says so. Measures
from which a cost was taken cannot test the model; the comparison marks them "used".

    cache_line     a round trip through a bare ring on two cores is four lines
    ring_message   8 bytes one way through the library on two cores: the slower side's work
    copy_page      4 KiB one way through the library on two cores, less what 8 bytes take and what fetching lines does
    tcp_send       8 bytes one way by kernel TCP on two cores: the slower side's work
    wake           half a round trip by kernel TCP on two cores, less sending and receiving
    system_call    not in the report: getppid in a loop, here and now, so this has to be the host of the report
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sdsim.costs import PAPER_2019, BadProfile, Figure
from sdsim.units import LINE_BYTES, PAGE_BYTES

USED: Final = {
    ("roundtrip", "bare", 8), ("stream", "shm", 8), ("stream", "shm", 4096), ("stream", "tcp", 8),
    ("roundtrip", "tcp", 8),
}  # fmt: skip
SIZES_MAX: Final = 65536
ROUNDS: Final = 20
CALLS: Final = 5000


@dataclass(frozen=True)
class Measured:
    """One number of a report: on two cores."""

    measure: str
    transport: str
    size: int
    unit: str
    value: float

    @property
    def used(self) -> bool:
        """Whether a cost of the profile was taken from it."""
        return (self.measure, self.transport, self.size) in USED


def read(path: Path) -> list[Measured]:
    """The measures of a report that the model has the causes for.

    Raises:
        BadProfile: not such a report.
    """
    try:
        rows = json.loads(path.read_text())["rows"]
        return [measured for row in rows if row["placement"] == "two" for measured in _cells(row)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadProfile(f"{path}: not a report of sdcore bench --json: {error!r}") from error


def _cells(row: Mapping[str, Any]) -> Iterator[Measured]:
    if row["measure"] in ("roundtrip", "stream", "connect"):
        for cell in row["cells"]:
            if cell["median"] is not None:
                size = row["size"] or 0
                yield Measured(row["measure"], cell["transport"], size, row["unit"], float(cell["median"]))


def system_call_ns() -> float:
    """What getppid takes: the best of some rounds, less an empty call."""
    return max(1.0, _fastest_ns(os.getppid) - _fastest_ns(_empty))


def _empty() -> None:
    """As long as nothing takes."""


def _fastest_ns(call: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        for _ in range(CALLS):
            call()
        times.append((time.perf_counter_ns() - began) / CALLS)
    return min(times)


def profile(measured: list[Measured], system_call: float) -> dict[str, Figure]:
    """Every figure of a profile.

    Raises:
        BadProfile: the report lacks a measure.
    """
    values = {(m.measure, m.transport, m.size): m.value for m in measured}
    missing = sorted(USED - set(values))
    if missing:
        raise BadProfile(f"the report lacks {missing[0]} on two cores")
    message = 1e9 / values["stream", "shm", 8]
    line = values["roundtrip", "bare", 8] * 1000 / 4
    lines = -(-PAGE_BYTES // LINE_BYTES // int(PAPER_2019["line_fills"].value))
    page = 1e9 / values["stream", "shm", 4096] - message - lines * line
    tcp = 1e9 / values["stream", "tcp", 8]
    receive = PAPER_2019["tcp_receive"].value
    wake = max(0.0, values["roundtrip", "tcp", 8] * 1000 / 2 - tcp - receive)
    taken = {
        "cache_line": Figure(line, "ns", "bench: bare round trip, a quarter"),
        "ring_message": Figure(message, "ns", "bench: 8 bytes one way"),
        "copy_page": Figure(max(0.0, page), "ns", "bench: 4 KiB one way less 8 bytes one way less fetching lines"),
        "system_call": Figure(system_call, "ns", "measured here: getppid, the best of some rounds"),
        "tcp_send": Figure(tcp, "ns", "bench: 8 bytes one way by kernel TCP"),
        "wake_least": Figure(wake, "ns", "bench: half a round trip by kernel TCP less sending and receiving"),
        "wake_most": Figure(wake, "ns", "bench: as wake_least; the report has no spread"),
    }
    rest = {name: Figure(f.value, f.unit, f"not measured here: {f.source}") for name, f in PAPER_2019.items()}
    return {**rest, **taken}


def as_toml(figures: Mapping[str, Figure]) -> str:
    """A profile file."""
    tables = [
        f"[{name}]\nvalue = {figure.value!r}\nunit = {json.dumps(figure.unit)}\nsource = {json.dumps(figure.source)}\n"
        for name, figure in figures.items()
    ]
    return "\n".join(tables)


def predict(measured: Measured, profile_path: Path) -> float | None:
    """What the model says, in the report's unit; None where it has no such system or size."""
    from sdsim.run import run
    from sdsim.scenario import Scenario

    if measured.transport not in ("shm", "tcp") or measured.size > SIZES_MAX:
        return None
    works: dict[str, dict[str, Any]] = {
        "roundtrip": {"kind": "ping-pong", "size": measured.size, "count": 100},
        "stream": {"kind": "stream", "size": measured.size, "count": 1500, "warm_up": 1000},
        "connect": {"kind": "storm", "count": 100},
    }
    content = {
        "description": "a measure of a report", "profile": str(profile_path), "workload": works[measured.measure],
        "library": {"accelerated": measured.transport == "shm"},
    }  # fmt: skip
    result = run(Scenario.model_validate_json(json.dumps(content)), check=False).result
    rates = {"stream": result.messages_per_second, "connect": result.connections_per_second}
    return rates.get(measured.measure, result.mean_us)
