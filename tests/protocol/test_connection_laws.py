"""Both ends of a connection end with rings, or both with the kernel, in every order of what they do.

A world is both machines, what each still has to do, and the two words that they share: the offer word and the port's
entry. Each effect on a shared word is one step, so everything that can cross does cross.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from sdcore.protocol import layout
from sdcore.protocol.connection import (
    CLIENT,
    SERVER,
    ClientDo,
    ClientEvent,
    ClientState,
    ServerDo,
    ServerEvent,
    ServerState,
)
from sdcore.protocol.kit import Effect, Event, Machine, Row, State
from tests.protocol.explore import changed, explore, step, stuck

C, S = ClientState, ServerState
FREE, OFFERED, ACCEPTED, WITHDRAWN = "free", "offered", "accepted", "withdrawn"
EMPTY, OURS, OTHERS, PENDING, DECLINED = "empty", "ours", "others", "pending", "declined"
ENTER_PORT = "enter port"
Todo = tuple[Effect | Event | str, ...]


@dataclass(frozen=True)
class World:
    """One connection between a client with a lease and a server with the same slab."""

    port: str
    word: str = FREE
    in_kernel: bool = False
    client: State = C.IDLE
    server: State = S.IDLE
    client_todo: Todo = ()
    server_todo: Todo = ()


class Model:
    """The mechanisms of both ends, around given tables."""

    def __init__(self, client: Machine = CLIENT, server: Machine = SERVER) -> None:
        self.client = client
        self.server = server

    def following(self, w: World) -> Iterator[World]:
        """Every world that one step of either end leads to."""
        if w.client_todo:
            yield from self._client_does(replace(w, client_todo=w.client_todo[1:]), w.client_todo[0])
        else:
            yield from (replace(w, client_todo=(event,)) for event in self._client_events(w))
        if w.server_todo:
            yield from self._server_does(replace(w, server_todo=w.server_todo[1:]), w.server_todo[0])
        else:
            yield from (replace(w, server_todo=(item,)) for item in self._server_events(w))

    def _client_events(self, w: World) -> Iterator[Event]:
        if w.client is C.IDLE:
            yield ClientEvent.CONNECT_LEASED
        if w.client is C.OFFERED:
            yield ClientEvent.EXPIRED
            if w.word == ACCEPTED:
                yield ClientEvent.ACCEPTED
            if w.server is S.KERNEL:
                yield ClientEvent.COMPANION_DATA

    def _server_events(self, w: World) -> Iterator[Event | Effect]:
        if w.server is S.IDLE and w.in_kernel:
            yield ServerEvent.ACCEPT_HINTED
            yield ServerEvent.ACCEPT_PLAIN
        if w.server is S.PENDING:
            yield ServerDo.LOOK_UP
            yield ServerEvent.EXPIRED
            if w.client is C.KERNEL:
                yield ServerEvent.COMPANION_DATA
                yield ServerEvent.COMPANION_EOF

    def _client_does(self, w: World, item: Effect | Event | str) -> Iterator[World]:
        def then(*events: Event | str, **changes: str | bool) -> World:
            return replace(w, client_todo=(*events, *w.client_todo), **changes)  # type: ignore[arg-type]

        if isinstance(item, Event):
            state, effects = step(self.client, w.client, item)
            yield replace(w, client=state, client_todo=(*effects, *w.client_todo))
        elif item is ClientDo.CONNECT_KERNEL:
            for event in (ClientEvent.KERNEL_OPEN, ClientEvent.KERNEL_SLOW):
                yield replace(w, in_kernel=True, client_todo=(*w.client_todo, event))
        elif item is ClientDo.MAKE_OFFER:
            yield then(ENTER_PORT, word=OFFERED)
        elif item == ENTER_PORT:
            answers = {DECLINED: ClientEvent.PORT_DECLINED, OTHERS: ClientEvent.PORT_TAKEN}
            if w.port == PENDING:
                yield then(ClientEvent.AWAITED, port=OURS)
            else:
                yield then(port=OURS) if w.port == EMPTY else then(answers[w.port])
        elif item is ClientDo.TRY_WITHDRAW:
            won = w.word == OFFERED
            yield then(ClientEvent.SWAP_WON, word=WITHDRAWN) if won else then(ClientEvent.SWAP_LOST)
        elif item is ClientDo.FREE_SLOT:
            yield then(word=FREE, port=EMPTY if w.port == OURS else w.port)
        else:
            yield w

    def _server_does(self, w: World, item: Effect | Event | str) -> Iterator[World]:
        def then(event: Event, **changes: str) -> World:
            return replace(w, server_todo=(event, *w.server_todo), **changes)  # type: ignore[arg-type]

        offered = w.port == OURS and w.word == OFFERED
        if isinstance(item, Event):
            state, effects = step(self.server, w.server, item)
            yield replace(w, server=state, server_todo=(*effects, *w.server_todo))
        elif item is ServerDo.LOOK_UP:
            yield then(ServerEvent.FOUND if offered else ServerEvent.ABSENT)
        elif item is ServerDo.TRY_TAKE:
            won = w.word == OFFERED
            yield then(ServerEvent.SWAP_WON, word=ACCEPTED) if won else then(ServerEvent.SWAP_LOST)
        elif item is ServerDo.DECLARE_DECLINED:
            if offered:
                yield then(ServerEvent.DECLINE_LOST)
            else:
                yield then(ServerEvent.DECLINE_WON, port=DECLINED if w.port in (EMPTY, PENDING) else w.port)
        elif item is ServerDo.MARK:
            yield replace(w, port=PENDING if w.port in (EMPTY, DECLINED) else w.port)
        else:
            yield w


def settled(w: World) -> bool:
    """Both ends have decided and have nothing left to do."""
    ends = w.client in (C.ESTABLISHED, C.KERNEL) and w.server in (S.ESTABLISHED, S.KERNEL)
    return ends and not w.client_todo and not w.server_todo


def agreed(w: World) -> bool:
    """Both use the rings, or neither."""
    return (w.client is C.ESTABLISHED) == (w.server is S.ESTABLISHED)


def worlds(model: Model) -> dict[World, list[World]]:
    """All worlds, whatever earlier connections left in the port's entry."""
    return explore([World(port) for port in (EMPTY, OTHERS, PENDING, DECLINED)], model.following)


def test_both_ends_agree_in_every_order_of_events() -> None:
    ends = [w for w in worlds(Model()) if settled(w)]
    assert [w for w in ends if not agreed(w)] == []
    assert {w.client for w in ends} == {C.ESTABLISHED, C.KERNEL}


def test_both_ends_can_always_still_come_to_an_end() -> None:
    assert stuck(worlds(Model()), settled) == []


def test_an_established_connection_keeps_its_slot() -> None:
    ends = [w for w in worlds(Model()) if settled(w) and w.client is C.ESTABLISHED]
    assert {w.word for w in ends} == {ACCEPTED}


def leads_to(state: State) -> Callable[[Row], Row]:
    """Make a row lead to another state."""
    return lambda row: Row(row.state, row.event, row.if_, row.set, row.do, state)


@pytest.mark.parametrize(
    "wrong",
    [
        Model(client=changed(CLIENT, C.WITHDRAWING, ClientEvent.SWAP_LOST, leads_to(C.KERNEL))),
        Model(client=changed(CLIENT, C.WITHDRAWING, ClientEvent.SWAP_WON, leads_to(C.ESTABLISHED))),
        Model(server=changed(SERVER, S.TAKING, ServerEvent.SWAP_LOST, leads_to(S.ESTABLISHED))),
    ],
    ids=[
        "withdraws after the server accepted",
        "uses the rings after it withdrew",
        "takes what was withdrawn",
    ],
)
def test_a_table_in_which_one_end_ignores_the_other_is_found_out(wrong: Model) -> None:
    graph = worlds(wrong)
    assert stuck(graph, settled) or [w for w in graph if settled(w) and not agreed(w)]


def test_an_offer_that_the_server_looks_for_outlasts_its_time_but_not_for_ever() -> None:
    client = CLIENT.start()
    client.state = C.OFFERED
    client.feed(ClientEvent.AWAITED)
    for _ in range(layout.OFFER_PATIENCE):
        assert client.feed(ClientEvent.EXPIRED) == ()
    assert client.feed(ClientEvent.EXPIRED) == (ClientDo.TRY_WITHDRAW,)


@pytest.mark.parametrize("event", [ClientEvent.LEAVE, ClientEvent.COMPANION_DATA, ClientEvent.CLOSE])
def test_an_offer_that_the_server_looks_for_is_taken_back_at_once_for_other_reasons(event: ClientEvent) -> None:
    client = CLIENT.start()
    client.state = C.OFFERED
    client.feed(ClientEvent.AWAITED)
    assert client.feed(event) == (ClientDo.TRY_WITHDRAW,)


def test_a_server_takes_its_mark_away_however_it_ends() -> None:
    for events in (
        [ServerEvent.CLOSE],
        [ServerEvent.FOUND, ServerEvent.SWAP_WON],
        [ServerEvent.FOUND, ServerEvent.SWAP_LOST],
    ):
        server = SERVER.start()
        effects = [server.feed(event) for event in (ServerEvent.ACCEPT_HINTED, ServerEvent.ABSENT, *events)]
        assert effects[1] == (ServerDo.MARK,)
        assert ServerDo.UNMARK in effects[-1]


def test_what_was_put_into_the_ring_is_sent_again_before_the_kernel_is_used() -> None:
    _, effects = step(CLIENT, C.WITHDRAWING, ClientEvent.SWAP_WON)
    assert effects.index(ClientDo.RESEND_ON_COMPANION) < effects.index(ClientDo.FREE_SLOT)
    assert effects.index(ClientDo.RESEND_ON_COMPANION) < effects.index(ClientDo.USE_KERNEL)


def test_the_hint_is_set_only_around_the_connect() -> None:
    _, effects = step(CLIENT, C.IDLE, ClientEvent.CONNECT_LEASED)
    assert effects == (ClientDo.HINT, ClientDo.CONNECT_KERNEL, ClientDo.UNHINT)
