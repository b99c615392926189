"""A host whose programs write one log of their transitions, and changes of such a log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sdcore.native import recording_library_path
from sdcore.protocol import record
from sdcore.protocol.machines import MACHINES
from sdsim.conform.log import Line, Log, merged
from tests.support.host import Host

LONG = os.environ.get("SDCORE_CONFORMANCE") == "long"


class RecordingHost(Host):
    """Every program with the library is recorded, all of them into `log`."""

    def __init__(self) -> None:
        super().__init__()
        self.library = recording_library_path()
        self.log = self.directory.with_suffix(".transitions")
        self.log.write_bytes(record.empty(MACHINES))

    def environment(self, shim: bool, **more: str) -> dict[str, str]:
        """As of every host, and where the log is."""
        return super().environment(shim, **({"SDCORE_RECORD": str(self.log)} if shim else {}), **more)

    def close(self) -> None:
        """The log goes, too."""
        super().close()
        self.log.unlink()


@dataclass
class Copy:
    """A log that a test may change."""

    data: bytearray

    @classmethod
    def of(cls, path: Path) -> Copy:
        """A copy in memory."""
        return cls(bytearray(path.read_bytes()))

    def write(self, folder: Path) -> Path:
        """Make it a file again."""
        path = folder / "changed.transitions"
        path.write_bytes(self.data)
        return path

    def start(self, chunk: int, mark: int) -> int:
        """Where a line begins."""
        return chunk * record.CHUNK_BYTES + mark * record.LINE_BYTES

    def add(self, chunk: int, mark: int, name: str, difference: int) -> None:
        """Change a field of a line by so much."""
        field = next(field for field in record.LINE.fields if field.name == name)
        at = self.start(chunk, mark) + record.LINE.offsets[name]
        size = field.item_bytes
        value = int.from_bytes(self.data[at : at + size], "little") + difference
        self.data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")

    def blank(self, chunk: int, mark: int) -> None:
        """A line that was never written."""
        start = self.start(chunk, mark)
        self.data[start : start + record.LINE_BYTES] = bytes(record.LINE_BYTES)

    def cut(self, chunk: int, mark: int, used: int) -> None:
        """A line taken out without a trace in its chunk: those behind it move up and are numbered anew."""
        start, end = self.start(chunk, mark), self.start(chunk, used + 1)
        self.data[start : end - record.LINE_BYTES] = self.data[start + record.LINE_BYTES : end]
        for place in range(mark, used):
            self.add(chunk, place, "mark", -1)
        self.blank(chunk, used)
        at = chunk * record.CHUNK_BYTES + record.CHUNK.offsets["used"]
        self.data[at : at + 4] = (used - 1).to_bytes(4, "little")


def lines(path: Path) -> Iterator[Line]:
    """All lines of a log, in the order of time."""
    return merged([Log(path)])
