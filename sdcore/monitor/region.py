"""Reading the region of a family of processes: its sockets and its totals.

The region was made and is written by a program that nobody trusts. It must be a memfd that cannot shrink, so reading
never fails; what its head says about where the sockets lie is checked before each use; text and numbers from it are
shown and added up, nothing else. It is read by `pread`, which commits no memory of the program's.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from sdcore.monitor import kernel
from sdcore.monitor.identity import Address
from sdcore.protocol import layout
from sdcore.protocol.struct_kit import Struct

CHUNK_OBJECTS = 256
U64 = 2**64


class WrongVersion(Exception):
    """A region of another version of the layout."""


@dataclass(frozen=True)
class SocketRecord:
    """What one socket object says of itself. Fields as in `layout.SOCKET`."""

    index: int
    refs: int
    pid: int
    fd: int
    state: str
    transport: str
    reason: int
    side: int
    slot: int
    lease_id: int
    kernel_sent_bytes: int
    kernel_received_bytes: int
    ring_sent_bytes: int
    ring_received_bytes: int
    local: Address
    peer: Address


@dataclass(frozen=True)
class Sum:
    """Connections and bytes over one transport."""

    connections: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0

    def __add__(self, other: Sum) -> Sum:
        """Add; numbers from a hostile region stay within 64 bits."""
        return Sum(
            (self.connections + other.connections) % U64,
            (self.sent_bytes + other.sent_bytes) % U64,
            (self.received_bytes + other.received_bytes) % U64,
        )


def _flat(shape: Struct) -> str:
    """The format of `struct` for a structure, nested ones and padding included; one item for each u8 array."""
    text = ""
    for field, gap in shape.padding():
        text += f"{gap}x" if gap else ""
        if field is None:
            continue
        if field.scalar:
            text += f"{field.count}s" if field.type == "u8" and field.count else field.code * (field.count or 1)
        else:
            text += _flat(field.struct) * (field.count or 1)
    return text


_RECORD = struct.Struct("=" + _flat(layout.SOCKET))
_REFS = struct.Struct("=I")


class Region:
    """A region. Owns the descriptor, unless the constructor raises."""

    def __init__(self, fd: int) -> None:
        """Check the memory.

        Raises:
            WrongDescriptor: not a memfd that cannot shrink, too small, or not a region.
            WrongVersion: a region of another version.
        """
        memory = kernel.identify_memory(fd)
        if memory.size < layout.REGION.size:
            raise kernel.WrongDescriptor(f"a memfd of {memory.size} bytes")
        head = layout.REGION.view(os.pread(fd, layout.REGION.size, 0))
        if head.magic != layout.REGION_MAGIC:
            raise kernel.WrongDescriptor("a memfd that is not a region")
        if head.version != layout.LAYOUT_VERSION:
            raise WrongVersion(f"layout version {head.version}")
        self.fd = fd
        self.inode = memory.inode
        self.size = memory.size
        self.faults = 0

    def close(self) -> None:
        """Give up the descriptor."""
        os.close(self.fd)

    def totals(self) -> tuple[dict[str, Sum], list[int]]:
        """Sums over closed sockets by transport, and how often each reason was the outcome."""
        head = layout.REGION.view(os.pread(self.fd, layout.REGION.size, 0))
        sums = {
            name: Sum(total.connections, total.sent_bytes, total.received_bytes)
            for name, total in zip(layout.TRANSPORTS, head.total, strict=True)
        }
        return sums, list(head.reason)

    def sockets(self) -> Iterator[SocketRecord]:
        """The socket objects in use, as they are now; none where the head makes no sense (counted in `faults`)."""
        stride, chunks = self._chunks()
        for first, chunk in chunks:
            for number in range(len(chunk) // stride):
                if _REFS.unpack_from(chunk, number * stride)[0]:
                    yield _record(first + number, chunk, number * stride)

    def with_ends(self, local: Address, peer: Address) -> Iterator[SocketRecord]:
        """The socket objects in use that show this end of a connection; far faster than to read them all."""
        stride, chunks = self._chunks()
        begins = layout.SOCKET.offsets["local"]
        pattern = local.ip + local.port.to_bytes(2, sys.byteorder)
        for first, chunk in chunks:
            at = chunk.find(pattern)
            while at >= 0:
                number, offset = divmod(at - begins, stride)
                record = _record(first + number, chunk, number * stride) if offset == 0 else None
                if record is not None and record.refs and (record.local, record.peer) == (local, peer):
                    yield record
                at = chunk.find(pattern, at + 1)

    def invite(self, index: int) -> None:
        """Mark a socket object, if there is such a one: its owner shall ask to join."""
        start, stride, high = self._places()
        if index < high:
            offset = start + index * stride + layout.SOCKET.offsets["invited"]
            os.pwrite(self.fd, (1).to_bytes(4, sys.byteorder), offset)

    def _places(self) -> tuple[int, int, int]:
        """Offset of the first socket object, bytes to the next, and how many there are: none if the head is wrong."""
        head = layout.REGION.view(os.pread(self.fd, layout.REGION.size, 0))
        start, stride, high = head.socket_offset, head.socket_stride, head.socket_high
        fits = layout.SOCKET.size <= stride <= layout.SOCKET_BYTES_MAX and high <= layout.SOCKETS
        if high == 0 or (fits and start + stride * high <= self.size):
            return start, stride, high
        self.faults += 1
        return 0, layout.SOCKET.size, 0

    def _chunks(self) -> tuple[int, Iterator[tuple[int, bytes]]]:
        """Bytes of an object, and copies of the objects, some at a time, each with the index of the first.

        The head is read once for both: its owner may change it at any time.
        """
        start, stride, high = self._places()

        def chunks() -> Iterator[tuple[int, bytes]]:
            for first in range(0, high, CHUNK_OBJECTS):
                count = min(CHUNK_OBJECTS, high - first)
                yield first, os.pread(self.fd, count * stride, start + first * stride)

        return stride, chunks()


def _record(index: int, chunk: bytes, offset: int) -> SocketRecord:
    """One socket object. Numbers that name something are replaced where they name nothing."""
    refs, pid, fd, state, transport, reason, side, slot, lease, *rest = _RECORD.unpack_from(chunk, offset)
    sent, received, ring_sent, ring_received, *ends, _ = rest
    return SocketRecord(
        index=index,
        refs=refs,
        pid=pid,
        fd=fd,
        state=_name(layout.SOCK_STATES, state),
        transport=_name(layout.TRANSPORTS, transport),
        reason=reason if reason < len(layout.REASONS) else 0,
        side=side & 1,
        slot=slot if slot < layout.SLOTS else 0,
        lease_id=lease,
        kernel_sent_bytes=sent,
        kernel_received_bytes=received,
        ring_sent_bytes=ring_sent,
        ring_received_bytes=ring_received,
        local=_address(*ends[:3]),
        peer=_address(*ends[3:]),
    )


def _address(ip: bytes, port: int, family: int) -> Address:
    return Address(ip, port, unix=family == socket.AF_UNIX)


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else "unknown"
