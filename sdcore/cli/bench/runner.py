"""The order of runs: every run measures each transport once, starting with another one each time.

So a machine that slows down, or a neighbour that wakes up, meets all transports alike, and a ratio is one of values
that were taken within seconds of each other. Each value has its own two processes and its own warm-up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sdcore.cli.bench import machine, measures, redis, summary, targets
from sdcore.cli.bench.measures import Plan, Point
from sdcore.cli.bench.memory import used_bytes
from sdcore.cli.bench.model import TITLES, Placement, Report, Row, Settings, Transport
from sdcore.cli.bench.pair import Pair, WorkerResult
from sdcore.cli.bench.routes import Route, Share

IDLE_MS, IDLE_QUICK_MS = 10_000, 2_000

Cores = tuple[int | None, int | None]


@dataclass(frozen=True)
class Value:
    """What one run of one transport gave."""

    value: float
    call_p99_us: float | None = None
    share: Share | None = None


@dataclass
class Series:
    """The values of one transport at one point, run by run."""

    values: list[Value] = field(default_factory=list)

    def calls_us(self) -> list[float]:
        """The 99th percentile of single calls of each run that has one, microseconds."""
        return [value.call_p99_us for value in self.values if value.call_p99_us is not None]

    def fell_back(self) -> str | None:
        """Why this is not to be shown as sdcore; None if it may be."""
        return next((str(value.share) for value in self.values if value.share and not value.share.enough), None)


@dataclass(frozen=True)
class Bench:
    """Runs a plan over routes.

    Attributes:
        cores: the two cores of placement "two"; the first is that of "same".
        directory: for Unix sockets and what redis writes; the caller removes it.
    """

    plan: Plan
    routes: dict[Transport, Route]
    cores: tuple[int, int]
    directory: Path

    def steps(self) -> int:
        """How many values there will be."""
        return sum(
            self.plan.runs_of(point.measure) * len(self.plan.transports_of(point.measure))
            for point in self.plan.points()
        )

    def run(self, version: str, step: Callable[[str], None]) -> Report:
        """Measure everything. Blocks for as long as it takes.

        Args:
            version: of socksdirect, for the report.
            step: called before each value with a line for the user.

        Raises:
            WorkerError: a measurement failed; the rest is not made.
        """
        started, before = datetime.now(UTC), time.monotonic()
        where = machine.describe()
        rows = tuple(self._row(point, step) for point in self.plan.points())
        return Report(
            version=version,
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - before, 1),
            machine=where,
            settings=Settings(
                quick=self.plan.quick,
                runs=self.plan.runs,
                transports=self.plan.transports,
                placements=self.plan.placements,
            ),
            rows=rows,
        )

    def _row(self, point: Point, step: Callable[[str], None]) -> Row:
        transports = self.plan.transports_of(point.measure)
        series = {transport: Series() for transport in transports}
        for run in range(self.plan.runs_of(point.measure)):
            for transport in _rotated(transports, run):
                step(f"{label(point)}, {TITLES[transport]}")
                series[transport].values.append(self._value(point, self.routes[transport]))
        return _summed_up(point, series)

    def _value(self, point: Point, route: Route) -> Value:
        """One run of one transport, with the proof of where its bytes went."""
        if point.measure.name == "redis":
            rate, share = redis.requests_per_s(point, route, self._cores(point.placement), self.directory)
            return Value(rate, share=share)
        with route.watched() as watch:
            match point.measure.name:
                case "memory":
                    value, call_us = self._memory(point, route, watch.look), None
                case "crowd":
                    value, call_us = self._crowd(point, route, watch.look), None
                case _:
                    client, server = self._pair(point, route, watch.look)
                    value, call_us = _value_of(point, client, server), _call_us(client)
        return Value(value, call_us, watch.share)

    def _open(self, point: Point, route: Route, *extra: str) -> Pair:
        return Pair(
            arguments(point, route, idle_ms=IDLE_QUICK_MS if self.plan.quick else IDLE_MS),
            route.environment,
            route.address(self.directory),
            self._cores(point.placement),
            client_arguments=extra,
        )

    def _cores(self, placement: Placement) -> Cores:
        """Server's and client's core."""
        if placement == "all":
            return None, None
        return self.cores[0], self.cores[0 if placement == "same" else 1]

    def _pair(self, point: Point, route: Route, look: Callable[[], None]) -> tuple[WorkerResult, WorkerResult]:
        with self._open(point, route) as pair:
            results = pair.results()
            look()
        return results

    def _memory(self, point: Point, route: Route, look: Callable[[], None]) -> float:
        """Bytes of a connection: the difference between many and one, see memory.py."""
        with self._open(point, route) as pair:
            pair.client.expect("base")
            before = used_bytes(pair.pids)
            pair.client.go_on()
            pair.client.expect("open")
            after = used_bytes(pair.pids)
            pair.client.go_on()
            pair.results()
            look()
        return (after - before) / (point.connections or 1)

    def _crowd(self, point: Point, route: Route, look: Callable[[], None]) -> float:
        """Round trips per second of all pairs together, which are let go at the same moment."""
        pairs: list[Pair] = []
        try:
            pairs.extend(self._open(point, route, "--wait") for _ in range(point.connections or 1))
            for pair in pairs:
                pair.client.expect("ready")
            for pair in pairs:
                pair.client.go_on()
            clients = [pair.results()[0] for pair in pairs]
            look()
        finally:
            for pair in pairs:
                pair.close()
        seconds = (max(c.end_ns for c in clients) - min(c.start_ns for c in clients)) / 1e9
        return sum(c.count for c in clients) / seconds


def arguments(point: Point, route: Route, idle_ms: int) -> list[str]:
    """The words for both workers; see worker/main.c."""
    name = "roundtrip" if point.measure.name == "crowd" else point.measure.name
    words = [name, "--transport", route.kind, "--size", str(point.size), "--count", str(point.count)]
    words += ["--warmup", str(point.warmup), "--idle-ms", str(idle_ms)]
    if point.connections and name in ("many", "memory"):
        words += ["--connections", str(point.connections)]
    if route.kind == "bare" and point.placement == "same":
        words.append("--yield")
    return words


def label(point: Point) -> str:
    """A point in a few words."""
    size = f" of {measures.size_text(point.size)}" if point.measure.name in measures.SIZED else ""
    many = f" ({point.connections})" if point.connections else ""
    return f"{point.measure.what}{size}{many}, {point.placement}"


def _rotated(transports: Sequence[Transport], run: int) -> Sequence[Transport]:
    start = run % max(1, len(transports))
    return [*transports[start:], *transports[:start]]


def _value_of(point: Point, client: WorkerResult, server: WorkerResult) -> float:
    """The value in the measure's unit."""
    if point.measure.name == "idle":
        return (client.cpu_ns + server.cpu_ns) / 1e6 * (10.0 / client.seconds)
    if point.measure.name in measures.FIRST_USE:
        return server.call_p50_ns / 1e3
    if point.measure.unit == "us":
        return client.seconds * 1e6 / client.count
    return client.count / client.seconds


def _call_us(client: WorkerResult) -> float | None:
    return client.call_p99_ns / 1e3 if client.call_p99_ns else None


def _summed_up(point: Point, series: dict[Transport, Series]) -> Row:
    better = point.measure.better
    cells = [
        summary.cell(
            transport,
            [value.value for value in one.values],
            better,
            calls_us=one.calls_us(),
            fell_back=one.fell_back(),
            shm_share=min((value.share.of_all for value in one.values if value.share), default=None),
        )
        for transport, one in series.items()
    ]
    return targets.judged(
        Row(
            measure=point.measure.name,
            placement=point.placement,
            size=point.size if point.measure.name in measures.MESSAGES else None,
            connections=point.connections,
            unit=point.measure.unit,
            better=better,
            cells=summary.with_ratios(cells, better),
        )
    )
