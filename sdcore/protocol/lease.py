"""Lease: a client process's right to meet a listener in a slab, without the monitor.

Theory. The monitor decides once for each (client process, listener): a slab, or a reason. Both sides of the answer are
remembered, so that neither the thousandth connection nor the thousandth refusal costs a message. What is remembered
goes stale in two ways, and a number in shared memory tells of each: a refusal when a listener comes (the listener
generation of the status page), a lease when it is revoked (its slab's header).

Revoking stops new offers only. Connections that stand go on: taking them away would break programs, and their peers
are who they were. After a death the monitor pokes the connections of a slab, so that the survivor looks at its
companion. A client may die with an offer not taken up yet. What it sent must still arrive, as it would from the
kernel's backlog, so the server can get the slab until no offer waits there. A listener may be closed while its
connections stand; the monitor keeps their slab, to show and to poke them, until no slot is in use.

Draining goes further: nothing shall stay in the slab. Its head says so, and a mark in each connection's attention
lines asks both sides to move to the companion (`mover`: MOVE), as either might ask the other. A side sees it where it
looks anyhow, in its next call; who sleeps is woken. A mark may be lost to a client that fills in its slot at that
moment; so the monitor asks again until no slot is in use, and who takes up an offer in a drained slab marks it himself.

    law     a slab is known to the client's process and to processes that hold the listening socket, to nobody else
    law     after LISTENER_GONE, POLICY_CHANGED, CLIENT_DIED or DRAIN no offer is made in any slab of the lease
    law     a monitor that does not answer costs a process one refused look, not a wait for each connect

Source: docs/explanation/architecture.md, "Setting up"; docs/decisions, D1.
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Row, State, arg, ignored


class LeaseState(State):
    """Where a lease stands, as the monitor sees it."""

    NONE = "the client never got a slab for this listener"
    GRANTED = "the client may make offers"
    REVOKED = "no new offers; what is established goes on"
    DRAINED = "no new offers; what is established moves to kernel TCP"
    CLOSED = "nobody listens any more; what is established goes on, unless it is drained"
    DRAINING = "the client is dead; what it offered can still be taken up"
    ENDED = "nothing is left"


class LeaseEvent(Event):
    """What happens to a lease, as the monitor learns it."""

    REQUEST_ALLOWED = "the client asks and policy allows it", PEER
    REQUEST_DENIED = "the client asks and policy forbids it, or the lease has as many slabs as it may", PEER
    REQUEST_MORE = "the client asks, its slabs are full, and policy allows one more", PEER
    CLIENT_DIED = "the client's process is dead"
    LISTENER_GONE = "nobody holds the listening socket any more"
    POLICY_CHANGED = "policy does not allow it any more"
    DRAIN = "an administrator drains the client or a server"
    SERVER_DIED = "one process that held the listening socket is dead; arg others hold it"
    SLAB_FAILED = "the memory of a slab could not be had; the lease has arg slabs"
    OFFERS_TAKEN = "no offer waits in the slabs of a dead client"
    UNUSED = "no slot is in use in the slabs of a closed listener, or in drained ones"


class LeaseDo(Effect):
    """What the monitor must do for a lease."""

    MAKE_SLAB = "make one more slab; if that fails feed SLAB_FAILED and leave the rest of these effects out"
    BUMP_LEASES = "move the status page's lease generation: servers ask for slabs that they do not know"
    SEND_SLAB = "reply with the newest slab"
    DENY = "reply with the reason"
    MARK_REVOKED = "set revoked in the header of each slab"
    MARK_DRAINED = "set revoked to DRAINED in the header of each slab"
    PRESS = "set ARM_DRAIN in the slots in use and ring who sleeps, now and then until none is in use; then feed UNUSED"
    POKE = "set ARM_POKE in the slots in use and ring who sleeps: the survivors look at their companions"
    WATCH_OFFERS = "look until no offer waits in the slabs, then feed OFFERS_TAKEN"
    WATCH_USE = "look until no slot of the slabs is in use, then feed UNUSED"
    FREE_SLAB = "forget the slabs; their memory goes with the last mapping"


LS, LE, LD = LeaseState, LeaseEvent, LeaseDo
DRAIN_SLABS = (LD.MARK_DRAINED, LD.PRESS)
GRANT_SLAB = (LD.MAKE_SLAB, LD.BUMP_LEASES, LD.SEND_SLAB)

LEASE = Machine(
    "lease", "One client process and one listener, as the monitor sees them.",
    LS, LE, LD, registers=(), rows=(
    # state      event               if      set do          next
    Row(LS.NONE, LE.REQUEST_ALLOWED, ALWAYS, {}, GRANT_SLAB, LS.GRANTED),
    Row(LS.NONE, LE.REQUEST_MORE,    ALWAYS, {}, GRANT_SLAB, LS.GRANTED),
    Row(LS.NONE, LE.REQUEST_DENIED,  ALWAYS, {}, LD.DENY,    LS.NONE),
    Row(LS.NONE, LE.CLIENT_DIED,     ALWAYS, {}, NOTHING,    LS.ENDED),
    *ignored(LS.NONE, LE.LISTENER_GONE, LE.POLICY_CHANGED, LE.SERVER_DIED, LE.DRAIN),

    Row(LS.GRANTED, LE.REQUEST_ALLOWED, ALWAYS,  {}, LD.SEND_SLAB,                                LS.GRANTED),
    Row(LS.GRANTED, LE.REQUEST_MORE,    ALWAYS,  {}, GRANT_SLAB,                                  LS.GRANTED),
    Row(LS.GRANTED, LE.REQUEST_DENIED,  ALWAYS,  {}, LD.DENY,                                     LS.GRANTED),
    Row(LS.GRANTED, LE.SLAB_FAILED,     arg > 0, {}, LD.DENY,                                     LS.GRANTED),
    Row(LS.GRANTED, LE.SLAB_FAILED,     ALWAYS,  {}, LD.DENY,                                     LS.NONE),
    Row(LS.GRANTED, LE.LISTENER_GONE,   ALWAYS,  {}, (LD.MARK_REVOKED, LD.WATCH_USE),             LS.CLOSED),
    Row(LS.GRANTED, LE.POLICY_CHANGED,  ALWAYS,  {}, LD.MARK_REVOKED,                             LS.REVOKED),
    Row(LS.GRANTED, LE.DRAIN,           ALWAYS,  {}, DRAIN_SLABS,                                 LS.DRAINED),
    Row(LS.GRANTED, LE.SERVER_DIED,     arg > 0, {}, LD.POKE,                                     LS.GRANTED),
    Row(LS.GRANTED, LE.SERVER_DIED,     ALWAYS,  {}, (LD.MARK_REVOKED, LD.POKE, LD.WATCH_USE),    LS.CLOSED),
    Row(LS.GRANTED, LE.CLIENT_DIED,     ALWAYS,  {}, (LD.MARK_REVOKED, LD.POKE, LD.WATCH_OFFERS), LS.DRAINING),
    *ignored(LS.GRANTED, LE.UNUSED),  # of slabs that were drained before

    # A kinder policy: a new slab, for who saw the old one revoked has dropped it.
    Row(LS.REVOKED, LE.REQUEST_ALLOWED, ALWAYS,  {}, GRANT_SLAB,                 LS.GRANTED),
    Row(LS.REVOKED, LE.REQUEST_MORE,    ALWAYS,  {}, GRANT_SLAB,                 LS.GRANTED),
    Row(LS.REVOKED, LE.REQUEST_DENIED,  ALWAYS,  {}, LD.DENY,                    LS.REVOKED),
    Row(LS.REVOKED, LE.LISTENER_GONE,   ALWAYS,  {}, LD.WATCH_USE,               LS.CLOSED),
    Row(LS.REVOKED, LE.SERVER_DIED,     arg > 0, {}, LD.POKE,                    LS.REVOKED),
    Row(LS.REVOKED, LE.SERVER_DIED,     ALWAYS,  {}, (LD.POKE, LD.WATCH_USE),    LS.CLOSED),
    Row(LS.REVOKED, LE.CLIENT_DIED,     ALWAYS,  {}, (LD.POKE, LD.WATCH_OFFERS), LS.DRAINING),
    Row(LS.REVOKED, LE.DRAIN,           ALWAYS,  {}, DRAIN_SLABS,                LS.DRAINED),
    *ignored(LS.REVOKED, LE.POLICY_CHANGED, LE.UNUSED),

    # The drained program is gone and another one listens there: a new slab.
    Row(LS.DRAINED, LE.REQUEST_ALLOWED, ALWAYS,  {}, GRANT_SLAB,                 LS.GRANTED),
    Row(LS.DRAINED, LE.REQUEST_MORE,    ALWAYS,  {}, GRANT_SLAB,                 LS.GRANTED),
    Row(LS.DRAINED, LE.REQUEST_DENIED,  ALWAYS,  {}, LD.DENY,                    LS.DRAINED),
    Row(LS.DRAINED, LE.UNUSED,          ALWAYS,  {}, LD.FREE_SLAB,               LS.NONE),
    Row(LS.DRAINED, LE.LISTENER_GONE,   ALWAYS,  {}, NOTHING,                    LS.CLOSED),
    Row(LS.DRAINED, LE.SERVER_DIED,     arg > 0, {}, LD.POKE,                    LS.DRAINED),
    Row(LS.DRAINED, LE.SERVER_DIED,     ALWAYS,  {}, LD.POKE,                    LS.CLOSED),
    Row(LS.DRAINED, LE.CLIENT_DIED,     ALWAYS,  {}, (LD.POKE, LD.WATCH_OFFERS), LS.DRAINING),
    *ignored(LS.DRAINED, LE.POLICY_CHANGED, LE.DRAIN),

    Row(LS.CLOSED, LE.DRAIN,       ALWAYS, {}, DRAIN_SLABS,             LS.CLOSED),
    Row(LS.CLOSED, LE.UNUSED,      ALWAYS, {}, LD.FREE_SLAB,            LS.ENDED),
    Row(LS.CLOSED, LE.CLIENT_DIED, ALWAYS, {}, (LD.POKE, LD.FREE_SLAB), LS.ENDED),
    # Only of a slab for one connection that stands (joining) is a server known that nobody can connect to.
    Row(LS.CLOSED, LE.SERVER_DIED, ALWAYS, {}, (LD.POKE, LD.FREE_SLAB), LS.ENDED),
    Row(LS.CLOSED, LE.SLAB_FAILED, ALWAYS, {}, LD.DENY,                 LS.ENDED),
    *ignored(LS.CLOSED, LE.LISTENER_GONE, LE.POLICY_CHANGED),

    Row(LS.DRAINING, LE.OFFERS_TAKEN,  ALWAYS,  {}, LD.FREE_SLAB, LS.ENDED),
    Row(LS.DRAINING, LE.LISTENER_GONE, ALWAYS,  {}, LD.FREE_SLAB, LS.ENDED),
    Row(LS.DRAINING, LE.SERVER_DIED,   arg > 0, {}, NOTHING,      LS.DRAINING),
    Row(LS.DRAINING, LE.SERVER_DIED,   ALWAYS,  {}, LD.FREE_SLAB, LS.ENDED),
    *ignored(LS.DRAINING, LE.CLIENT_DIED, LE.POLICY_CHANGED, LE.DRAIN),

    *ignored(LS.ENDED, LE.CLIENT_DIED, LE.LISTENER_GONE, LE.POLICY_CHANGED, LE.SERVER_DIED, LE.DRAIN),
))  # fmt: skip


class LeaseClientState(State):
    """Where a destination stands."""

    UNKNOWN = "never asked, or what was known is stale"
    ASKING = "asked; the answer is awaited"
    LEASED = "has a slab"
    ASKING_MORE = "has slabs, all full; asked for one more"
    REFUSED = "refused, until a listener comes"
    LOST = "has a slab whose server takes no offers up; backs off"


class LeaseClientEvent(Event):
    """What happens to a destination."""

    CONNECT = "the program connects to this destination"
    FULL = "the program connects, and every slot of the slabs is in use"
    GRANT = "the monitor sent a slab"
    DENY = "the monitor refused"
    NO_ANSWER = "the monitor is gone, or did not answer"
    REVOKED_SEEN = "the slab's header says revoked; looked at before each use"
    GENERATION_MOVED = "the status page's listener generation is not the remembered one; looked at before each use"
    UNANSWERED_OFFER = "an offer expired without an answer"
    BACKOFF_OVER = "the back-off is over"


class LeaseClientDo(Effect):
    """What the driver of a destination must do."""

    ASK = "send MSG_LEASE and wait for the reply; feed GRANT, DENY or NO_ANSWER"
    USE_SLAB = "take a slot (client: CONNECT_LEASED), or feed FULL"
    USE_KERNEL = "connect by the kernel (client: CONNECT_PLAIN or NO_SLOT)"
    DROP_SLAB = "forget the slabs for new connections, then feed the event again"
    START_BACKOFF = "feed BACKOFF_OVER after a while, longer each time"


CS, CE, CD = LeaseClientState, LeaseClientEvent, LeaseClientDo
LEASE_CLIENT = Machine(
    "lease_client", "What the library remembers of one destination.",
    CS, CE, CD, registers=(), rows=(
    # state         event       if      set do      next
    Row(CS.UNKNOWN, CE.CONNECT, ALWAYS, {}, CD.ASK, CS.ASKING),
    *ignored(CS.UNKNOWN, CE.GENERATION_MOVED, CE.UNANSWERED_OFFER, CE.BACKOFF_OVER),

    Row(CS.ASKING, CE.GRANT,     ALWAYS, {}, CD.USE_SLAB,   CS.LEASED),
    Row(CS.ASKING, CE.DENY,      ALWAYS, {}, CD.USE_KERNEL, CS.REFUSED),
    Row(CS.ASKING, CE.NO_ANSWER, ALWAYS, {}, CD.USE_KERNEL, CS.UNKNOWN),
    # Other threads of the process do not wait for this one's answer.
    Row(CS.ASKING, CE.CONNECT,   ALWAYS, {}, CD.USE_KERNEL, CS.ASKING),
    *ignored(CS.ASKING, CE.GENERATION_MOVED, CE.UNANSWERED_OFFER, CE.BACKOFF_OVER),

    Row(CS.LEASED, CE.CONNECT,          ALWAYS, {}, CD.USE_SLAB,      CS.LEASED),
    Row(CS.LEASED, CE.FULL,             ALWAYS, {}, CD.ASK,           CS.ASKING_MORE),
    Row(CS.LEASED, CE.REVOKED_SEEN,     ALWAYS, {}, CD.DROP_SLAB,     CS.UNKNOWN),
    Row(CS.LEASED, CE.UNANSWERED_OFFER, ALWAYS, {}, CD.START_BACKOFF, CS.LOST),
    *ignored(CS.LEASED, CE.GENERATION_MOVED, CE.BACKOFF_OVER),

    Row(CS.ASKING_MORE, CE.GRANT,     ALWAYS, {}, CD.USE_SLAB,   CS.LEASED),
    Row(CS.ASKING_MORE, CE.DENY,      ALWAYS, {}, CD.USE_KERNEL, CS.LEASED),
    Row(CS.ASKING_MORE, CE.NO_ANSWER, ALWAYS, {}, CD.USE_KERNEL, CS.LEASED),
    Row(CS.ASKING_MORE, CE.CONNECT,   ALWAYS, {}, CD.USE_KERNEL, CS.ASKING_MORE),
    *ignored(CS.ASKING_MORE, CE.GENERATION_MOVED, CE.UNANSWERED_OFFER, CE.BACKOFF_OVER),

    Row(CS.REFUSED, CE.CONNECT,          ALWAYS, {}, CD.USE_KERNEL, CS.REFUSED),
    Row(CS.REFUSED, CE.GENERATION_MOVED, ALWAYS, {}, NOTHING,       CS.UNKNOWN),
    *ignored(CS.REFUSED, CE.UNANSWERED_OFFER, CE.BACKOFF_OVER),

    Row(CS.LOST, CE.CONNECT,      ALWAYS, {}, CD.USE_KERNEL, CS.LOST),
    Row(CS.LOST, CE.BACKOFF_OVER, ALWAYS, {}, NOTHING,       CS.LEASED),
    Row(CS.LOST, CE.REVOKED_SEEN, ALWAYS, {}, CD.DROP_SLAB,  CS.UNKNOWN),
    *ignored(CS.LOST, CE.GENERATION_MOVED, CE.UNANSWERED_OFFER),
))  # fmt: skip

MACHINES = (LEASE, LEASE_CLIENT)
