"""What a program of socket operations must give: byte streams, counted, and nothing else.

A program is a list of steps, each made by one process, one after the other. The reference says what each gives, and
which steps may follow: none that would wait for ever, and none whose outcome Linux leaves open.

    law     bytes come out in the order in which they went in, each once
    law     the end is read behind the last byte, however the stream ended
    law     a descriptor is closed with its last holder
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

UNREAD_MAX = 60_000
CONNECTIONS_MAX, PROCESSES_MAX = 4, 6
SERVER, CLIENT = 0, 1
End = tuple[int, int]
"""Number of the connection, and 0 for the client's end, 1 for the server's."""


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        verb: connect, accept, send, receive, shutdown, close or fork.
        size: bytes to send, or to receive unless the stream ends before.
        offset: place in the stream of the first byte.
        child: number of the process that a fork makes.
    """

    verb: str
    process: int
    end: End = (0, 0)
    size: int = 0
    offset: int = 0
    child: int = 0


@dataclass(frozen=True)
class Given:
    """What a step gave: a number of bytes, and what came behind them: "", "end", "reset" or "broken pipe"."""

    size: int = 0
    behind: str = ""


@dataclass
class Side:
    """One end as the reference knows it.

    Attributes:
        unread: bytes that wait for it.
        over: how its incoming stream ends: "" not yet, "end" or "reset".
        late: it has sent to a peer that is closed.
        told: nothing of it but close is foreseeable any more.
    """

    unread: int = 0
    sent: int = 0
    got: int = 0
    shut: bool = False
    over: str = ""
    late: bool = False
    told: bool = False
    holders: set[int] = field(default_factory=set)


class Reference:
    """Plays a program by counting."""

    def __init__(self) -> None:
        self.sides: dict[End, Side] = {}
        self.processes = 2
        self.servers, self.clients = {SERVER}, {CLIENT}
        self.connections = 0

    def possible(self) -> Iterator[Step]:
        """Steps that may come next; their sizes are still open."""
        if self.connections < CONNECTIONS_MAX:
            yield from (Step("connect", client, (self.connections, 0)) for client in sorted(self.clients))
        if self.processes < PROCESSES_MAX:
            yield from (Step("fork", process, child=self.processes) for process in range(self.processes))
        for end, side in self.sides.items():
            for process in sorted(side.holders):
                yield from self._of(end, side, process)

    def _of(self, end: End, side: Side, process: int) -> Iterator[Step]:
        peer = self.sides[end[0], 1 - end[1]]
        yield Step("close", process, end)
        if side.told:
            return
        if not side.late and (side.unread or side.over):
            yield Step("receive", process, end)
        # after a reset whichever call comes first tells of it, as the errors of a send are not told apart here
        if side.over != "reset" and (side.shut or peer.unread < UNREAD_MAX):
            yield Step("send", process, end, offset=side.sent)
        if not side.shut and not side.late and side.over != "reset":
            yield Step("shutdown", process, end)

    def most(self, step: Step) -> int:
        """The largest size of a step that does not wait for ever."""
        side, peer = self.sides[step.end], self.sides[step.end[0], 1 - step.end[1]]
        if step.verb == "send":
            return max(1, UNREAD_MAX - peer.unread)
        return side.unread + 1000 if side.over else side.unread

    def play(self, step: Step) -> Given:
        """What a step gives."""
        given: Given = getattr(self, "_" + step.verb)(step)
        return given

    def _connect(self, step: Step) -> Given:
        self.sides[step.end] = Side(holders={step.process})
        self.sides[step.end[0], 1] = Side()
        self.connections += 1
        return Given()

    def _accept(self, step: Step) -> Given:
        self.sides[step.end].holders.add(step.process)
        return Given()

    def _fork(self, step: Step) -> Given:
        self.processes += 1
        for group in (self.servers, self.clients, *(side.holders for side in self.sides.values())):
            if step.process in group:
                group.add(step.child)
        return Given()

    def _send(self, step: Step) -> Given:
        side, peer = self.sides[step.end], self.sides[step.end[0], 1 - step.end[1]]
        if side.shut or side.late:
            return Given(0, "broken pipe")
        side.late = not peer.holders
        side.sent += step.size
        peer.unread += 0 if side.late else step.size
        return Given(step.size)

    def _receive(self, step: Step) -> Given:
        side = self.sides[step.end]
        size = min(step.size, side.unread)
        side.unread -= size
        side.got += size
        behind = side.over if size < step.size else ""
        side.told = behind == "reset"
        return Given(size, behind)

    def _shutdown(self, step: Step) -> Given:
        self.sides[step.end].shut = True
        peer = self.sides[step.end[0], 1 - step.end[1]]
        peer.over = peer.over or "end"
        return Given()

    def _close(self, step: Step) -> Given:
        side, peer = self.sides[step.end], self.sides[step.end[0], 1 - step.end[1]]
        side.holders.remove(step.process)
        if not side.holders and peer.holders:
            if side.unread and side.shut:
                peer.told = True  # the end, or a broken pipe: whichever is looked for first
            peer.over = peer.over or ("reset" if side.unread else "end")
        return Given()
