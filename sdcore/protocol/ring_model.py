"""The ring's reference: put, get, rewind and publish, as plainly as they can be said.

`sdcore/native/core/ring.h` moves the same bytes fast; tests/property/test_ring_agrees.py lets both do the same and
compares every position and every byte. A position counts bytes since the start and never wraps. Byte `p` lies at offset
`(p - base) % size`; only a producer that sees the ring empty moves `base`.

What each side knows is kept apart from what is published, as in the C: a producer's room follows from the head that it
last saw, and a consumer's bytes from the tail that it last saw.

    law     what is taken is what was put, in order
    law     0 <= tail - head <= size
    law     a position that the other side cannot have reached is refused, and changes nothing

Source: docs/explanation/architecture.md, "A direction of a connection".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sdcore.protocol import layout

REWIND_FROM = 1024
REWIND_TO = 32768


class ImpossiblePositionError(Exception):
    """The other side published a position that it cannot have reached."""


@dataclass
class Shared:
    """What both sides see: positions as last published, and the bytes."""

    size: int = layout.RING_BYTES
    tail: int = 0
    base: int = 0
    head: int = 0
    data: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.data = bytearray(self.size)

    def spans(self, position: int, base: int, count: int) -> list[slice]:
        """Where `count` bytes from a position lie: one piece, or two if they run over the end."""
        start = (position - base) % self.size
        first = min(count, self.size - start)
        return [slice(start, start + first), slice(0, count - first)]


@dataclass
class Producer:
    """One end: puts bytes at its tail."""

    ring: Shared
    tail: int = 0
    base: int = 0
    head_seen: int = 0

    @property
    def room(self) -> int:
        """Bytes that may be put as far as is known."""
        return self.ring.size - (self.tail - self.head_seen)

    def look(self) -> int:
        """Learn of the consumer's head: the bytes of room that are new."""
        head = self.ring.head
        if not self.head_seen <= head <= self.tail:
            raise ImpossiblePositionError(head)
        new, self.head_seen = head - self.head_seen, head
        return new

    def may_rewind(self) -> bool:
        """The tail lies where starting anew keeps small messages in warm memory."""
        return REWIND_FROM <= (self.tail - self.base) % self.ring.size < REWIND_TO

    def rewind(self) -> None:
        """Of an empty ring: the next byte lies at offset 0. Published by the next `put`."""
        assert self.head_seen == self.tail
        self.base = self.ring.base = self.tail

    def put(self, text: bytes) -> None:
        """Put bytes for which there is room, and publish them."""
        assert len(text) <= self.room
        rest = text
        for span in self.ring.spans(self.tail, self.base, len(text)):
            length = span.stop - span.start
            self.ring.data[span], rest = rest[:length], rest[length:]
        self.tail += len(text)
        self.ring.tail = self.tail


@dataclass
class Consumer:
    """The other end: takes bytes from its head."""

    ring: Shared
    head: int = 0
    base: int = 0
    tail_seen: int = 0

    @property
    def available(self) -> int:
        """Bytes that are known to be there."""
        return self.tail_seen - self.head

    def look(self) -> int:
        """Learn of the producer's tail, and of its base if there is anything new: the bytes that are new."""
        tail = self.ring.tail
        if not self.tail_seen <= tail <= self.head + self.ring.size:
            raise ImpossiblePositionError(tail)
        new, self.tail_seen = tail - self.tail_seen, tail
        if new:
            self.base = self.ring.base
        return new

    def peek(self, count: int) -> bytes:
        """Read bytes that are known to be there, and leave them."""
        assert count <= self.available
        return b"".join(bytes(self.ring.data[span]) for span in self.ring.spans(self.head, self.base, count))

    def take(self, count: int) -> bytes:
        """Read them, and give their room back."""
        taken = self.peek(count)
        self.head += count
        self.ring.head = self.head
        return taken
