"""Machines that share memory, together: no joint state that cannot be.

Both ends of a connection write down which slot of which lease theirs is, so the log says which producer and which
consumer share a ring. A producer's line is written before what it publishes can be seen, and a consumer's behind what
it saw; so in the order of time every cause stands before its effect:

    ring        no byte is seen before it was put, no room before it was given back; a ring never holds more than its
                size; who reads the end of the stream, or that it moved, has seen every byte
    teardown    an end or a close of the peer is seen behind the peer's own step only
    moving      what an end that leaves the rings finds of the other, the other has said before (`moving.py`)
    offer       client and server never both win the swap; the client says ACCEPTED only if the server won
    token       granted first come, first served

An end whose peer runs without a log is judged by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sdcore.protocol import layout
from sdcore.protocol.connection import ClientEvent, ServerEvent
from sdcore.protocol.ring import RxDo, RxEvent, RxState, TxDo, TxEvent, TxState
from sdcore.protocol.teardown import TeardownEvent
from sdcore.protocol.token import TokenDo, TokenEvent
from sdsim.conform.history import NUMBERS, TOKEN, Instance, Offence, Token
from sdsim.conform.log import BIND, SET, Line
from sdsim.conform.moving import AWAY, LEAVER_NUMBER, MOVER_NUMBER, Moving

_TX, _RX, _TEARDOWN = NUMBERS["ring_tx"], NUMBERS["ring_rx"], NUMBERS["teardown"]
_CLIENT, _SERVER = NUMBERS["client"], NUMBERS["server"]


_PUT_ALL, _PUT_FREE = TxDo.PUT_ALL.number + 1, TxDo.PUT_FREE.number + 1
_TAKE_ALL, _TAKE_AVAIL = RxDo.TAKE_ALL.number + 1, RxDo.TAKE_AVAIL.number + 1
_CREDIT, _DATA, _UNSEE = TxEvent.CREDIT.number, RxEvent.DATA.number, RxEvent.UNSEE.number
_BEGIN_AWAY = RxEvent.BEGIN_AWAY.number
_TX_STATES, _RX_STATES = list(TxState), list(RxState)


@dataclass(eq=False, slots=True)
class Ring:
    """One direction: sums over the whole connection, in bytes.

    `sure` falls when a repair has counted anew what a killed process left: from then on the sums say nothing.
    A consumer that leaves gives room back for what it puts on the companion; the log does not say how much.
    """

    put: int = 0
    credited: int = 0
    seen: int = 0
    taken: int = 0
    tx: TxState = TxState.OPEN
    ends: set[int] = field(default_factory=set)
    sure: bool = True
    moving: Moving = field(default_factory=Moving)

    @property
    def whole(self) -> bool:
        """Both ends are in the log, and the sums are good."""
        return self.sure and len(self.ends) == 2


@dataclass(eq=False, slots=True)
class Connection:
    """Both ends of a slot's use."""

    rings: tuple[Ring, Ring] = field(default_factory=lambda: (Ring(), Ring()))
    sides: dict[int, set[int]] = field(default_factory=lambda: {0: set(), 1: set()})
    did: tuple[set[TeardownEvent], set[TeardownEvent]] = field(default_factory=lambda: (set(), set()))
    client_won: Line | None = None
    client_accepted: Line | None = None
    server_won: Line | None = None

    @property
    def whole(self) -> bool:
        """Both ends are in the log."""
        return all(self.sides.values())

    @property
    def unserved(self) -> bool:
        """The client is alone in the log, and did not take its offer back."""
        return bool(self.sides[0]) and not self.sides[1] and self.client_won is None


@dataclass(eq=False, slots=True)
class Part:
    """One machine's place in a connection."""

    connection: Connection
    side: int


def _ring(part: Part, line: Line) -> Ring:
    """Client to server is direction 0."""
    return part.connection.rings[part.side if line.machine in (_TX, MOVER_NUMBER) else 1 - part.side]


class Joint:
    """Takes judged lines and looks at the pairs. Raises Offence from `see` and `finish`."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self._open: dict[tuple[int, int], Connection] = {}
        self._looks: Final[dict[int, Callable[[Part, Line], None]]] = {
            _TX: self._tx, _RX: self._rx, _TEARDOWN: self._teardown, _CLIENT: self._client, _SERVER: self._server,
            MOVER_NUMBER: self._moving, LEAVER_NUMBER: self._moving,
        }  # fmt: skip

    def see(self, line: Line, where: Instance | Token) -> None:
        """A line that is judged by itself already."""
        if line.machine == TOKEN:
            assert isinstance(where, Token)
            self._token(where, line)
        elif line.event == BIND:
            self._bind(line, where)
        elif where.part is not None and line.machine in self._looks:
            self._looks[line.machine](where.part, line)

    # Who belongs together ---------------------------------------------------------------------------------------------

    def _bind(self, line: Line, where: Instance | Token) -> None:
        key, side = (line.arg, line.register_0), line.register_1
        connection = self._open.get(key)
        if connection is None or line.machine in connection.sides[side]:
            connection = self._open[key] = Connection()  # another monitor's lease has the same number
            self.connections.append(connection)
        connection.sides[side].add(line.machine)
        where.part = Part(connection, side)
        if line.machine in (_TX, _RX):
            _ring(where.part, line).ends.add(line.machine)
        if line.machine in (MOVER_NUMBER, LEAVER_NUMBER):
            _ring(where.part, line).moving.ends.add(line.machine)

    # Rings ------------------------------------------------------------------------------------------------------------

    def _tx(self, part: Part, line: Line) -> None:
        ring = _ring(part, line)
        ring.tx = _TX_STATES[line.after]
        if line.event == SET:
            ring.sure = False
        elif line.effects == _PUT_ALL:
            ring.put += line.arg
            ring.moving.put()
        elif line.effects == _PUT_FREE:
            ring.put += line.register_0
            ring.moving.put()
        elif line.event == _CREDIT:
            ring.credited += line.arg
            if ring.whole and not ring.moving.consumer_puts and ring.credited > ring.taken:
                raise Offence(f"{ring.credited} bytes of room are seen, {ring.taken} were given back")
        if ring.sure and ring.put - ring.credited > layout.RING_BYTES:
            raise Offence(f"{ring.put - ring.credited} bytes lie in the ring")

    def _rx(self, part: Part, line: Line) -> None:
        ring = _ring(part, line)
        if line.event == SET:
            ring.sure = False
        elif line.event == _UNSEE:
            ring.seen = ring.taken
        elif line.event == _DATA:
            ring.seen += line.arg
            if ring.whole and ring.seen > ring.put:
                raise Offence(f"{ring.seen} bytes are seen, {ring.put} were put")
        elif line.event == _BEGIN_AWAY:
            ring.moving.said |= AWAY
        elif line.effects == _TAKE_ALL:
            ring.taken += line.arg
            ring.moving.taken()
        elif line.effects == _TAKE_AVAIL:
            ring.taken += line.register_0
            ring.moving.taken()
        elif line.after != line.before and _RX_STATES[line.before] is not RxState.AWAY:
            self._rx_ends(ring, _RX_STATES[line.after])  # who was away was sent by TCP what is in the ring

    def _rx_ends(self, ring: Ring, state: RxState) -> None:
        final = {RxState.ENDED: TxState.SHUT, RxState.MOVED: TxState.MOVED}.get(state)
        if ring.whole and ring.tx is final and ring.seen != ring.put:
            raise Offence(f"the end of {ring.seen} bytes is seen, {ring.put} were put before it")

    def _moving(self, part: Part, line: Line) -> None:
        ring = _ring(part, line)
        ring.moving.see(line, ring.put - ring.taken if ring.whole else None)

    # Ends -------------------------------------------------------------------------------------------------------------

    def _teardown(self, part: Part, line: Line) -> None:
        event = list(TeardownEvent)[line.event]
        mine, peers = part.connection.did[part.side], part.connection.did[1 - part.side]
        mine.add(event)
        causes = {
            TeardownEvent.PEER_FIN: {TeardownEvent.SHUT_WR, TeardownEvent.CLOSE},
            TeardownEvent.PEER_CLOSED: {TeardownEvent.CLOSE},
        }.get(event)
        if causes and part.connection.whole and not causes & peers:
            raise Offence(f"the peer did neither of {', '.join(sorted(cause.name for cause in causes))}")

    # Offers -----------------------------------------------------------------------------------------------------------

    def _client(self, part: Part, line: Line) -> None:
        if line.event == ClientEvent.SWAP_WON.number:
            part.connection.client_won = line
        if line.event == ClientEvent.ACCEPTED.number:
            part.connection.client_accepted = line
        self._one_winner(part.connection)

    def _server(self, part: Part, line: Line) -> None:
        if line.event == ServerEvent.SWAP_WON.number:
            part.connection.server_won = line
        self._one_winner(part.connection)

    def _one_winner(self, connection: Connection) -> None:
        if connection.client_won and connection.server_won:
            raise Offence("client and server have both won the swap of the offer")

    # Tokens -----------------------------------------------------------------------------------------------------------

    def _token(self, token: Token, line: Line) -> None:
        if token.part is None:
            token.part = deque()
        queue: deque[int] = token.part
        effects = line.effects.to_bytes(4, "little")
        event = list(TokenEvent)[line.event]
        if event is TokenEvent.MADE:
            queue.clear()
        elif TokenDo.QUEUE.number + 1 in effects:
            queue.append(line.arg)
        elif event is TokenEvent.WAITER_DIED:
            queue.popleft()
        elif event in (TokenEvent.IDLE, TokenEvent.OWNER_DIED):
            first = queue.popleft() if queue else None
            if first != line.arg:
                raise Offence(f"granted to thread {line.arg}, but the first of the queue is {first}")

    # The end ----------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """What only the whole log tells: a client that was accepted was accepted by somebody."""
        for connection in self.connections:
            line = connection.client_accepted
            if line is not None and connection.whole and connection.server_won is None:
                raise Offence(f"{line.chunk.place(line.mark)}: accepted, but the server did not win the swap")
