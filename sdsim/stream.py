"""What the bytes of a stream are: numbered, so that a lost, repeated, reordered or foreign byte is seen at once.

A `Stream` is one direction of one connection as the programs see it. The sender labels its bytes 0, 1, 2, ...; on the
way they are `Span`s, of which pieces can be cut; the receiver must get exactly the next label of exactly this stream.
"""

from __future__ import annotations

from sdsim.world import Violation


class Stream:
    """One direction, from the sender's first byte to what the receiver got.

    Attributes:
        sent: bytes that the sending program has handed over.
        received: bytes that the receiving program has got.
    """

    __slots__ = ("name", "received", "sent")

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent = 0
        self.received = 0

    def take_in(self, size: int) -> Span:
        """The next `size` bytes of the sending program."""
        span = Span(self, self.sent, size)
        self.sent += size
        return span

    def give_out(self, spans: list[Span]) -> int:
        """Hand bytes to the receiving program; returns their number.

        Raises:
            Violation: they are not the next ones of this stream.
        """
        total = 0
        for span in spans:
            if span.stream is not self:
                raise Violation(f"byte streams equal: {self.name} got bytes of {span.stream.name}")
            if span.start != self.received:
                raise Violation(f"byte streams equal: {self.name} got byte {span.start}, byte {self.received} is next")
            self.received += span.size
            total += span.size
        return total


class Span:
    """Consecutive bytes of a stream."""

    __slots__ = ("size", "start", "stream")

    def __init__(self, stream: Stream, start: int, size: int) -> None:
        self.stream = stream
        self.start = start
        self.size = size


class Bytes:
    """Bytes that wait somewhere, first in, first out. Those of one stream are one span, so there are few."""

    __slots__ = ("size", "spans")

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.size = 0

    def put(self, span: Span) -> None:
        """Add bytes at the end; the span is from now on a part of this."""
        self.size += span.size
        last = self.spans[-1] if self.spans else None
        if last is not None and last.stream is span.stream and last.start + last.size == span.start:
            last.size += span.size
        else:
            self.spans.append(span)

    def take(self, size: int) -> list[Span]:
        """Take the first `size` bytes, or as many as there are."""
        taken: list[Span] = []
        spans = self.spans
        while size > 0 and spans:
            first = spans[0]
            part = first.size
            if part <= size:
                taken.append(spans.pop(0))
            else:
                part = size
                taken.append(Span(first.stream, first.start, part))
                first.start += part
                first.size -= part
            size -= part
            self.size -= part
        return taken
