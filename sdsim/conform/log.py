"""Reading the logs of a run: the lines of all threads of all processes, in the order of time.

What cannot be a log that the library wrote is refused here: a line that is missing in the middle of a chunk, tables of
another version. A process that was killed may leave its last line unwritten, and no more.
"""

from __future__ import annotations

import heapq
import mmap
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from sdcore.protocol import record
from sdcore.protocol.machines import MACHINES
from sdcore.protocol.struct_kit import LayoutError

_LINE: Final = struct.Struct("<QQIBBBBHHIQQQI4x")
assert _LINE.size == record.LINE_BYTES

START, SET, BIND = record.START, record.SET, record.BIND
_NUMBERS: Final = {const.name: const.value for const in record.CONSTANTS}


class BadLog(ValueError):
    """A file is no log, or not a whole one; the text says which and where."""


NO_EVENTS: Final = frozenset({START, SET, BIND})


class Line(NamedTuple):
    """One line of a log: `record.LINE`, and whose it is."""

    time_ns: int
    instance: int
    step: int
    machine: int
    event: int
    before: int
    after: int
    row: int
    flags: int
    effects: int
    arg: int
    register_0: int
    register_1: int
    mark: int
    chunk: Chunk


@dataclass(frozen=True, eq=False)
class Chunk:
    """Lines of one thread.

    Attributes:
        log: number of the file among those that are judged.
        ended: the process left in order, so that nothing of it is missing.
    """

    log: int
    path: Path
    number: int
    process: int
    parent: int
    pid: int
    tid: int
    used: int
    ended: bool

    def __lt__(self, other: Chunk) -> bool:
        return (self.log, self.number) < (other.log, other.number)

    def place(self, mark: int) -> str:
        """Where a line stands: file and number of the line in it, from 1 on for each chunk."""
        return f"{self.path}: chunk {self.number}, line {mark} (process {self.pid}, thread {self.tid})"


class Log:
    """One file.

    Raises:
        BadLog: see there.
    """

    def __init__(self, path: Path, number: int = 0) -> None:
        self.path = path
        self.number = number
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < record.CHUNK_BYTES:
                raise BadLog(f"{path}: not a log of a run")
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._check_head()
        claimed = self.head.chunks
        self.chunks = [chunk for chunk in map(self._chunk, range(1, min(claimed, size // record.CHUNK_BYTES))) if chunk]
        self.ended = {chunk.process for chunk in self.chunks if chunk.ended}

    def _check_head(self) -> None:
        try:
            self.head = record.HEAD.unpack(self._data[: record.HEAD.size])
        except LayoutError as error:
            raise BadLog(f"{self.path}: not a log of a run: {error}") from None
        if self.head.magic != _NUMBERS["RECORD_MAGIC"] or self.head.version != _NUMBERS["RECORD_VERSION"]:
            raise BadLog(f"{self.path}: not a log of a run")
        if self.head.tables != record.checksum(MACHINES):
            raise BadLog(f"{self.path}: recorded with other tables than these; use the version that recorded it")

    def _chunk(self, number: int) -> Chunk | None:
        """A chunk that was claimed and never written to belongs to a thread that was killed right there."""
        start = number * record.CHUNK_BYTES
        head = record.CHUNK.unpack(self._data[start : start + record.CHUNK.size])
        if head.magic != _NUMBERS["RECORD_MAGIC"]:
            return None
        used = min(head.used, record.LINES)
        return Chunk(
            self.number, self.path, number, head.process, head.parent, head.pid, head.tid, used, bool(head.ended)
        )

    def lines(self) -> Iterator[Iterator[Line]]:
        """For each thread its lines, in the order of time."""
        threads: dict[tuple[int, int], list[Chunk]] = defaultdict(list)
        for chunk in self.chunks:
            threads[chunk.process, chunk.tid].append(chunk)
        return (self._thread(chunks) for chunks in threads.values())

    def _thread(self, chunks: Sequence[Chunk]) -> Iterator[Line]:
        for chunk in chunks:
            yield from self._lines_of(chunk, last=chunk is chunks[-1])

    def _lines_of(self, chunk: Chunk, *, last: bool) -> list[Line]:
        start = chunk.number * record.CHUNK_BYTES + record.LINE_BYTES
        data = self._data[start : start + chunk.used * record.LINE_BYTES]
        lines = [Line._make((*values, chunk)) for values in _LINE.iter_unpack(data)]
        if any(line.mark != place for place, line in enumerate(lines, 1)):
            lines = self._without_unfinished(chunk, lines, last=last)
        lines.sort()
        return lines

    def _without_unfinished(self, chunk: Chunk, lines: list[Line], *, last: bool) -> list[Line]:
        """A killed thread leaves one line unwritten; behind it only a handler that interrupted it may have written."""
        bad = next(place for place, line in enumerate(lines, 1) if line.mark != place)
        behind = lines[bad:]
        nested = all(
            line.mark in (0, place) and line.flags & record.NESTED for place, line in enumerate(behind, bad + 1)
        )
        if not last or chunk.process in self.ended or lines[bad - 1].mark or not nested:
            raise BadLog(f"{chunk.place(bad)}: this line is missing")
        return [line for line in lines if line.mark]


def merged(logs: Sequence[Log]) -> Iterator[Line]:
    """All lines in the order of time."""
    return heapq.merge(*(thread for log in logs for thread in log.lines()))
