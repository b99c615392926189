"""The memory that the monitor makes: slabs and the status page.

Both are memfds sealed against every change of size. The monitor writes a slab's head and a few hints, and reads it for
`sdcore ss`, always by `pread` and `pwrite`: touching an unused page of a mapping would commit it, `pread` does not.
What a slab holds was written by its two sides. It is shown or compared, and never used as a place to write to.

The hint POKE is set by storing one byte of `armed`. No other bit lies in that byte, so the store cannot lose what a
waiter announces in the same word at the same time, although Python has no atomic or. It may itself be lost to a
waiter's exchange, and that is harmless: POKE only says "look at the companion", where the truth is. DRAIN has a byte of
its own in the same way, and is set again as long as somebody is there to see it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from sdcore.monitor import kernel
from sdcore.monitor.identity import Address
from sdcore.protocol import layout
from sdcore.protocol.struct_kit import View

SEALS = kernel.F_SEAL_SHRINK | kernel.F_SEAL_GROW | kernel.F_SEAL_SEAL
SIDES = (0, 1)
POKE_BYTE, DRAIN_BYTE = (1, 2) if sys.byteorder == "little" else (2, 1)
"""Offsets of the bytes of a 32 bit word that hold ARM_POKE and ARM_DRAIN."""


def make(name: str, size: int, head: bytes, seals: int = SEALS) -> int:
    """A new sparse memfd of `size` bytes that begins with `head` and keeps its size for ever.

    Raises:
        OSError: no memory or no descriptor is left.
    """
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
        os.pwrite(fd, head, 0)
        fcntl.fcntl(fd, kernel.F_ADD_SEALS, seals)
    except OSError:
        os.close(fd)
        raise
    return fd


@dataclass(frozen=True)
class Flow:
    """How far one direction of a connection is.

    Attributes:
        sent: bytes ever put into the ring.
        taken: bytes ever read from it.
    """

    sent: int
    taken: int

    @property
    def queued(self) -> int:
        """Bytes in the ring; what a peer wrote there cannot make it more than the ring holds."""
        return min((self.sent - self.taken) % 2**64, layout.RING_BYTES)


class Slab:
    """The shared memory of one lease. Owns its descriptor."""

    def __init__(self, lease_id: int, listener_id: int, *, heavy_fence: bool) -> None:
        """Make the memory; sparse, so almost nothing is committed.

        Raises:
            OSError: no memory or no descriptor is left.
        """
        head = layout.SLAB.pack(
            magic=layout.SLAB_MAGIC,
            version=layout.LAYOUT_VERSION,
            lease_id=lease_id,
            listener_id=listener_id,
            heavy_fence=int(heavy_fence),
        )
        self._revoked = 0
        self.fd = make("sdcore-slab", layout.SLAB_BYTES, head[: layout.SLAB.offsets["side"]])

    def close(self) -> None:
        """Give up the monitor's reference; the memory lives as long as a process maps it."""
        os.close(self.fd)

    def revoke(self) -> None:
        """Tell both sides to make no new offers here."""
        self._revoke(layout.REVOKED_CLOSED)

    def mark_drained(self) -> None:
        """Tell both sides to make no new offers here, and not to go on; `press` asks them to."""
        self._revoke(layout.REVOKED_DRAINED)

    def _revoke(self, how: int) -> None:
        """What is drained stays so when its listener closes, too."""
        self._revoked = max(self._revoked, how)
        self._put_word(layout.SLAB.offsets["revoked"], self._revoked)

    def fence_heavily(self) -> None:
        """Tell both sides that one of them cannot be reached by membarrier."""
        self._put_word(layout.SLAB.offsets["heavy_fence"], 1)

    def _put_word(self, offset: int, value: int) -> None:
        os.pwrite(self.fd, value.to_bytes(4, sys.byteorder), offset)

    def fill(self, client: Address, server: Address) -> None:
        """Put an established connection into the first slot. The client has not come yet, and counts as done."""
        first = _slot_offset(0)
        for name, end in (("local", client), ("peer", server)):
            family = socket.AF_INET if end.is_v4 else socket.AF_INET6
            packed = layout.ADDRESS.pack(ip=end.ip, port=end.port, family=family)
            os.pwrite(self.fd, packed, first + layout.SLOT.offsets[name])
        self._put_word(first + layout.SLOT.offsets["done"], 1)
        self._put_word(first + layout.SLOT.offsets["offer"], layout.OFFER_ACCEPTED)

    def slot(self, index: int) -> View:
        """A copy of one slot. The caller has checked the index."""
        return layout.SLOT.view(os.pread(self.fd, layout.SLOT.size, _slot_offset(index)))

    def flows(self, index: int) -> tuple[Flow, Flow]:
        """Both directions of one connection: client to server, server to client."""
        first, second = (Flow(d.p.tail, d.c.head) for d in self.slot(index).dir)
        return first, second

    def ring_bytes(self, index: int, direction: int, begin: int, end: int, base: int) -> bytes | None:
        """A copy of the bytes at positions begin to end of a ring; None if there are no such positions."""
        size = (end - begin) % 2**64
        if index >= layout.SLOTS or direction not in SIDES or size > layout.RING_BYTES:
            return None
        pieces = ring_pieces(2 * index + direction, (begin - base) % layout.RING_BYTES, size)
        return b"".join(os.pread(self.fd, length, offset) for offset, length in pieces)

    def waiting_offers(self) -> bool:
        """Whether some connection waits for the server to take it up."""
        return any(_offer(slot) == layout.OFFER_OFFERED for _, slot in self._used())

    def in_use(self) -> bool:
        """Whether some slot holds a connection."""
        return next(self._used(), None) is not None

    def holds(self, index: int, ends: frozenset[Address]) -> bool:
        """Whether a slot holds the connection between these two ends. The caller has checked the index."""
        slot = self.slot(index)
        ours = frozenset(_address(end) for end in (slot.local, slot.peer))
        return _offer(slot) != layout.OFFER_FREE and ours == ends

    def _used(self) -> Iterator[tuple[int, View]]:
        """Copies of the slots that hold a connection, or what was one until a moment ago."""
        slots = os.pread(self.fd, layout.SLOTS * layout.SLOT.size, _slot_offset(0))
        for index in range(layout.SLOTS):
            slot = layout.SLOT.view(slots, index * layout.SLOT.size)
            if _offer(slot) != layout.OFFER_FREE:
                yield index, slot

    def poke(self, side: int) -> frozenset[int]:
        """Tell `side` to look at the companions of all its connections; returns the doorbells to ring.

        Both halves of every direction are marked: the survivor reads its peer's lines after each publish, and its
        own when it wakes.
        """
        bells: set[int] = set()
        for index, slot in self._used():
            for offset in _armed_offsets(index):
                os.pwrite(self.fd, b"\x01", offset + POKE_BYTE)
            self._make_look(side, index)
            inward, outward = slot.dir[1 - side], slot.dir[side]
            bells.update(inward.data_wait.sleepers)
            bells.update(outward.room_wait.sleepers)
        bells.update(self._asleep(side))
        return frozenset(bells - {0})

    def press(self) -> frozenset[int]:
        """Ask both sides of all connections to move to their companions; returns the doorbells to ring.

        First the marks, then a look who sleeps: whoever goes to sleep meanwhile announces it before it looks.
        """
        for index, _ in self._used():
            for offset in _asked_offsets(index):
                os.pwrite(self.fd, b"\x01", offset + DRAIN_BYTE)
            for side in SIDES:
                self._make_look(side, index)
        lines = [line for _, slot in self._used() for d in slot.dir for line in (d.data_wait, d.room_wait)]
        bells = {name for line in lines for name in line.sleepers}
        return frozenset(bells.union(*map(self._asleep, SIDES)) - {0})

    def _make_look(self, side: int, slot: int) -> None:
        os.pwrite(self.fd, bytes((layout.READY_LOOK,)), _side_offset(side) + layout.SIDE.offsets["ready"] + slot)

    def _asleep(self, side: int) -> Iterator[int]:
        """The doorbells of the epoll sets of one side that sleep."""
        announced = layout.SIDE.view(os.pread(self.fd, layout.SIDE.size, _side_offset(side)))
        return (announced.doorbell[bit] for bit in range(layout.DOORBELLS) if announced.asleep >> bit & 1)


def _address(end: View) -> Address:
    return Address(bytes(end.ip), end.port, unix=end.family == socket.AF_UNIX)


def _offer(slot: View) -> int:
    """The state of a slot, without its generation."""
    return int(slot.offer) % int(layout.OFFER_STATES)


def _slot_offset(index: int) -> int:
    return layout.SLAB.offsets["slot"] + index * layout.SLOT.size


def _side_offset(side: int) -> int:
    return layout.SLAB.offsets["side"] + side * layout.SIDE.size


def _armed_offsets(index: int) -> Iterator[int]:
    """Where the four `armed` words of a connection lie."""
    return (_line_offset(index, direction, line) for direction in SIDES for line in ("data_wait", "room_wait"))


def ring_pieces(ring: int, start: int, size: int) -> Iterator[tuple[int, int]]:
    """Where the bytes of a ring lie in the slab, from offset `start` on: offsets and lengths, in order.

    A ring's first FRONT_BYTES lie apart from the rest, see native/core/ring.h.
    """
    while size:
        near = start < layout.FRONT_BYTES
        begin = layout.SLAB.offsets["front"] + ring * layout.FRONT_BYTES if near else _rest_offset(ring)
        length = min(size, (layout.FRONT_BYTES if near else layout.RING_BYTES) - start)
        yield begin + start, length
        start = (start + length) % layout.RING_BYTES
        size -= length


def _rest_offset(ring: int) -> int:
    return layout.RINGS_OFFSET + ring * layout.RING_BYTES


def _line_offset(index: int, direction: int, line: str) -> int:
    """Where the `armed` word of a line lies."""
    start = _slot_offset(index) + layout.SLOT.offsets["dir"] + direction * layout.DIRECTION.size
    return int(start + layout.DIRECTION.offsets[line] + layout.ATTENTION.offsets["armed"])


def _asked_offsets(index: int) -> Iterator[int]:
    """Where the two `armed` words of a connection lie in which a producer is asked to move."""
    return (_line_offset(index, direction, "data_wait") for direction in SIDES)


class StatusPage:
    """The page that all processes read. Owns its descriptor and its mapping.

    The seal FUTURE_WRITE leaves the monitor's mapping the only way to write it: a process could open its descriptor
    once more through `/proc`, for writing.
    """

    def __init__(self) -> None:
        """Make the page; not alive yet.

        Raises:
            OSError: no memory or no descriptor is left.
        """
        head = layout.STATUS.pack(magic=layout.STATUS_MAGIC, version=layout.LAYOUT_VERSION)
        writable = make("sdcore-status", layout.STATUS.size, head, seals=0)
        try:
            self._view = layout.STATUS.view(mmap.mmap(writable, layout.STATUS.size))
            fcntl.fcntl(writable, kernel.F_ADD_SEALS, SEALS | kernel.F_SEAL_FUTURE_WRITE)
            self.fd = os.open(f"/proc/self/fd/{writable}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(writable)

    def set_alive(self, alive: bool) -> None:
        """Show whether a monitor serves."""
        self._view.alive = int(alive)

    def set_elsewhere(self, elsewhere: bool) -> None:
        """Show whether the policy joins network namespaces."""
        self._view.elsewhere = int(elsewhere)

    def move_listeners(self) -> None:
        """Make clients forget their refusals."""
        self._view.listeners += 1

    def move_leases(self) -> None:
        """Make servers ask for slabs that are new."""
        self._view.leases += 1
