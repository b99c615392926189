"""Exploration: the tables are right in every order of events of small worlds, and wrong tables are found out."""

from __future__ import annotations

import dataclasses

import pytest

from sdcore.protocol.connection import CLIENT, SERVER, ClientDo, ClientEvent, ClientState, ServerEvent, ServerState
from sdcore.protocol.kit import ALWAYS, NOTHING, Event, Machine, State, arg
from sdcore.protocol.lease import LEASE, LeaseDo, LeaseEvent, LeaseState
from sdcore.protocol.ring import (
    RING_RX,
    RING_TX,
    WAITER,
    RxDo,
    RxEvent,
    RxState,
    TxDo,
    TxEvent,
    TxState,
    WaiterDo,
    WaiterEvent,
    WaiterState,
)
from sdcore.protocol.teardown import TEARDOWN, TeardownDo, TeardownEvent, TeardownState
from sdcore.protocol.token import TOKEN_OWNER, TokenDo, TokenEvent, TokenState, owner
from sdcore.protocol.transport import (
    FOLLOWER,
    LEAVER,
    MOVER,
    FollowerDo,
    FollowerEvent,
    FollowerState,
    LeaverDo,
    LeaverEvent,
    LeaverState,
    MoverDo,
    MoverEvent,
    MoverState,
)
from sdsim.explore.chart import as_mermaid, as_text
from sdsim.explore.engine import Found, Table, explore, tables
from sdsim.explore.models import MODELS
from sdsim.explore.offer import OfferModel
from sdsim.mutate import mutants_of
from sdsim.tables import with_rows
from tests.sim.changes import changed

QUICK = ("offer", "ring", "token", "teardown", "move", "join", "drain")


def found(name: str, *machines: Machine) -> Found:
    """Explore a world, some of whose tables are replaced."""
    return explore(MODELS[name][1](tables({machine.name: machine for machine in machines})))


@pytest.mark.parametrize("name", QUICK)
def test_no_order_of_events_breaks_a_law(name: str) -> None:
    result = found(name)
    assert result.fault is None
    assert result.complete
    assert result.worlds > 300


UNNOTICED = {
    "client": {("deleted", "OFFERED EXPIRED [awaited > 0]")},  # less patient, and right
    "server": {
        ("leads to PENDING", "IDLE ACCEPT_HINTED LOOK_UP"),  # looks as well, without a mark
        ("effects dropped", "ARRIVING ABSENT"),  # no mark: the client is less patient
        ("effects dropped", "PENDING COMPANION_EOF"),  # the client is dead
        ("deleted", "TAKING SWAP_WON [marked > 0]"),  # a mark in another slab, and there is one
        ("deleted", "TAKING SWAP_LOST [marked > 0]"),
        ("effects dropped", "DECLINING DECLINE_LOST"),  # it looks again anyhow
    },
}
"""Changes of rows that the world of one client and one listener cannot notice."""


@pytest.mark.parametrize("machine", [CLIENT, SERVER], ids=lambda machine: machine.name)
def test_every_other_change_of_a_row_of_a_handshake_breaks_a_law(machine: Machine) -> None:
    model = MODELS["offer"][1](tables({}))
    explore(model)
    taken = {row for table in vars(model).values() if isinstance(table, Table) for row in table.rows}
    judged = [mutant for mutant in mutants_of(machine) if mutant.row in taken]
    assert len(judged) > 40
    survivors = {(mutant.kind, str(mutant.row)) for mutant in judged if found("offer", mutant.table).fault is None}
    for kind, row in survivors:
        assert any(kind == expected and row.startswith(start) for expected, start in UNNOTICED[machine.name]), row
    assert len(survivors) == len(UNNOTICED[machine.name])


def test_worlds_in_which_parties_changed_places_are_one_and_histories_keep_their_names() -> None:
    alike, apart = (OfferModel(tables({}), clients=2, listeners=2, deaths=0, stale=stale) for stale in (False, True))
    (first,) = alike.first()
    seen = {alike.canonical(world) for _, world in alike.steps(first)}
    assert len(seen) < len(list(alike.steps(first)))
    assert all(apart.canonical(world) is world for world in apart.first())
    closes = changed(SERVER, ServerState.IDLE, ServerEvent.ACCEPT_PLAIN, to(ServerState.CLOSED))
    model = OfferModel(tables({"server": closes}), clients=2, listeners=2, deaths=0, stale=False)
    fault = explore(model).fault
    assert fault is not None
    worlds = set(model.first())
    for act in fault.history:  # it can be followed from the beginning, act by act
        worlds = {new for world in worlds for step, new in model.steps(world) if step == act}
        assert worlds
    assert any(model.wrong(world) is not None for world in worlds)


def test_waiting_for_a_death_is_standing_still() -> None:
    stuck = changed(CLIENT, ClientState.OFFERED, ClientEvent.COMPANION_DATA, without(ClientDo.TRY_WITHDRAW))
    fault = found("offer", stuck).fault
    assert fault is not None
    assert "liveness" in fault.what or "deadlock" in fault.what


def without(effect: object) -> object:
    """Drop an effect from a row."""
    return lambda row: dataclasses.replace(row, do=tuple(e for e in row.effects if e is not effect))


def to(state: object) -> object:
    """Let a row lead to another state."""
    return lambda row: dataclasses.replace(row, next=state)


def without_row(machine: Machine, state: State, event: Event) -> Machine:
    """Leave out the first row for a state and an event."""
    row = machine.groups[state, event][0]
    return with_rows(machine, tuple(other for other in machine.rows if other is not row))


MUTANTS = {
    "sleeps without a second look": (
        "ring",
        changed(
            WAITER, WaiterState.SPINNING, WaiterEvent.EMPTY,
            lambda row: row if WaiterDo.LOOK not in row.effects else dataclasses.replace(
                row, do=(WaiterDo.ANNOUNCE, WaiterDo.FENCE, WaiterDo.BLOCK), next=WaiterState.ASLEEP
            ),
        ),
    ),
    "does not fence": ("ring", changed(WAITER, WaiterState.SPINNING, WaiterEvent.EMPTY, without(WaiterDo.FENCE))),
    "does not announce": ("ring", changed(WAITER, WaiterState.SPINNING, WaiterEvent.EMPTY, without(WaiterDo.ANNOUNCE))),
    "forgets the bytes of a withdrawn offer": (
        "offer",
        changed(CLIENT, ClientState.WITHDRAWING, ClientEvent.SWAP_WON, without(ClientDo.RESEND_ON_COMPANION)),
    ),
    "uses the rings after it withdrew": (
        "offer",
        changed(CLIENT, ClientState.WITHDRAWING, ClientEvent.SWAP_WON, to(ClientState.ESTABLISHED)),
    ),
    "takes what was withdrawn": (
        "offer",
        changed(SERVER, ServerState.TAKING, ServerEvent.SWAP_LOST, to(ServerState.ESTABLISHED)),
    ),
    "ignores a dead client": (
        "offer",
        changed(SERVER, ServerState.DECLINING, ServerEvent.DECLINE_LOST, to(ServerState.KERNEL)),
    ),
    "grants a token to a newcomer while others wait": (
        "token",
        changed(TOKEN_OWNER, TokenState.SHARED, TokenEvent.WANT_IDLE,
                lambda row: dataclasses.replace(row, if_=ALWAYS)),
    ),
    "believes without a fence": (
        "token",
        changed(TOKEN_OWNER, TokenState.REVOKING, TokenEvent.MY_TURN,
                lambda row: dataclasses.replace(row, do=TokenDo.LOOK)),
    ),
    "biases the new owner while others wait": (
        "token",
        changed(TOKEN_OWNER, TokenState.REVOKED, TokenEvent.IDLE, to(TokenState.HELD)),
    ),
    "counts no holding": (
        "token",
        changed(TOKEN_OWNER, TokenState.SHARED, TokenEvent.WANT_IDLE,
                lambda row: dataclasses.replace(row, set={owner: arg}) if TokenDo.GRANT in row.effects else row),
    ),
    "makes good nothing": (
        "token",
        changed(TOKEN_OWNER, TokenState.REVOKED, TokenEvent.OWNER_DIED, without(TokenDo.REPAIR)),
    ),
    "sends while the consumer still puts older bytes there": (
        "move", changed(MOVER, MoverState.LOOKING, MoverEvent.FORWARDS, to(MoverState.OVER))
    ),
    "forgets what the consumer left": (
        "move", changed(MOVER, MoverState.LOOKING, MoverEvent.LEFT, to(MoverState.OVER))
    ),
    "closes though TCP did not take all": (
        "move", changed(MOVER, MoverState.LINGERING, MoverEvent.FULL, without(MoverDo.HAND_OVER))
    ),
    "does not look when it closes": (
        "move", changed(MOVER, MoverState.RINGS, MoverEvent.CLOSE,
                        lambda row: dataclasses.replace(row, do=MoverDo.MARK_CLOSED, next=MoverState.CLOSED))
    ),
    "never ends the stream on the companion": (
        "move", changed(MOVER, MoverState.OVER, MoverEvent.SHUTDOWN, without(MoverDo.END_COMPANION))
    ),
    "puts bytes behind those that overtook them": (
        "move", changed(LEAVER, LeaverState.ANNOUNCED, LeaverEvent.AFTER_MOVE,
                        lambda row: dataclasses.replace(row, do=LeaverDo.PUT, next=LeaverState.PUTTING))
    ),
    "leaves a moved peer's last bytes": (
        "move", changed(LEAVER, LeaverState.RESIGNING, LeaverEvent.MOVED_MEANWHILE,
                        lambda row: dataclasses.replace(row, do=LeaverDo.RESIGN_LAST, next=LeaverState.PUTTING_LAST))
    ),
    "leaves a closed peer's last bytes": (
        "move", changed(LEAVER, LeaverState.RESIGNING, LeaverEvent.CLOSED_MEANWHILE,
                        lambda row: dataclasses.replace(row, do=LeaverDo.SETTLE, next=LeaverState.LEFT))
    ),
    "keeps nothing for who shares": (
        "move", changed(LEAVER, LeaverState.STANDING_IN, LeaverEvent.STANDS_IN, without(LeaverDo.KEEP))
    ),
    "gives its reference back and shows the old connection": (
        "move", changed(FOLLOWER, FollowerState.ASKING, FollowerEvent.GOT,
                        lambda row: dataclasses.replace(row, do=FollowerDo.GIVE_BACK, next=FollowerState.FOLLOWED))
    ),
    "enters the ring while TCP brings older bytes": (
        "join", changed(MOVER, MoverState.OUT, MoverEvent.JOIN,
                        lambda row: dataclasses.replace(row, if_=ALWAYS, do=MoverDo.ENTER, next=MoverState.RINGS))
    ),
    "never enters": ("join", changed(MOVER, MoverState.OUT, MoverEvent.JOIN, to(MoverState.RESENDING))),
    "moves without a look at who is away": (
        "join", changed(MOVER, MoverState.RINGS, MoverEvent.MOVE,
                        lambda row: dataclasses.replace(row, do=MoverDo.PUBLISH_MOVED, next=MoverState.OVER))
    ),
    "goes into the ring though the producer sends it again": (
        "join", changed(RING_RX, RxState.AWAY, RxEvent.MOVED, to(RxState.DRY))
    ),
    "waits for ever outside": (
        "join", changed(RING_RX, RxState.AWAY, RxEvent.QUIET, without(RxDo.ARRIVE))
    ),
    "leaves behind what the producer sends again, too": (
        "join", changed(LEAVER, LeaverState.ANNOUNCED, LeaverEvent.TAKEN_BACK,
                        lambda row: dataclasses.replace(row, do=LeaverDo.STAND_IN_RING, next=LeaverState.STANDING_IN))
    ),
    "drains without a mark for who comes later": (
        "drain", changed(LEASE, LeaseState.GRANTED, LeaseEvent.DRAIN, without(LeaseDo.MARK_DRAINED))
    ),
    "drains without asking": ("drain", changed(LEASE, LeaseState.GRANTED, LeaseEvent.DRAIN, without(LeaseDo.PRESS))),
    "never forgets a drained slab": (
        "drain", changed(LEASE, LeaseState.DRAINED, LeaseEvent.UNUSED, without(LeaseDo.FREE_SLAB))
    ),
    "tells nobody of a reset": (
        "teardown",
        changed(TEARDOWN, TeardownState.OPEN, TeardownEvent.PEER_RESET,
                lambda row: dataclasses.replace(row, do=NOTHING)),
    ),
    "lets a Unix connection send to nobody": (
        "teardown", changed(TEARDOWN, TeardownState.OPEN, TeardownEvent.PEER_CLOSED, without(TeardownDo.SHUT_SEND))
    ),
    "does not stop the peer of a Unix connection": (
        "teardown", changed(TEARDOWN, TeardownState.OPEN, TeardownEvent.SHUT_RD, without(TeardownDo.PUBLISH_DEAF))
    ),
    "closes with bytes unread as if all were read": (
        "teardown", without_row(TEARDOWN, TeardownState.LOCAL_SHUT, TeardownEvent.CLOSE)
    ),
    "lets a program send for ever": (
        "teardown",
        changed(TEARDOWN, TeardownState.PEER_SHUT, TeardownEvent.PEER_CLOSED, without(TeardownDo.LAST_SEND)),
    ),
    "takes a peer that is gone for one that lives": (
        "teardown", changed(TEARDOWN, TeardownState.DEAF, TeardownEvent.PEER_GONE, to(TeardownState.DEAF))
    ),
    "forgets an error that nobody was told of": (
        "teardown", without_row(TEARDOWN, TeardownState.RESET, TeardownEvent.TO_KERNEL)
    ),
    "waits though there is room": (
        "ring", changed(RING_TX, TxState.STARVED, TxEvent.WINDOW, to(TxState.STARVED))
    ),
    "does not tell the sender of room": (
        "ring", changed(RING_TX, TxState.STARVED, TxEvent.CREDIT, without(TxDo.RETRY))
    ),
    "sends behind the end": ("ring", changed(RING_TX, TxState.OPEN, TxEvent.SHUTDOWN, to(TxState.OUT))),
    "revokes a token for nobody": (
        "token", changed(TOKEN_OWNER, TokenState.REVOKED, TokenEvent.IDLE, to(TokenState.REVOKING))
    ),
    "never shares a token": ("token", without_row(TOKEN_OWNER, TokenState.REVOKED, TokenEvent.IDLE)),
    "gives a shared token to one": (
        "token", changed(TOKEN_OWNER, TokenState.SHARED, TokenEvent.WANT_IDLE, to(TokenState.HELD))
    ),
    "lets a free token be waited for": ("token", without_row(TOKEN_OWNER, TokenState.SHARED, TokenEvent.WANT_IDLE)),
    "moves without the reset": (
        "teardown", changed(TEARDOWN, TeardownState.RESET, TeardownEvent.TO_KERNEL, without(TeardownDo.BREAK_COMPANION))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_table_is_found_out_with_its_shortest_history(name: str) -> None:
    world, machine = MUTANTS[name]
    result = found(world, machine)
    assert result.fault is not None
    parties = MODELS[world][1](tables({})).parties
    assert as_text(result.fault, parties).splitlines()[0] == result.fault.what
    chart = as_mermaid(result.fault, parties).splitlines()
    assert chart[0] == "sequenceDiagram"
    assert len(chart) == len(parties) + len(result.fault.history) + 2
