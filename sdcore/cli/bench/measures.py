"""What is measured: one entry for each measure, from which points (a size, a placement) are made.

Counts are such that kernel TCP takes a few tenths of a second for a point, and they are the same for every transport:
the same calls, with the same arguments, the same number of times. The warm-up comes on top, for each of them.

    roundtrip   send a message, wait for it to come back; mean over all, and single ones in a second pass
    stream      one way, one call each for send and receive, until the receiver has confirmed the last
    connect     connect, one byte there and back, close
    many        1000 connections under one epoll server, a message outstanding on each
    memory      what the host has less of, for each open connection that was used once
    idle        CPU time of a pair that waits in recv and poll
    crowd       four pairs ping-pong on all cores: more threads want to run than there are cores
    threads     two threads of the client make round trips on one connection, in turn; who waits for his turn yields,
                which on one core is part of it: the bare ring shows how much
    family      so do a parent and its child
    beside      a round trip while two busy loops want the same core
    first-*     receive and send of a byte that is there, for the first time on a connection: by who accepted it, by a
                thread that is made for it, by a child; the difference is what handing it on costs
    redis       redis-benchmark against redis-server, GET, where redis is installed
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sdcore.cli.bench.model import Better, Placement, Transport

KIB = 1024
SIZES = (8, 64, 512, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, KIB * KIB)
QUICK_SIZES = (8, 4 * KIB, 64 * KIB, KIB * KIB)
QUICK_PART = 4
SOCKETS: tuple[Transport, ...] = ("tcp", "unix", "shm")
WITH_LIMIT: tuple[Transport, ...] = (*SOCKETS, "bare")
PINNED: tuple[Placement, ...] = ("same", "two")


@dataclass(frozen=True)
class Measure:
    """One sort of measurement.

    Attributes:
        counts: message size in bytes to timed operations; the sizes of `QUICK_SIZES` are the quick ones.
        connections: how many connections (many, memory), pairs (crowd) or clients (redis); one point for each.
        runs_max: fewer runs than asked for, where one takes long or hardly varies.
    """

    name: str
    what: str
    unit: str
    better: Better
    counts: Mapping[int, int]
    connections: tuple[int | None, ...] = (None,)
    transports: tuple[Transport, ...] = SOCKETS
    placements: tuple[Placement, ...] = PINNED
    runs_max: int = 1000


@dataclass(frozen=True)
class Point:
    """A measure at one size, number of connections and placement."""

    measure: Measure
    placement: Placement
    size: int
    count: int
    connections: int | None = None

    @property
    def warmup(self) -> int:
        """Operations before the timed ones: a tenth, at least 20; each connection twice."""
        return max(20, self.count // 10, 2 * (self.connections or 0))


ROUNDTRIP_COUNTS = dict(zip(SIZES, (3000, 3000, 3000, 3000, 2000, 1000, 400, 120), strict=True))
STREAM_COUNTS = dict(zip(SIZES, (200_000, 200_000, 160_000, 60_000, 20_000, 8000, 2000, 500), strict=True))

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("roundtrip", "round trip", "us", "lower", ROUNDTRIP_COUNTS, transports=WITH_LIMIT),
        Measure("stream", "one way, messages", "1/s", "higher", STREAM_COUNTS, transports=WITH_LIMIT),
        Measure("connect", "connections", "1/s", "higher", {8: 2000}),
        Measure("many", "echoes over many connections", "1/s", "higher", {8: 100_000}, connections=(1000,)),
        Measure(
            "memory",
            "memory of a connection",
            "B",
            "lower",
            {8: 1},
            connections=(1000,),
            placements=("two",),
            runs_max=3,
        ),
        Measure("idle", "CPU time of an idle pair in 10 s", "ms", "lower", {8: 1}, placements=("two",), runs_max=1),
        Measure(
            "crowd", "round trips of four pairs", "1/s", "higher", {8: 3000}, connections=(4,), placements=("all",)
        ),
        Measure("threads", "round trips of two threads in turn", "1/s", "higher", {8: 2000}, transports=WITH_LIMIT),
        Measure("family", "round trips of parent and child in turn", "1/s", "higher", {8: 2000}, transports=WITH_LIMIT),
        Measure("beside", "round trip beside two busy loops", "us", "lower", {8: 32_000}, placements=("same",)),
        *(
            Measure(f"first-{user}", f"first use of a connection by {what}", "us", "lower", {8: 300})
            for user, what in (("owner", "its acceptor"), ("thread", "another thread"), ("child", "a child"))
        ),
        Measure(
            "redis", "redis GET requests", "1/s", "higher", {8: 20_000}, connections=(1, 50), transports=("tcp", "shm")
        ),
    )
}
SIZED = ("roundtrip", "stream")
MESSAGES = (*SIZED, "many", "crowd")
FIRST_USE = ("first-owner", "first-thread", "first-child")
"""Measured by the server, one use at a time."""


def size_text(size: int) -> str:
    """8 B, 4 KiB, 1 MiB."""
    for unit, name in ((1024 * 1024, "MiB"), (1024, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


@dataclass(frozen=True)
class Plan:
    """What one `sdcore bench` measures, in order; see `points`."""

    names: tuple[str, ...]
    transports: tuple[Transport, ...]
    placements: tuple[Placement, ...]
    runs: int
    quick: bool
    sizes: tuple[int, ...] = field(default=())

    def points(self) -> Iterator[Point]:
        """Every point, measure by measure."""
        for name in self.names:
            measure = MEASURES[name]
            for placement in self._placements(measure):
                for connections in measure.connections:
                    for size in self._sizes(measure):
                        yield Point(measure, placement, size, self._count(measure, size), connections)

    def runs_of(self, measure: Measure) -> int:
        """How often a point of this measure is repeated."""
        return min(self.runs, measure.runs_max)

    def transports_of(self, measure: Measure) -> tuple[Transport, ...]:
        """The transports asked for that this measure knows."""
        return tuple(transport for transport in self.transports if transport in measure.transports)

    def _placements(self, measure: Measure) -> tuple[Placement, ...]:
        if len(measure.placements) > 1:
            return tuple(placement for placement in self.placements if placement in measure.placements)
        if measure.placements == ("two",) and "two" not in self.placements:
            return ("same",)
        return measure.placements

    def _sizes(self, measure: Measure) -> tuple[int, ...]:
        if measure.name not in SIZED:
            return tuple(measure.counts)
        return self.sizes or (QUICK_SIZES if self.quick else SIZES)

    def _count(self, measure: Measure, size: int) -> int:
        """Of the next size in the table, for sizes between; a quarter if it shall be quick."""
        count = next((count for known, count in measure.counts.items() if known >= size), 1)
        return max(1, count // QUICK_PART) if self.quick else count
