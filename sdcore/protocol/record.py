"""The log of a real run: each transition that the C code makes, as one line of 64 bytes in a file.

One file for all processes of a run. It consists of chunks of CHUNK_BYTES: the first is the file's head, each other one
belongs to one thread, which claims it by adding to the head's count. Processes map the chunks, so a line that is
written survives a kill. `sdcore/native/core/record.c` writes the file, `sdsim conform` reads it; neither is part of the
protocol, and the ordinary library has nothing of it.

A line holds what the machine was before the transition (state, registers), what happened (event, arg), and what the C
code made of it (row, effects, state). Lines of one instance are numbered from 0 by `step`, without gaps; an instance
has the number of the line that started it. `mark` is written last: the line's place in its chunk, from 1.

Source: docs/explanation/simulator.md, "Conformance of real runs".
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from sdcore.protocol.expr import Reg
from sdcore.protocol.kit import Machine
from sdcore.protocol.struct_kit import Const, Field, Struct

CHUNK_BYTES = 64 * 1024
LINE_BYTES = 64
LINES = CHUNK_BYTES // LINE_BYTES - 1
"""Lines of a chunk, behind its head."""

START, SET, BIND = 0xFF, 0xFE, 0xFD
SHARED, NESTED, TOKEN = 1, 2, 1 << 63
REGISTER_WORDS = 2

CONSTANTS = (
    Const("RECORD_MAGIC", 0x53445452, "First word of a log."),
    Const("RECORD_VERSION", 1, "Changes with the layout of the log."),
    Const("RECORD_CHUNK_BYTES", CHUNK_BYTES, "A chunk belongs to one thread; the first is the file's head."),
    Const("RECORD_LINES", LINES, "Lines of a chunk, behind its head."),
    Const("RECORD_START", START, "Not an event: the instance is in its first state."),
    Const("RECORD_SET", SET, "Not an event: a repair set state and registers to those of this line."),
    Const("RECORD_BIND", BIND, "Not an event: the instance is part of a connection: arg lease, registers slot, side."),
    Const("RECORD_SHARED", SHARED, "Flag: the instance lies in the region: forked processes share it."),
    Const("RECORD_NESTED", NESTED, "Flag: written by a signal handler that interrupted the writing of another line."),
)

HEAD = Struct(
    "record_head",
    "First chunk of a log.",
    size=64,
    fields=(
        Field("magic", "u32"),
        Field("version", "u32"),
        Field("tables", "u32", doc="Checksum of the machines' tables."),
        Field("failed", "u32", atomic=True, doc="errno that ended the recording of some thread; 0 none."),
        Field("chunks", "u64", atomic=True, doc="Claimed so far, this one too."),
        Field("processes", "u32", atomic=True, doc="Processes so far; they count from 1."),
    ),
)

CHUNK = Struct(
    "record_chunk",
    "Head of a thread's chunk; its lines follow.",
    size=64,
    fields=(
        Field("magic", "u32", doc="RECORD_MAGIC."),
        Field("used", "u32", atomic=True, doc="Lines begun; more than RECORD_LINES once it is full."),
        Field("process", "u32", doc="Number of the process in this log."),
        Field("parent", "u32", doc="Process that forked it; 0 none."),
        Field("pid", "u32"),
        Field("tid", "u32"),
        Field("ended", "u32", atomic=True, doc="1: the process left in order."),
    ),
)

LINE = Struct(
    "record",
    "One transition.",
    size=LINE_BYTES,
    fields=(
        Field("time_ns", "u64", doc="CLOCK_MONOTONIC, taken before what the transition makes visible to others."),
        Field("instance", "u64", doc="Number of the line that started it; a token: 2^63, family, place in the region."),
        Field("step", "u32", doc="Lines of this instance before this one; tokens have none."),
        Field("machine", "u8", doc="Place in the list of machines."),
        Field("event", "u8", doc="Number of the event, or RECORD_START and so on."),
        Field("before", "u8", doc="State."),
        Field("after", "u8", doc="State."),
        Field("row", "u16", doc="Place in the machine's table; 0xFFFF: there is none, or it is no event."),
        Field("flags", "u16", doc="RECORD_SHARED, RECORD_NESTED."),
        Field("effects", "u32", doc="As the C function returned them."),
        Field("arg", "u64"),
        Field("registers", "u64", count=REGISTER_WORDS, doc="Before the transition, packed."),
        Field("mark", "u32", atomic=True, doc="Place in the chunk, from 1; 0: not written to its end."),
    ),
)

STRUCTS = (HEAD, CHUNK, LINE)
NO_ROW = 0xFFFF


def places(machine: Machine) -> list[tuple[Reg, int, int]]:
    """Where each register lies in a line: register, word, shift in bits."""
    found: list[tuple[Reg, int, int]] = []
    word = shift = 0
    for reg in machine.registers:
        if shift + reg.bits > 64:
            word, shift = word + 1, 0
        found.append((reg, word, shift))
        shift += reg.bits
    assert word < REGISTER_WORDS, f"{machine.name}: registers do not fit a line"
    return found


def checksum(machines: Sequence[Machine]) -> int:
    """Of all tables: a log can be judged by the tables only that it was made with."""
    return zlib.crc32("\n".join(f"{machine.name} {row}" for machine in machines for row in machine.rows).encode())


def empty(machines: Sequence[Machine]) -> bytes:
    """A log of which nobody has written yet: its head."""
    values = {const.name: const.value for const in CONSTANTS}
    head = HEAD.pack(
        magic=values["RECORD_MAGIC"], version=values["RECORD_VERSION"], tables=checksum(machines), chunks=1, processes=0
    )
    return head.ljust(CHUNK_BYTES, b"\0")
