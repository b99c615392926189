"""Lease: a client process's right to meet a listener in a slab, without the monitor.

Theory. The monitor decides once for each (client process, listener): a slab, or a reason. Both sides of the answer are
remembered, so that neither the thousandth connection nor the thousandth refusal costs a message. What is remembered
goes stale in two ways, and each has a number in shared memory that tells: a refusal when a listener comes (the status
page's listener generation), a lease when it is revoked (its slab's header).

Revoking stops new offers only. Connections that stand go on: taking them away would break programs, and their peers
are who they were. After a death the monitor pokes the connections of a slab so that the survivor looks at its companion.

    law     a slab is known to the client's process and to processes that hold the listening socket, to nobody else
    law     after LISTENER_GONE, POLICY_CHANGED or CLIENT_DIED no offer is made in any slab of the lease
    law     a monitor that does not answer costs a process one refused look, not a wait for each connect

Source: docs/explanation/architecture.md, "Setting up"; docs/decisions, D1.
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Row, State, arg, ignored


class LeaseState(State):
    NONE = "the client never got a slab for this listener"
    GRANTED = "the client may make offers"
    REVOKED = "no new offers; what is established goes on"
    ENDED = "the client is dead; nothing is left"


class LeaseEvent(Event):
    REQUEST_ALLOWED = "the client asks and policy allows it", PEER
    REQUEST_DENIED = "the client asks and policy forbids it, or the lease has as many slabs as it may", PEER
    REQUEST_MORE = "the client asks, its slabs are full, and policy allows one more", PEER
    CLIENT_DIED = "the client's process is dead"
    LISTENER_GONE = "nobody holds the listening socket any more"
    POLICY_CHANGED = "policy does not allow it any more"
    SERVER_DIED = "one process that held the listening socket is dead; arg others hold it"


class LeaseDo(Effect):
    MAKE_SLAB = "make one more sealed slab and enter it among the listener's"
    BUMP_LEASES = "move the status page's lease generation: servers ask for slabs that they do not know"
    SEND_SLAB = "reply with the newest slab"
    DENY = "reply with the reason"
    MARK_REVOKED = "set revoked in the header of each slab"
    POKE = "set ARM_POKE in the slots in use and ring who sleeps: the survivors look at their companions"
    FREE_SLAB = "forget the slabs; their memory goes with the last mapping"


GRANT_SLAB = (LeaseDo.MAKE_SLAB, LeaseDo.BUMP_LEASES, LeaseDo.SEND_SLAB)

LEASE = Machine(
    "lease", "One client process and one listener, as the monitor sees them.",
    LeaseState, LeaseEvent, LeaseDo, registers=(), rows=(
    # state              event                       if      set do            next
    Row(LeaseState.NONE, LeaseEvent.REQUEST_ALLOWED, ALWAYS, {}, GRANT_SLAB,   LeaseState.GRANTED),
    Row(LeaseState.NONE, LeaseEvent.REQUEST_MORE,    ALWAYS, {}, GRANT_SLAB,   LeaseState.GRANTED),
    Row(LeaseState.NONE, LeaseEvent.REQUEST_DENIED,  ALWAYS, {}, LeaseDo.DENY, LeaseState.NONE),
    Row(LeaseState.NONE, LeaseEvent.CLIENT_DIED,     ALWAYS, {}, NOTHING,      LeaseState.ENDED),
    *ignored(LeaseState.NONE, LeaseEvent.LISTENER_GONE, LeaseEvent.POLICY_CHANGED, LeaseEvent.SERVER_DIED),

    Row(LeaseState.GRANTED, LeaseEvent.REQUEST_ALLOWED, ALWAYS,  {}, LeaseDo.SEND_SLAB,    LeaseState.GRANTED),
    Row(LeaseState.GRANTED, LeaseEvent.REQUEST_MORE,    ALWAYS,  {}, GRANT_SLAB,           LeaseState.GRANTED),
    Row(LeaseState.GRANTED, LeaseEvent.REQUEST_DENIED,  ALWAYS,  {}, LeaseDo.DENY,         LeaseState.GRANTED),
    Row(LeaseState.GRANTED, LeaseEvent.LISTENER_GONE,   ALWAYS,  {}, LeaseDo.MARK_REVOKED, LeaseState.REVOKED),
    Row(LeaseState.GRANTED, LeaseEvent.POLICY_CHANGED,  ALWAYS,  {}, LeaseDo.MARK_REVOKED, LeaseState.REVOKED),
    Row(LeaseState.GRANTED, LeaseEvent.SERVER_DIED,     arg > 0, {}, LeaseDo.POKE,         LeaseState.GRANTED),
    Row(LeaseState.GRANTED, LeaseEvent.SERVER_DIED,     ALWAYS,  {}, (LeaseDo.MARK_REVOKED, LeaseDo.POKE), LeaseState.REVOKED),
    Row(LeaseState.GRANTED, LeaseEvent.CLIENT_DIED,     ALWAYS,  {},
        (LeaseDo.MARK_REVOKED, LeaseDo.POKE, LeaseDo.FREE_SLAB), LeaseState.ENDED),

    # A listener that comes back, or a kinder policy: a new slab, for who saw the old one revoked has dropped it.
    Row(LeaseState.REVOKED, LeaseEvent.REQUEST_ALLOWED, ALWAYS, {}, GRANT_SLAB,   LeaseState.GRANTED),
    Row(LeaseState.REVOKED, LeaseEvent.REQUEST_MORE,    ALWAYS, {}, GRANT_SLAB,   LeaseState.GRANTED),
    Row(LeaseState.REVOKED, LeaseEvent.REQUEST_DENIED,  ALWAYS, {}, LeaseDo.DENY, LeaseState.REVOKED),
    Row(LeaseState.REVOKED, LeaseEvent.SERVER_DIED,     ALWAYS, {}, LeaseDo.POKE, LeaseState.REVOKED),
    Row(LeaseState.REVOKED, LeaseEvent.CLIENT_DIED,     ALWAYS, {}, (LeaseDo.POKE, LeaseDo.FREE_SLAB), LeaseState.ENDED),
    *ignored(LeaseState.REVOKED, LeaseEvent.LISTENER_GONE, LeaseEvent.POLICY_CHANGED),

    *ignored(LeaseState.ENDED, LeaseEvent.CLIENT_DIED, LeaseEvent.LISTENER_GONE, LeaseEvent.POLICY_CHANGED,
             LeaseEvent.SERVER_DIED),
))  # fmt: skip


class LeaseClientState(State):
    UNKNOWN = "never asked, or what was known is stale"
    ASKING = "asked; the answer is awaited"
    LEASED = "has a slab"
    ASKING_MORE = "has slabs, all full; asked for one more"
    REFUSED = "refused, until a listener comes"
    LOST = "has a slab whose server takes no offers up; backs off"


class LeaseClientEvent(Event):
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
    ASK = "send MSG_LEASE and wait for the reply; feed GRANT, DENY or NO_ANSWER"
    USE_SLAB = "take a slot (client: CONNECT_LEASED), or feed FULL"
    USE_KERNEL = "connect by the kernel (client: CONNECT_PLAIN or NO_SLOT)"
    DROP_SLAB = "forget the slabs for new connections, then feed the event again"
    START_BACKOFF = "feed BACKOFF_OVER after a while, longer each time"


LEASE_CLIENT = Machine(
    "lease_client", "What the library remembers of one destination.",
    LeaseClientState, LeaseClientEvent, LeaseClientDo, registers=(), rows=(
    # state                       event                     if      set do                        next
    Row(LeaseClientState.UNKNOWN, LeaseClientEvent.CONNECT, ALWAYS, {}, LeaseClientDo.ASK,        LeaseClientState.ASKING),
    *ignored(LeaseClientState.UNKNOWN, LeaseClientEvent.GENERATION_MOVED, LeaseClientEvent.UNANSWERED_OFFER,
             LeaseClientEvent.BACKOFF_OVER),

    Row(LeaseClientState.ASKING, LeaseClientEvent.GRANT,     ALWAYS, {}, LeaseClientDo.USE_SLAB,   LeaseClientState.LEASED),
    Row(LeaseClientState.ASKING, LeaseClientEvent.DENY,      ALWAYS, {}, LeaseClientDo.USE_KERNEL, LeaseClientState.REFUSED),
    Row(LeaseClientState.ASKING, LeaseClientEvent.NO_ANSWER, ALWAYS, {}, LeaseClientDo.USE_KERNEL, LeaseClientState.UNKNOWN),
    # Other threads of the process do not wait for this one's answer.
    Row(LeaseClientState.ASKING, LeaseClientEvent.CONNECT,   ALWAYS, {}, LeaseClientDo.USE_KERNEL, LeaseClientState.ASKING),
    *ignored(LeaseClientState.ASKING, LeaseClientEvent.GENERATION_MOVED, LeaseClientEvent.UNANSWERED_OFFER,
             LeaseClientEvent.BACKOFF_OVER),

    Row(LeaseClientState.LEASED, LeaseClientEvent.CONNECT,          ALWAYS, {}, LeaseClientDo.USE_SLAB,      LeaseClientState.LEASED),
    Row(LeaseClientState.LEASED, LeaseClientEvent.FULL,             ALWAYS, {}, LeaseClientDo.ASK,           LeaseClientState.ASKING_MORE),
    Row(LeaseClientState.LEASED, LeaseClientEvent.REVOKED_SEEN,     ALWAYS, {}, LeaseClientDo.DROP_SLAB,     LeaseClientState.UNKNOWN),
    Row(LeaseClientState.LEASED, LeaseClientEvent.UNANSWERED_OFFER, ALWAYS, {}, LeaseClientDo.START_BACKOFF, LeaseClientState.LOST),
    *ignored(LeaseClientState.LEASED, LeaseClientEvent.GENERATION_MOVED, LeaseClientEvent.BACKOFF_OVER),

    Row(LeaseClientState.ASKING_MORE, LeaseClientEvent.GRANT,        ALWAYS, {}, LeaseClientDo.USE_SLAB,   LeaseClientState.LEASED),
    Row(LeaseClientState.ASKING_MORE, LeaseClientEvent.DENY,         ALWAYS, {}, LeaseClientDo.USE_KERNEL, LeaseClientState.LEASED),
    Row(LeaseClientState.ASKING_MORE, LeaseClientEvent.NO_ANSWER,    ALWAYS, {}, LeaseClientDo.USE_KERNEL, LeaseClientState.LEASED),
    Row(LeaseClientState.ASKING_MORE, LeaseClientEvent.CONNECT,      ALWAYS, {}, LeaseClientDo.USE_KERNEL, LeaseClientState.ASKING_MORE),
    *ignored(LeaseClientState.ASKING_MORE, LeaseClientEvent.GENERATION_MOVED, LeaseClientEvent.UNANSWERED_OFFER,
             LeaseClientEvent.BACKOFF_OVER),

    Row(LeaseClientState.REFUSED, LeaseClientEvent.CONNECT,          ALWAYS, {}, LeaseClientDo.USE_KERNEL, LeaseClientState.REFUSED),
    Row(LeaseClientState.REFUSED, LeaseClientEvent.GENERATION_MOVED, ALWAYS, {}, NOTHING,                  LeaseClientState.UNKNOWN),
    *ignored(LeaseClientState.REFUSED, LeaseClientEvent.UNANSWERED_OFFER, LeaseClientEvent.BACKOFF_OVER),

    Row(LeaseClientState.LOST, LeaseClientEvent.CONNECT,      ALWAYS, {}, LeaseClientDo.USE_KERNEL, LeaseClientState.LOST),
    Row(LeaseClientState.LOST, LeaseClientEvent.BACKOFF_OVER, ALWAYS, {}, NOTHING,                  LeaseClientState.LEASED),
    Row(LeaseClientState.LOST, LeaseClientEvent.REVOKED_SEEN, ALWAYS, {}, LeaseClientDo.DROP_SLAB,  LeaseClientState.UNKNOWN),
    *ignored(LeaseClientState.LOST, LeaseClientEvent.GENERATION_MOVED, LeaseClientEvent.UNANSWERED_OFFER),
))  # fmt: skip

MACHINES = (LEASE, LEASE_CLIENT)
