"""Packets of `sdcore.protocol.messages` and the descriptors beside them.

A packet that does not fit is `Malformed` and costs its sender a reply of STATUS_BAD, nothing else.
"""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from sdcore.protocol import messages
from sdcore.protocol.struct_kit import Struct

PACKET_BYTES_MAX = 256
DESCRIPTORS_MAX = 4
BODIES: dict[int, Struct | None] = {
    messages.MSG_HELLO: messages.HELLO,
    messages.MSG_LISTEN: None,
    messages.MSG_UNLISTEN: messages.LISTENER,
    messages.MSG_LEASE: messages.DESTINATION,
    messages.MSG_LEASES_OF: messages.AFTER,
    messages.MSG_STATUS: None,
    messages.MSG_SOCKETS: None,
    messages.MSG_STOP: None,
    messages.MSG_CARRY: messages.CARRY,
    messages.MSG_KEEP: messages.KEPT,
    messages.MSG_KEPT: messages.KEPT,
    messages.MSG_LET_GO: messages.KEPT,
    messages.MSG_DRAIN: messages.DRAIN,
    messages.MSG_JOIN: messages.JOIN,
}
DESCRIPTORS: dict[int, tuple[int, ...]] = {
    messages.MSG_HELLO: (1,),
    messages.MSG_LISTEN: (1,),
    messages.MSG_LEASE: (1,),
    messages.MSG_LEASES_OF: (1,),
    messages.MSG_CARRY: (1, 2),
    messages.MSG_KEEP: (1,),
    messages.MSG_JOIN: (1,),
}
"""How many may come with a request; none where it is not named."""


class Malformed(Exception):
    """A packet that is none of the protocol's."""


@dataclass(frozen=True)
class Packet:
    """What one receive brought. Its reader owns the descriptors.

    Attributes:
        data: the bytes, empty at the end of the connection.
        descriptors: passed beside them.
        truncated: bytes or descriptors were lost, the latter also because this process has none left.
    """

    data: bytes
    descriptors: tuple[int, ...]
    truncated: bool


@dataclass(frozen=True)
class Request:
    """A well-formed request.

    Attributes:
        type: MSG_*.
        seq: to be repeated in the reply.
        body: the fields of its structure; None where it has none.
    """

    type: int
    seq: int
    body: SimpleNamespace | None


def receive(connection: socket.socket) -> Packet:
    """The next packet of a non-blocking connection.

    Raises:
        BlockingIOError: there is none. OSError: the connection is broken.
    """
    room = socket.CMSG_SPACE(DESCRIPTORS_MAX * array.array("i").itemsize)
    data, ancillary, flags, _ = connection.recvmsg(PACKET_BYTES_MAX, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
    return Packet(data, tuple(descriptors), bool(flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)))


def parse(packet: Packet) -> Request:
    """Check a packet's form.

    Raises:
        Malformed: unknown type, wrong length, or not exactly the descriptors that its type wants.
    """
    size = messages.HEADER.size
    if len(packet.data) < size:
        raise Malformed("a packet without a header")
    header = messages.HEADER.unpack(packet.data[:size])
    if header.type not in BODIES:
        raise Malformed(f"type {header.type}")
    shape = BODIES[header.type]
    if len(packet.data) != size + (shape.size if shape else 0):
        raise Malformed(f"type {header.type} with {len(packet.data)} bytes")
    if len(packet.descriptors) not in DESCRIPTORS.get(header.type, (0,)):
        raise Malformed(f"type {header.type} with {len(packet.descriptors)} descriptors")
    return Request(header.type, header.seq, shape.unpack(packet.data[size:]) if shape else None)


def sequence_of(packet: Packet) -> tuple[int, int]:
    """Type and number of a packet, as far as it has any, to answer what is malformed."""
    data = packet.data[: messages.HEADER.size].ljust(messages.HEADER.size, b"\0")
    header = messages.HEADER.unpack(data)
    return header.type, header.seq


def format_packet(kind: int, seq: int, body: bytes = b"", *, status: int = 0, reason: int = 0) -> bytes:
    """One packet, request or reply."""
    return messages.HEADER.pack(type=kind, seq=seq, status=status, reason=reason) + body


def send(connection: socket.socket, data: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send one packet with descriptors, which stay open here.

    Raises:
        BlockingIOError: the peer does not read. OSError: it is gone.
    """
    rights = array.array("i", descriptors)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
    connection.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that came with a packet."""
    for descriptor in descriptors:
        os.close(descriptor)
