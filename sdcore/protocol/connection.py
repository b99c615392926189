"""Connection: how both ends come to use the rings, or agree not to.

Theory. The kernel's connection exists first; the question is only whether bytes go through it or through a slot of a
slab. The client says so twice: by a hint in its SYN, which costs nothing and lets the server wait for the offer
without an answer to anybody else; and by the *offer word* of its slot, which only these two can see. The word decides,
by compare-and-swap: OFFERED to ACCEPTED by the server, OFFERED to WITHDRAWN by the client. One of them wins, both
learn who. A client that offers nothing leaves no word behind: then the server writes DECLINED where the client would
have entered its port, again by compare-and-swap, so that an offer which comes too late fails.

    law     both ends end with rings, or both with the kernel, whoever is slow and whatever crosses
    law     bytes that the client put into the ring before it withdrew are sent again over the companion, first

The moment between trying a swap and knowing its result is a state: WITHDRAWING, TAKING, DECLINING.

Source: docs/explanation/architecture.md, "Setting up".
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Row, State, ignored


class ClientState(State):
    IDLE = "not connected"
    CONNECTING = "the kernel connects, with the hint"
    OFFERED = "connected; bytes go into the ring, the server has not accepted yet"
    WITHDRAWING = "tries to take the offer back"
    ESTABLISHED = "connected through the rings"
    KERNEL = "connected, or connecting, by kernel TCP alone"
    CLOSED = "closed"


class ClientEvent(Event):
    CONNECT_LEASED = "the program connects, and a lease with a free slot leads there"
    CONNECT_PLAIN = "the program connects, and no lease leads there"
    NO_SLOT = "the program connects, and every slot of the lease is in use"
    KERNEL_OPEN = "the kernel's handshake is complete"
    KERNEL_SLOW = "the kernel's handshake goes on behind the program's back (EINPROGRESS)"
    KERNEL_FAILED = "the kernel could not connect"
    PORT_TAKEN = "the table has an entry for this client port already"
    PORT_DECLINED = "the server has declined this client port"
    ACCEPTED = "the offer word says ACCEPTED", PEER
    EXPIRED = "OFFER_TIMEOUT_NS of waiting went by, or the connection is to move to the kernel"
    COMPANION_DATA = "bytes, end of file or an error on the companion", PEER
    SWAP_WON = "the offer word went from OFFERED to WITHDRAWN"
    SWAP_LOST = "the offer word was ACCEPTED already"
    CLOSE = "the last descriptor is closed; in OFFERED it is fed again when the swap is decided"


class ClientDo(Effect):
    HINT = "set the TTL (hop limit) to HINT_TTL"
    CONNECT_KERNEL = "connect in the kernel; with the hint feed KERNEL_OPEN, KERNEL_SLOW or KERNEL_FAILED"
    UNHINT = "restore the TTL"
    MAKE_OFFER = "write the addresses, set the offer word, enter the slot by port; feed PORT_TAKEN or PORT_DECLINED if that fails"
    TRY_WITHDRAW = "swap the offer word from OFFERED to WITHDRAWN; feed SWAP_WON or SWAP_LOST"
    RESEND_ON_COMPANION = "send the ring's bytes over the companion before anything else"
    FREE_SLOT = "clear the port's entry and give the slot back"
    USE_KERNEL = "from now on the kernel moves the bytes"
    USE_RING = "the rings move the bytes; the offer cannot be lost any more"


CONNECT_HINTED = (ClientDo.HINT, ClientDo.CONNECT_KERNEL, ClientDo.UNHINT)
CONNECT_PLAINLY = (ClientDo.USE_KERNEL, ClientDo.CONNECT_KERNEL)
GIVE_UP_SLOT = (ClientDo.FREE_SLOT, ClientDo.USE_KERNEL)
FALL_BACK = (ClientDo.RESEND_ON_COMPANION, ClientDo.FREE_SLOT, ClientDo.USE_KERNEL)

CLIENT = Machine(
    "client", "The connecting end: offers a slot, and takes the offer back if nobody takes it up.",
    ClientState, ClientEvent, ClientDo, registers=(), rows=(
    # state               event                       if      set do               next
    Row(ClientState.IDLE, ClientEvent.CONNECT_LEASED, ALWAYS, {}, CONNECT_HINTED,  ClientState.CONNECTING),
    Row(ClientState.IDLE, ClientEvent.CONNECT_PLAIN,  ALWAYS, {}, CONNECT_PLAINLY, ClientState.KERNEL),
    Row(ClientState.IDLE, ClientEvent.NO_SLOT,        ALWAYS, {}, CONNECT_PLAINLY, ClientState.KERNEL),
    Row(ClientState.IDLE, ClientEvent.CLOSE,          ALWAYS, {}, NOTHING,         ClientState.CLOSED),

    Row(ClientState.CONNECTING, ClientEvent.KERNEL_OPEN,   ALWAYS, {}, ClientDo.MAKE_OFFER, ClientState.OFFERED),
    Row(ClientState.CONNECTING, ClientEvent.KERNEL_SLOW,   ALWAYS, {}, GIVE_UP_SLOT,        ClientState.KERNEL),
    Row(ClientState.CONNECTING, ClientEvent.KERNEL_FAILED, ALWAYS, {}, ClientDo.FREE_SLOT,  ClientState.IDLE),
    Row(ClientState.CONNECTING, ClientEvent.CLOSE,         ALWAYS, {}, ClientDo.FREE_SLOT,  ClientState.CLOSED),

    Row(ClientState.OFFERED, ClientEvent.ACCEPTED,       ALWAYS, {}, ClientDo.USE_RING,     ClientState.ESTABLISHED),
    Row(ClientState.OFFERED, ClientEvent.PORT_TAKEN,     ALWAYS, {}, GIVE_UP_SLOT,          ClientState.KERNEL),
    Row(ClientState.OFFERED, ClientEvent.PORT_DECLINED,  ALWAYS, {}, GIVE_UP_SLOT,          ClientState.KERNEL),
    Row(ClientState.OFFERED, ClientEvent.EXPIRED,        ALWAYS, {}, ClientDo.TRY_WITHDRAW, ClientState.WITHDRAWING),
    Row(ClientState.OFFERED, ClientEvent.COMPANION_DATA, ALWAYS, {}, ClientDo.TRY_WITHDRAW, ClientState.WITHDRAWING),
    Row(ClientState.OFFERED, ClientEvent.CLOSE,          ALWAYS, {}, ClientDo.TRY_WITHDRAW, ClientState.WITHDRAWING),

    Row(ClientState.WITHDRAWING, ClientEvent.SWAP_WON,   ALWAYS, {}, FALL_BACK,             ClientState.KERNEL),
    Row(ClientState.WITHDRAWING, ClientEvent.SWAP_LOST,  ALWAYS, {}, ClientDo.USE_RING,     ClientState.ESTABLISHED),

    # Closing what is established is the teardown machine's.
    Row(ClientState.ESTABLISHED, ClientEvent.CLOSE,      ALWAYS, {}, NOTHING,               ClientState.CLOSED),
    *ignored(ClientState.ESTABLISHED, ClientEvent.ACCEPTED, ClientEvent.EXPIRED, ClientEvent.COMPANION_DATA),

    Row(ClientState.KERNEL, ClientEvent.CONNECT_LEASED,  ALWAYS, {}, ClientDo.CONNECT_KERNEL, ClientState.KERNEL),
    Row(ClientState.KERNEL, ClientEvent.CONNECT_PLAIN,   ALWAYS, {}, ClientDo.CONNECT_KERNEL, ClientState.KERNEL),
    Row(ClientState.KERNEL, ClientEvent.NO_SLOT,         ALWAYS, {}, ClientDo.CONNECT_KERNEL, ClientState.KERNEL),
    Row(ClientState.KERNEL, ClientEvent.KERNEL_FAILED,   ALWAYS, {}, NOTHING,                 ClientState.IDLE),
    Row(ClientState.KERNEL, ClientEvent.CLOSE,           ALWAYS, {}, NOTHING,                 ClientState.CLOSED),
    *ignored(ClientState.KERNEL, ClientEvent.KERNEL_OPEN, ClientEvent.KERNEL_SLOW, ClientEvent.EXPIRED,
             ClientEvent.COMPANION_DATA),

    *ignored(ClientState.CLOSED, ClientEvent.CLOSE),
))  # fmt: skip


class ServerState(State):
    IDLE = "not accepted yet"
    PENDING = "accepted in the kernel with the hint; the offer is not found yet"
    TAKING = "tries to take the offer"
    ESTABLISHED = "connected through the rings"
    DECLINING = "tries to decline before an offer comes"
    KERNEL = "connected by kernel TCP alone"
    CLOSED = "closed"


class ServerEvent(Event):
    ACCEPT_PLAIN = "the kernel accepted a connection whose SYN carried no hint"
    ACCEPT_HINTED = "the kernel accepted a connection whose SYN carried the hint"
    FOUND = "one of the listener's slabs has an offer with this port and these addresses", PEER
    ABSENT = "none of the listener's slabs has it"
    SWAP_WON = "the offer word went from OFFERED to ACCEPTED"
    SWAP_LOST = "the client has withdrawn"
    EXPIRED = "OFFER_TIMEOUT_NS of waiting went by, or the connection is to move to the kernel"
    COMPANION_DATA = "bytes on the companion: the client does not use a ring", PEER
    COMPANION_EOF = "the companion is at end of file, or failed", PEER
    DECLINE_WON = "the port's entry went from EMPTY to DECLINED"
    DECLINE_LOST = "the port has an entry: an offer has come meanwhile"
    CLOSE = "the last descriptor is closed"


class ServerDo(Effect):
    LOOK_UP = "look for the offer in the listener's slabs; feed FOUND or ABSENT, and ABSENT may be looked up again"
    TRY_TAKE = "swap the offer word from OFFERED to ACCEPTED; feed SWAP_WON or SWAP_LOST"
    DECLARE_DECLINED = "swap the port's entry from EMPTY to DECLINED in each slab; feed DECLINE_WON, or DECLINE_LOST if one has an offer"
    USE_KERNEL = "from now on the kernel moves the bytes"
    USE_RING = "from now on the rings move the bytes"


SERVER = Machine(
    "server", "The accepting end: takes the offer that belongs to a connection, or declines it.",
    ServerState, ServerEvent, ServerDo, registers=(), rows=(
    # state               event                      if      set do                   next
    Row(ServerState.IDLE, ServerEvent.ACCEPT_PLAIN,  ALWAYS, {}, ServerDo.USE_KERNEL, ServerState.KERNEL),
    Row(ServerState.IDLE, ServerEvent.ACCEPT_HINTED, ALWAYS, {}, ServerDo.LOOK_UP,    ServerState.PENDING),
    Row(ServerState.IDLE, ServerEvent.CLOSE,         ALWAYS, {}, NOTHING,             ServerState.CLOSED),

    Row(ServerState.PENDING, ServerEvent.FOUND,          ALWAYS, {}, ServerDo.TRY_TAKE,         ServerState.TAKING),
    Row(ServerState.PENDING, ServerEvent.ABSENT,         ALWAYS, {}, NOTHING,                   ServerState.PENDING),
    Row(ServerState.PENDING, ServerEvent.EXPIRED,        ALWAYS, {}, ServerDo.DECLARE_DECLINED, ServerState.DECLINING),
    Row(ServerState.PENDING, ServerEvent.COMPANION_DATA, ALWAYS, {}, ServerDo.DECLARE_DECLINED, ServerState.DECLINING),
    Row(ServerState.PENDING, ServerEvent.COMPANION_EOF,  ALWAYS, {}, ServerDo.DECLARE_DECLINED, ServerState.DECLINING),
    # The client sees the kernel's end of file and withdraws.
    Row(ServerState.PENDING, ServerEvent.CLOSE,          ALWAYS, {}, NOTHING,                   ServerState.CLOSED),

    Row(ServerState.TAKING, ServerEvent.SWAP_WON,  ALWAYS, {}, ServerDo.USE_RING,   ServerState.ESTABLISHED),
    Row(ServerState.TAKING, ServerEvent.SWAP_LOST, ALWAYS, {}, ServerDo.USE_KERNEL, ServerState.KERNEL),

    Row(ServerState.DECLINING, ServerEvent.DECLINE_WON,  ALWAYS, {}, ServerDo.USE_KERNEL, ServerState.KERNEL),
    Row(ServerState.DECLINING, ServerEvent.DECLINE_LOST, ALWAYS, {}, ServerDo.LOOK_UP,    ServerState.PENDING),

    # Closing what is established is the teardown machine's.
    Row(ServerState.ESTABLISHED, ServerEvent.CLOSE, ALWAYS, {}, NOTHING, ServerState.CLOSED),
    *ignored(ServerState.ESTABLISHED, ServerEvent.EXPIRED, ServerEvent.COMPANION_DATA, ServerEvent.COMPANION_EOF),

    Row(ServerState.KERNEL, ServerEvent.CLOSE,      ALWAYS, {}, NOTHING, ServerState.CLOSED),
    *ignored(ServerState.KERNEL, ServerEvent.EXPIRED, ServerEvent.COMPANION_DATA, ServerEvent.COMPANION_EOF),

    *ignored(ServerState.CLOSED, ServerEvent.CLOSE),
))  # fmt: skip

MACHINES = (CLIENT, SERVER)
