"""Offer: clients and listeners decide for each connection whether the rings or the kernel carry it.

Each connection has a client and, once accepted, an end in one of the listening processes, which take from one backlog.
Each of its two shared words changes by one swap a step, so everything that can cross does cross. Each client sends one
message as soon as it may, into the ring or by the kernel; it must arrive by whichever the two agree on. Processes may
die at every step, as many as `deaths` says.

Connections touch each other only by deaths, so what a connection may do next is worked out once for each of its states
and used in all worlds that have it. Worlds in which clients or listeners have changed places are one world, if all
begin alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import permutations
from typing import NamedTuple

from sdcore.protocol.connection import ClientDo, ClientEvent, ClientState, ServerDo, ServerEvent, ServerState
from sdcore.protocol.kit import Effect, Event, Machine
from sdsim.explore.engine import Act, Table

C, S = ClientState, ServerState
Todo = tuple[Effect | Event | str, ...]
ENTER_PORT = "enter the port"
BACKLOG, NOWHERE = -1, -2
PATIENCE = 1  # instead of OFFER_PATIENCE: as good as many, with fewer worlds


class Word(Enum):
    """The offer word."""

    FREE = "free"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"


class Port(Enum):
    """The entry of the client's port."""

    EMPTY = "empty"
    OURS = "ours"
    OTHERS = "another connection's"
    PENDING = "a server looks for an offer"
    DECLINED = "declined"


class Message(Enum):
    """Where the client's message is."""

    UNSENT = "unsent"
    RING = "in the ring"
    KERNEL = "in the kernel"
    LOST = "lost"
    READ = "read"


@dataclass(frozen=True)
class Connection:
    """One connection.

    Attributes:
        slot: the client holds a slot.
        carries, server_carries: what the ends were told to use, USE_RING or USE_KERNEL.
        server_closes: its program has closed it.
        at: the listener that accepted it, or BACKLOG, or NOWHERE.
    """

    port: Port = Port.EMPTY
    word: Word = Word.FREE
    client: ClientState = C.IDLE
    awaited: int = 0
    client_todo: Todo = ()
    client_dead: bool = False
    slot: bool = False
    carries: Effect | None = None
    at: int = NOWHERE
    server: ServerState = S.IDLE
    marked: int = 0
    server_todo: Todo = ()
    server_carries: Effect | None = None
    server_closes: bool = False
    message: Message = Message.UNSENT
    accepts: int = 0


Dead = frozenset[int]
"""Listeners that are dead."""


class World(NamedTuple):
    """All connections, by their numbers in the model, which listeners are dead, and how many processes are."""

    connections: tuple[int, ...]
    dead: Dead = frozenset()
    deaths: int = 0


class Verdict(NamedTuple):
    """What is wrong with a connection, and whether it has reached its goal."""

    wrong: str | None
    done: bool


# What a server makes of the port's entry.
_SWAPS: dict[Effect | str, dict[Port, Port]] = {
    ServerDo.MARK: {Port.EMPTY: Port.PENDING, Port.DECLINED: Port.PENDING},
    ServerDo.UNMARK: {Port.PENDING: Port.EMPTY},
    ServerDo.DECLARE_DECLINED: {Port.EMPTY: Port.DECLINED, Port.PENDING: Port.DECLINED},
}


_READS: dict[Effect | None, Message] = {ServerDo.USE_RING: Message.RING, ServerDo.USE_KERNEL: Message.KERNEL}


class OfferModel:
    """Some clients, some listeners, some deaths."""

    def __init__(
        self, tables: Mapping[str, Machine], clients: int = 1, listeners: int = 1, deaths: int = 1, stale: bool = True
    ) -> None:
        self.name = f"offer, {clients} clients, {listeners} listeners, {deaths} deaths"
        self.clients = Table(tables["client"])
        self.servers = Table(tables["server"])
        self.count, self.listeners, self.deaths, self.stale = clients, listeners, deaths, stale
        self.parties = (
            *(f"client{number + 1}" for number in range(clients)),
            *(f"listener{number + 1}" for number in range(listeners)),
        )
        self._known: list[Connection] = []
        self._numbers: dict[Connection, int] = {}
        self._next: dict[tuple[int, int, Dead], tuple[tuple[Act, int], ...]] = {}
        self._verdicts: dict[tuple[int, Dead], Verdict] = {}
        self._places: list[dict[int, int]] = [dict(enumerate(order)) for order in permutations(range(listeners))]
        self._moved: list[dict[int, int]] = [{} for _ in self._places]

    def _number(self, c: Connection) -> int:
        """The number of a connection's state."""
        number = self._numbers.get(c)
        if number is None:
            number = self._numbers[c] = len(self._known)
            self._known.append(c)
        return number

    def first(self) -> Iterable[World]:
        """Nothing connected; the first connection's port may have an entry left from before."""
        rest = (self._number(Connection()),) * (self.count - 1)
        ports = (Port.EMPTY, Port.OTHERS, Port.PENDING, Port.DECLINED) if self.stale else (Port.EMPTY,)
        for port in ports:
            yield World((self._number(Connection(port)), *rest))

    def canonical(self, w: World) -> World:
        """The one of all worlds that are alike but for the places of clients and listeners."""
        if self.stale or self.count == 1:
            return w
        return min(
            (self._exchanged(w, order) for order in range(len(self._places))),
            key=lambda world: (world.connections, sorted(world.dead)),
        )

    def _exchanged(self, w: World, order: int) -> World:
        """With other places of the listeners, and the connections in the order of their numbers."""
        places, moved = self._places[order], self._moved[order]
        numbers = []
        for number in w.connections:
            if number not in moved:
                c = self._known[number]
                moved[number] = self._number(replace(c, at=places.get(c.at, c.at)))
            numbers.append(moved[number])
        return World(tuple(sorted(numbers)), frozenset(places[place] for place in w.dead), w.deaths)

    def wrong(self, w: World) -> str | None:
        """Both ends agree, nothing is lost, nothing is accepted twice, no mark or slot outlives what it stands for."""
        for place, number in enumerate(w.connections, 1):
            wrong = self._verdict(number, w.dead).wrong
            if wrong is not None:
                return f"connection {place}: {wrong}"
        return None

    def done(self, w: World) -> bool:
        """Every connection is settled and its message read, or one of its ends is dead."""
        return all(self._verdict(number, w.dead).done for number in w.connections)

    def _verdict(self, number: int, dead: Dead) -> Verdict:
        key = (number, dead)
        found = self._verdicts.get(key)
        if found is None:
            c = self._known[number]
            done = self._dead(dead, c) or (self._settled(dead, c) and c.message is Message.READ)
            found = self._verdicts[key] = Verdict(self._wrong_with(dead, c), done)
        return found

    def _wrong_with(self, dead: Dead, c: Connection) -> str | None:
        server_closed = c.server is S.CLOSED and not c.server_closes
        over = c.server in (S.ESTABLISHED, S.KERNEL, S.CLOSED) and not c.server_todo
        faults = {
            "closed, and nobody closed it, or a slot is held that nobody uses": (
                c.client is C.CLOSED or server_closed or self._idle_slot(c)
            ),
            "the client's message is lost": c.message is Message.LOST and not self._dead(dead, c),
            "accepted twice": c.accepts > 1,
            "one end uses the rings, the other does not": (
                self._settled(dead, c) and (c.client is C.ESTABLISHED) != (c.server is S.ESTABLISHED)
            ),
            "nobody looks for its offer any more, and the mark says so": bool(
                c.marked and over and c.port is Port.PENDING
            ),
        }
        return next((text for text, found in faults.items() if found), None)

    def _dead(self, dead: Dead, c: Connection) -> bool:
        return c.client_dead or c.at in dead or len(dead) == self.listeners or c.server is S.CLOSED

    def _idle_slot(self, c: Connection) -> bool:
        """The dead may leave theirs to the monitor."""
        return c.slot and c.client in (C.IDLE, C.KERNEL) and not (c.client_todo or c.client_dead)

    def _settled(self, dead: Dead, c: Connection) -> bool:
        ends = c.client in (C.ESTABLISHED, C.KERNEL) and c.server in (S.ESTABLISHED, S.KERNEL)
        return ends and not c.client_todo and not c.server_todo and not self._dead(dead, c)

    def steps(self, w: World) -> Iterator[tuple[Act, World]]:
        """What each client, each listener, and death may do."""
        connections, dead, deaths = w
        for place, number in enumerate(connections):
            before, behind = connections[:place], connections[place + 1 :]
            for act, following in self._following(place, number, dead):
                yield act, World((*before, following, *behind), dead, deaths)
            c = self._known[number]
            if not c.client_dead and deaths < self.deaths:
                killed = self._number(replace(c, client_dead=True, client_todo=()))
                act = Act(self.parties[place], "is killed", chance=True)
                yield act, World((*before, killed, *behind), dead, deaths + 1)
        if deaths < self.deaths:
            for listener in sorted(set(range(self.listeners)) - dead):
                act = Act(self.parties[self.count + listener], "is killed", chance=True)
                yield act, World(connections, dead | {listener}, deaths + 1)

    def _following(self, place: int, number: int, dead: Dead) -> tuple[tuple[Act, int], ...]:
        """What one connection may do next."""
        key = (place, number, dead)
        found = self._next.get(key)
        if found is None:
            c = self._known[number]
            client = () if c.client_dead else self._client(dead, c, self.parties[place])
            steps = (*client, *self._server(dead, c))
            found = self._next[key] = tuple((act, self._number(then)) for act, then in steps)
        return found

    # The client -------------------------------------------------------------------------------------------------------

    def _client(self, dead: Dead, c: Connection, name: str) -> Iterator[tuple[Act, Connection]]:
        if c.client_todo:
            item, rest = c.client_todo[0], replace(c, client_todo=c.client_todo[1:])
            if isinstance(item, Event):
                yield self._feed_client(rest, item, name)
            else:
                text = item if isinstance(item, str) else item.name
                for new in self._client_does(rest, item):
                    yield Act(name, f"does {text}"), new
            return
        for event in self._client_events(dead, c):
            yield self._feed_client(replace(c, slot=c.slot or event is ClientEvent.CONNECT_LEASED), event, name)
        if c.message is Message.UNSENT and (c.client is C.OFFERED or c.carries is ClientDo.USE_RING):
            yield Act(name, "sends into the ring"), replace(c, message=Message.RING)
        if c.message is Message.UNSENT and c.carries is ClientDo.USE_KERNEL and c.at != NOWHERE:
            yield Act(name, "sends by the kernel"), replace(c, message=Message.KERNEL)

    def _client_events(self, dead: Dead, c: Connection) -> Iterator[ClientEvent]:
        if c.client is C.IDLE:
            yield ClientEvent.CONNECT_LEASED
            yield ClientEvent.NO_SLOT
        if c.client is C.OFFERED:
            yield ClientEvent.EXPIRED
            if c.word is Word.ACCEPTED:
                yield ClientEvent.ACCEPTED
            if c.server is S.KERNEL or self._dead(dead, c):
                yield ClientEvent.COMPANION_DATA

    def _feed_client(self, c: Connection, event: Event, name: str) -> tuple[Act, Connection]:
        (state, registers), effects = self.clients.feed((c.client, (c.awaited,)), event)
        names = "".join(f" {effect.name}" for effect in effects)
        act = Act(name, f"client: {c.client.name} {event.name} -> {state.name}{names}")
        assert isinstance(state, ClientState)
        awaited = min(PATIENCE, *registers)
        carries = None if state is C.IDLE else c.carries
        return act, replace(
            c, client=state, awaited=awaited, carries=carries, client_todo=(*effects, *c.client_todo)
        )  # fmt: skip

    def _client_does(self, c: Connection, item: Effect | str) -> Iterator[Connection]:
        def then(event: Event | str) -> Todo:
            return (event, *c.client_todo)

        if item is ClientDo.CONNECT_KERNEL:
            at = BACKLOG if c.at == NOWHERE else c.at
            for event in (ClientEvent.KERNEL_OPEN, ClientEvent.KERNEL_SLOW):
                yield replace(c, at=at, client_todo=(*c.client_todo, event))
            yield replace(c, client_todo=(*c.client_todo, ClientEvent.KERNEL_FAILED))
        elif item is ClientDo.MAKE_OFFER:
            yield replace(c, word=Word.OFFERED, client_todo=then(ENTER_PORT))
        elif item == ENTER_PORT and c.port is Port.EMPTY:
            yield replace(c, port=Port.OURS)
        elif item == ENTER_PORT and c.port is Port.PENDING:
            yield replace(c, port=Port.OURS, client_todo=then(ClientEvent.AWAITED))
        elif item == ENTER_PORT:
            taken = c.port is Port.OTHERS
            yield replace(c, client_todo=then(ClientEvent.PORT_TAKEN if taken else ClientEvent.PORT_DECLINED))
        elif item is ClientDo.TRY_WITHDRAW:
            won = c.word is Word.OFFERED
            event = ClientEvent.SWAP_WON if won else ClientEvent.SWAP_LOST
            yield replace(c, word=Word.WITHDRAWN if won else c.word, client_todo=then(event))
        elif item is ClientDo.RESEND_ON_COMPANION:
            yield replace(c, message=Message.KERNEL if c.message is Message.RING else c.message)
        elif item is ClientDo.FREE_SLOT:
            lost = Message.LOST if c.message is Message.RING else c.message
            port = Port.EMPTY if c.port is Port.OURS else c.port
            yield replace(c, word=Word.FREE, port=port, message=lost, slot=False)
        elif item in (ClientDo.USE_RING, ClientDo.USE_KERNEL):
            assert isinstance(item, Effect)
            yield replace(c, carries=item)
        else:
            yield c

    # The listener -----------------------------------------------------------------------------------------------------

    def _server(self, dead: Dead, c: Connection) -> Iterator[tuple[Act, Connection]]:
        if c.at == BACKLOG:
            for listener in sorted(set(range(self.listeners)) - dead):
                name = self.parties[self.count + listener]
                taken = replace(c, at=listener, accepts=c.accepts + 1)
                yield self._feed_server(taken, ServerEvent.ACCEPT_HINTED, name)
                yield self._feed_server(taken, ServerEvent.ACCEPT_PLAIN, name)
            return
        if c.at < 0 or c.at in dead:
            return
        name = self.parties[self.count + c.at]
        if c.server_todo:
            item, rest = c.server_todo[0], replace(c, server_todo=c.server_todo[1:])
            if isinstance(item, Event):
                yield self._feed_server(rest, item, name)
            else:
                yield Act(name, f"does {item if isinstance(item, str) else item.name}"), self._server_does(rest, item)
            return
        yield from self._server_events(c, name)

    def _server_events(self, c: Connection, name: str) -> Iterator[tuple[Act, Connection]]:
        if c.server is S.PENDING:
            yield Act(name, "looks again"), replace(c, server_todo=(ServerDo.LOOK_UP,))
            yield self._feed_server(c, ServerEvent.EXPIRED, name)
            yield self._feed_server(replace(c, server_closes=True), ServerEvent.CLOSE, name)
            if c.message is Message.KERNEL:
                yield self._feed_server(c, ServerEvent.COMPANION_DATA, name)
            if c.client_dead:
                yield self._feed_server(c, ServerEvent.COMPANION_EOF, name)
        if c.message is _READS.get(c.server_carries):
            yield Act(name, "reads the message"), replace(c, message=Message.READ)

    def _feed_server(self, c: Connection, event: Event, name: str) -> tuple[Act, Connection]:
        (state, (marked,)), effects = self.servers.feed((c.server, (c.marked,)), event)
        names = "".join(f" {effect.name}" for effect in effects)
        act = Act(name, f"server: {c.server.name} {event.name} -> {state.name}{names}")
        assert isinstance(state, ServerState)
        return act, replace(c, server=state, marked=marked, server_todo=(*effects, *c.server_todo))

    def _server_does(self, c: Connection, item: Effect | str) -> Connection:
        offered = c.port is Port.OURS and c.word is Word.OFFERED

        def then(event: Event) -> Todo:
            return (event, *c.server_todo)

        if item in (ServerDo.USE_RING, ServerDo.USE_KERNEL):
            return replace(c, server_carries=item)
        if item is ServerDo.LOOK_UP:
            return replace(c, server_todo=then(ServerEvent.FOUND if offered else ServerEvent.ABSENT))
        if item is ServerDo.TRY_TAKE:
            won = c.word is Word.OFFERED
            event = ServerEvent.SWAP_WON if won else ServerEvent.SWAP_LOST
            return replace(c, word=Word.ACCEPTED if won else c.word, server_todo=then(event))
        if item is ServerDo.DECLARE_DECLINED and offered:
            return replace(c, server_todo=then(ServerEvent.DECLINE_LOST))
        entered = _SWAPS.get(item, {}).get(c.port, c.port)
        return replace(
            c,
            port=entered,
            server_todo=then(ServerEvent.DECLINE_WON) if item is ServerDo.DECLARE_DECLINED else c.server_todo,
        )
