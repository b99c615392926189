"""Connection: how both ends come to use the rings, or agree not to.

Theory. The kernel's connection exists first; the question is only whether bytes go through it or through a slot of a
slab. The client says so twice: by a hint in its SYN, which costs nothing and lets the server wait for the offer
without an answer to anybody else; and by the *offer word* of its slot, which only these two can see. The word decides,
by compare-and-swap: OFFERED to ACCEPTED by the server, OFFERED to WITHDRAWN by the client. One of them wins, both
learn who. A client that offers nothing leaves no word behind: then the server writes DECLINED where the client would
have entered its port, again by compare-and-swap, so that an offer which comes too late fails.

    law     both ends end with rings, or both with the kernel, whoever is slow and whatever crosses
    law     bytes that the client put into the ring before it withdrew are sent again over the companion, first

A server that does not find the offer at once writes PENDING there first. A client that meets this mark as it enters its
port knows that the server has accepted and looks into this very slab, however long it may be busy with other things.

A client's patience runs only while the connection is no longer in the server's backlog: before that nobody could answer
by the kernel either, and a server that is busy for a second must not make a connection slow for its whole life.

The moment between trying a swap and knowing its result is a state: WITHDRAWING, TAKING, DECLINING; so is a server's
first look: ARRIVING.

Source: docs/explanation/architecture.md, "Setting up".
"""

from __future__ import annotations

from sdcore.protocol import layout
from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Reg, Row, State, ignored


class ClientState(State):
    """Where a connecting end stands."""

    IDLE = "not connected"
    CONNECTING = "the kernel connects, with the hint"
    OFFERED = "connected; bytes go into the ring, the server has not accepted yet"
    WITHDRAWING = "tries to take the offer back"
    ESTABLISHED = "connected through the rings"
    KERNEL = "connected, or connecting, by kernel TCP alone"
    CLOSED = "closed"


class ClientEvent(Event):
    """What happens to a connecting end."""

    CONNECT_LEASED = "the program connects, and a lease with a free slot leads there"
    CONNECT_PLAIN = "the program connects, and no lease leads there"
    NO_SLOT = "the program connects, and every slot of the lease is in use"
    KERNEL_OPEN = "the kernel's handshake is complete"
    KERNEL_SLOW = "the kernel's handshake goes on behind the program's back (EINPROGRESS)"
    KERNEL_FAILED = "the kernel could not connect"
    PORT_TAKEN = "the table has an entry for this client port already"
    PORT_DECLINED = "the server has declined this client port"
    AWAITED = "the port's entry said PENDING before we entered it"
    ACCEPTED = "the offer word says ACCEPTED", PEER
    EXPIRED = "OFFER_TIMEOUT_NS of waiting went by with the connection out of the server's backlog"
    LEAVE = "the connection is to move to the kernel, or nothing will be read from it"
    COMPANION_DATA = "bytes, end of file or an error on the companion", PEER
    SWAP_WON = "the offer word went from OFFERED to WITHDRAWN"
    SWAP_LOST = "the offer word was ACCEPTED already"
    CLOSE = "the last descriptor is closed; in OFFERED it is fed again when the swap is decided"


class ClientDo(Effect):
    """What the driver of a connecting end must do."""

    HINT = "set the TTL (hop limit) to HINT_TTL; AF_UNIX: have the kernel choose a name, by which the server knows us"
    CONNECT_KERNEL = "connect in the kernel; with the hint feed KERNEL_OPEN, KERNEL_SLOW or KERNEL_FAILED"
    UNHINT = "restore the TTL; a name stays, and the program is not told of it"
    MAKE_OFFER = (
        "write addresses and offer word, enter the slot by port where EMPTY or PENDING stands, then feeding AWAITED; "
        "if that fails feed PORT_TAKEN or PORT_DECLINED"
    )
    TRY_WITHDRAW = "swap the offer word from OFFERED to WITHDRAWN; feed SWAP_WON or SWAP_LOST"
    RESEND_ON_COMPANION = "send the ring's bytes over the companion before anything else"
    FREE_SLOT = "clear the port's entry and give the slot back"
    USE_KERNEL = "from now on the kernel moves the bytes"
    USE_RING = "the rings move the bytes; the offer cannot be lost any more"


CS, CE, CD = ClientState, ClientEvent, ClientDo
CONNECT_HINTED = (CD.HINT, CD.CONNECT_KERNEL, CD.UNHINT)
CONNECT_PLAINLY = (CD.USE_KERNEL, CD.CONNECT_KERNEL)
GIVE_UP_SLOT = (CD.FREE_SLOT, CD.USE_KERNEL)
FALL_BACK = (CD.RESEND_ON_COMPANION, CD.FREE_SLOT, CD.USE_KERNEL)

awaited = Reg(
    "awaited", bits=8, doc="so many times more the offer may expire: the server has said that it looks for it"
)
PATIENT = {awaited: layout.OFFER_PATIENCE}
LESS_PATIENT = {awaited: awaited - 1}

CLIENT = Machine(
    "client", "The connecting end: offers a slot, and takes the offer back if nobody takes it up.",
    CS, CE, CD, registers=(awaited,), rows=(
    # state      event              if      set do               next
    Row(CS.IDLE, CE.CONNECT_LEASED, ALWAYS, {}, CONNECT_HINTED,  CS.CONNECTING),
    Row(CS.IDLE, CE.CONNECT_PLAIN,  ALWAYS, {}, CONNECT_PLAINLY, CS.KERNEL),
    Row(CS.IDLE, CE.NO_SLOT,        ALWAYS, {}, CONNECT_PLAINLY, CS.KERNEL),
    Row(CS.IDLE, CE.CLOSE,          ALWAYS, {}, NOTHING,         CS.CLOSED),

    Row(CS.CONNECTING, CE.KERNEL_OPEN,   ALWAYS, {}, CD.MAKE_OFFER, CS.OFFERED),
    Row(CS.CONNECTING, CE.KERNEL_SLOW,   ALWAYS, {}, GIVE_UP_SLOT,  CS.KERNEL),
    Row(CS.CONNECTING, CE.KERNEL_FAILED, ALWAYS, {}, CD.FREE_SLOT,  CS.IDLE),
    Row(CS.CONNECTING, CE.CLOSE,         ALWAYS, {}, CD.FREE_SLOT,  CS.CLOSED),

    Row(CS.OFFERED, CE.AWAITED,        ALWAYS,      PATIENT,      NOTHING,         CS.OFFERED),
    Row(CS.OFFERED, CE.ACCEPTED,       ALWAYS,      {},           CD.USE_RING,     CS.ESTABLISHED),
    Row(CS.OFFERED, CE.PORT_TAKEN,     ALWAYS,      {},           GIVE_UP_SLOT,    CS.KERNEL),
    Row(CS.OFFERED, CE.PORT_DECLINED,  ALWAYS,      {},           GIVE_UP_SLOT,    CS.KERNEL),
    Row(CS.OFFERED, CE.EXPIRED,        awaited > 0, LESS_PATIENT, NOTHING,         CS.OFFERED),
    Row(CS.OFFERED, CE.EXPIRED,        ALWAYS,      {},           CD.TRY_WITHDRAW, CS.WITHDRAWING),
    Row(CS.OFFERED, CE.LEAVE,          ALWAYS,      {},           CD.TRY_WITHDRAW, CS.WITHDRAWING),
    Row(CS.OFFERED, CE.COMPANION_DATA, ALWAYS,      {},           CD.TRY_WITHDRAW, CS.WITHDRAWING),
    Row(CS.OFFERED, CE.CLOSE,          ALWAYS,      {},           CD.TRY_WITHDRAW, CS.WITHDRAWING),

    Row(CS.WITHDRAWING, CE.SWAP_WON,  ALWAYS, {}, FALL_BACK,   CS.KERNEL),
    Row(CS.WITHDRAWING, CE.SWAP_LOST, ALWAYS, {}, CD.USE_RING, CS.ESTABLISHED),

    # Closing what is established is the teardown machine's.
    Row(CS.ESTABLISHED, CE.CLOSE, ALWAYS, {}, NOTHING, CS.CLOSED),
    *ignored(CS.ESTABLISHED, CE.ACCEPTED, CE.EXPIRED, CE.LEAVE, CE.COMPANION_DATA),

    Row(CS.KERNEL, CE.CONNECT_LEASED, ALWAYS, {}, CD.CONNECT_KERNEL, CS.KERNEL),
    Row(CS.KERNEL, CE.CONNECT_PLAIN,  ALWAYS, {}, CD.CONNECT_KERNEL, CS.KERNEL),
    Row(CS.KERNEL, CE.NO_SLOT,        ALWAYS, {}, CD.CONNECT_KERNEL, CS.KERNEL),
    Row(CS.KERNEL, CE.KERNEL_FAILED,  ALWAYS, {}, NOTHING,           CS.IDLE),
    Row(CS.KERNEL, CE.CLOSE,          ALWAYS, {}, NOTHING,           CS.CLOSED),
    *ignored(CS.KERNEL, CE.KERNEL_OPEN, CE.KERNEL_SLOW, CE.EXPIRED, CE.LEAVE, CE.COMPANION_DATA),

    *ignored(CS.CLOSED, CE.CLOSE),
))  # fmt: skip


class ServerState(State):
    """Where an accepting end stands."""

    IDLE = "not accepted yet"
    ARRIVING = "accepted in the kernel with the hint; looks for the offer for the first time"
    PENDING = "accepted in the kernel with the hint; the offer is not found yet"
    TAKING = "tries to take the offer"
    ESTABLISHED = "connected through the rings"
    DECLINING = "tries to decline before an offer comes"
    KERNEL = "connected by kernel TCP alone"
    CLOSED = "closed"


class ServerEvent(Event):
    """What happens to an accepting end."""

    ACCEPT_PLAIN = "the kernel accepted a connection whose SYN carried no hint"
    ACCEPT_HINTED = "the kernel accepted a connection whose SYN carried the hint"
    FOUND = "one of the listener's slabs has an offer with this port and these addresses", PEER
    ABSENT = "none of the listener's slabs has it"
    SWAP_WON = "the offer word went from OFFERED to ACCEPTED"
    SWAP_LOST = "the client has withdrawn"
    EXPIRED = "OFFER_TIMEOUT_NS of waiting went by, no client can offer it any more, or it is to move to the kernel"
    COMPANION_DATA = "bytes on the companion: the client does not use a ring", PEER
    COMPANION_EOF = "the companion is at end of file, or failed", PEER
    DECLINE_WON = "the port's entry went from EMPTY or PENDING to DECLINED"
    DECLINE_LOST = "the port has an entry: an offer has come meanwhile"
    CLOSE = "the last descriptor is closed"


class ServerDo(Effect):
    """What the driver of an accepting end must do."""

    LOOK_UP = "look for the offer in the listener's slabs; feed FOUND or ABSENT, and ABSENT may be looked up again"
    MARK = "where the port's entry says EMPTY, or DECLINED from an earlier connection, swap it to PENDING, in each slab"
    UNMARK = "where the port's entry says PENDING, swap it to EMPTY, in each slab"
    TRY_TAKE = "swap the offer word from OFFERED to ACCEPTED; feed SWAP_WON or SWAP_LOST"
    DECLARE_DECLINED = (
        "swap the port's entry from EMPTY or PENDING to DECLINED in each slab; feed DECLINE_WON, or DECLINE_LOST "
        "if that fails"
    )
    USE_KERNEL = "from now on the kernel moves the bytes"
    USE_RING = "from now on the rings move the bytes"


SS, SE, SD = ServerState, ServerEvent, ServerDo
marked = Reg("marked", bits=8, doc="1: PENDING may stand in the port's entry")
SERVER = Machine(
    "server", "The accepting end: takes the offer that belongs to a connection, or declines it.",
    SS, SE, SD, registers=(marked,), rows=(
    # state      event             if      set do             next
    Row(SS.IDLE, SE.ACCEPT_PLAIN,  ALWAYS, {}, SD.USE_KERNEL, SS.KERNEL),
    Row(SS.IDLE, SE.ACCEPT_HINTED, ALWAYS, {}, SD.LOOK_UP,    SS.ARRIVING),
    Row(SS.IDLE, SE.CLOSE,         ALWAYS, {}, NOTHING,       SS.CLOSED),

    Row(SS.ARRIVING, SE.FOUND,  ALWAYS, {},          SD.TRY_TAKE, SS.TAKING),
    Row(SS.ARRIVING, SE.ABSENT, ALWAYS, {marked: 1}, SD.MARK,     SS.PENDING),

    Row(SS.PENDING, SE.FOUND,          ALWAYS, {}, SD.TRY_TAKE,         SS.TAKING),
    Row(SS.PENDING, SE.ABSENT,         ALWAYS, {}, NOTHING,             SS.PENDING),
    Row(SS.PENDING, SE.EXPIRED,        ALWAYS, {}, SD.DECLARE_DECLINED, SS.DECLINING),
    Row(SS.PENDING, SE.COMPANION_DATA, ALWAYS, {}, SD.DECLARE_DECLINED, SS.DECLINING),
    Row(SS.PENDING, SE.COMPANION_EOF,  ALWAYS, {}, SD.DECLARE_DECLINED, SS.DECLINING),
    # The client sees the kernel's end of file and withdraws.
    Row(SS.PENDING, SE.CLOSE,          ALWAYS, {}, SD.UNMARK,           SS.CLOSED),

    Row(SS.TAKING, SE.SWAP_WON,  marked > 0, {}, (SD.UNMARK, SD.USE_RING),   SS.ESTABLISHED),
    Row(SS.TAKING, SE.SWAP_WON,  ALWAYS,     {}, SD.USE_RING,                SS.ESTABLISHED),
    Row(SS.TAKING, SE.SWAP_LOST, marked > 0, {}, (SD.UNMARK, SD.USE_KERNEL), SS.KERNEL),
    Row(SS.TAKING, SE.SWAP_LOST, ALWAYS,     {}, SD.USE_KERNEL,              SS.KERNEL),

    Row(SS.DECLINING, SE.DECLINE_WON,  ALWAYS, {}, SD.USE_KERNEL, SS.KERNEL),
    Row(SS.DECLINING, SE.DECLINE_LOST, ALWAYS, {}, SD.LOOK_UP,    SS.PENDING),

    # Closing what is established is the teardown machine's.
    Row(SS.ESTABLISHED, SE.CLOSE, ALWAYS, {}, NOTHING, SS.CLOSED),
    *ignored(SS.ESTABLISHED, SE.EXPIRED, SE.COMPANION_DATA, SE.COMPANION_EOF),

    Row(SS.KERNEL, SE.CLOSE, ALWAYS, {}, NOTHING, SS.CLOSED),
    *ignored(SS.KERNEL, SE.EXPIRED, SE.COMPANION_DATA, SE.COMPANION_EOF),

    *ignored(SS.CLOSED, SE.CLOSE),
))  # fmt: skip

MACHINES = (CLIENT, SERVER)
