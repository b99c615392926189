"""The queues of sockets on kernel TCP, as the kernel shows them to everybody in `/proc/PID/net/tcp` and `tcp6`.

The monitor knows only what waits in rings. These files are read here, with the rights of who asks, once for each
network namespace: they list all of its sockets. A socket is found by its two addresses, if it has not closed.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from typing import Any

from sdcore.monitor.identity import MAPPED_PREFIX, Address

FILES = ("tcp", "tcp6")
LOCAL, PEER, QUEUES = 1, 2, 4
"""Columns of a line."""

Queues = dict[tuple[str, str], tuple[int, int]]
"""Local and peer address to the bytes to be sent or confirmed, and those to be read."""


def fill(rows: Iterable[dict[str, Any]]) -> None:
    """Write the kernel's queues into the rows of `sdcore ss` that are on kernel TCP."""
    known: dict[object, Queues] = {}
    for row in rows:
        if row["transport"] != "tcp":
            continue
        namespace = _namespace(row["pid"])
        if namespace not in known:
            known[namespace] = dict(_queues(row["pid"]))
        found = known[namespace].get((row["local"], row["peer"]))
        if found:
            row["send_queue_bytes"], row["receive_queue_bytes"] = found


def _namespace(pid: int) -> object:
    """What the network namespaces of two processes are compared by; the process itself, if we may not know."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return f"of {pid}"


def _queues(pid: int) -> Iterator[tuple[tuple[str, str], tuple[int, int]]]:
    """All TCP sockets in the network namespace of a process; none if it has ended."""
    for name in FILES:
        try:
            with open(f"/proc/{pid}/net/{name}", encoding="ascii") as file:
                lines = file.readlines()[1:]
        except OSError:
            continue
        yield from map(_parsed, lines)


def _parsed(line: str) -> tuple[tuple[str, str], tuple[int, int]]:
    columns = line.split()
    outward, _, inward = columns[QUEUES].partition(":")
    return (_address(columns[LOCAL]), _address(columns[PEER])), (int(outward, 16), int(inward, 16))


def _address(text: str) -> str:
    """From words of 32 bits, each printed as a number of the host's byte order, and a port."""
    words, _, port = text.partition(":")
    packed = b"".join(struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
    return str(Address(packed if len(packed) == 16 else MAPPED_PREFIX + packed, int(port, 16)))
