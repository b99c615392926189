"""Listener: how a listening socket becomes one that clients can meet in a slab.

Theory. The kernel's listener is the listener: it has the backlog, the load balancing and the refusals. The monitor only
learns that it exists, from the descriptor itself, so that it can answer leases. Several processes may hold one socket
(fork, prefork): the monitor sees one listener, by its socket cookie, with members. TCP_SAVE_SYN is set before the
monitor is told, so that no client can offer before its hint would be seen.

Programs that listen at one address are drained together: nobody knows which of them the kernel chooses.

    law     a listener without a monitor is an ordinary listener
    law     the monitor's listener ends with its last member, and its leases with it

Source: docs/explanation/architecture.md, "Setting up".
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Row, State, arg, ignored


class ListenerState(State):
    """Where a listening socket stands."""

    CLOSED = "does not listen"
    LISTENING = "listens in the kernel; the monitor is being told"
    REGISTERED = "the monitor knows it"
    UNREGISTERED = "listens in the kernel; the monitor does not know it"


class ListenerEvent(Event):
    """What happens to a listening socket."""

    LISTEN = "listen() succeeded in the kernel"
    REGISTERED_OK = "the monitor has it"
    REGISTER_FAILED = "no monitor, or it refused"
    MONITOR_RETURNED = "the process is attached to a new monitor"
    ACCEPT = "the kernel gave a connection"
    CLOSE = "the last descriptor is closed"


class ListenerDo(Effect):
    """What the driver of a listening socket must do."""

    SAVE_SYN = "set TCP_SAVE_SYN, where there are SYNs"
    REGISTER = "send MSG_LISTEN with the descriptor; feed REGISTERED_OK or REGISTER_FAILED"
    UNREGISTER = "send MSG_UNLISTEN if the monitor gave a number"
    CHECK_HINT = "read the saved SYN, or the client's name (server: ACCEPT_HINTED or ACCEPT_PLAIN)"


LS, LE, LD = ListenerState, ListenerEvent, ListenerDo
LISTENER = Machine(
    "listener", "A listening socket in the library.",
    LS, LE, LD, registers=(), rows=(
    # state        event      if      set do                          next
    Row(LS.CLOSED, LE.LISTEN, ALWAYS, {}, (LD.SAVE_SYN, LD.REGISTER), LS.LISTENING),
    *ignored(LS.CLOSED, LE.MONITOR_RETURNED, LE.CLOSE),

    Row(LS.LISTENING, LE.REGISTERED_OK,   ALWAYS, {}, NOTHING,       LS.REGISTERED),
    Row(LS.LISTENING, LE.REGISTER_FAILED, ALWAYS, {}, NOTHING,       LS.UNREGISTERED),
    Row(LS.LISTENING, LE.ACCEPT,          ALWAYS, {}, LD.CHECK_HINT, LS.LISTENING),
    Row(LS.LISTENING, LE.CLOSE,           ALWAYS, {}, LD.UNREGISTER, LS.CLOSED),
    *ignored(LS.LISTENING, LE.LISTEN, LE.MONITOR_RETURNED),

    Row(LS.REGISTERED, LE.ACCEPT,           ALWAYS, {}, LD.CHECK_HINT, LS.REGISTERED),
    Row(LS.REGISTERED, LE.MONITOR_RETURNED, ALWAYS, {}, LD.REGISTER,   LS.LISTENING),
    Row(LS.REGISTERED, LE.CLOSE,            ALWAYS, {}, LD.UNREGISTER, LS.CLOSED),
    *ignored(LS.REGISTERED, LE.LISTEN),

    # Slabs of a monitor that is gone are still good, so hints still count.
    Row(LS.UNREGISTERED, LE.ACCEPT,           ALWAYS, {}, LD.CHECK_HINT, LS.UNREGISTERED),
    Row(LS.UNREGISTERED, LE.LISTEN,           ALWAYS, {}, LD.REGISTER,   LS.LISTENING),
    Row(LS.UNREGISTERED, LE.MONITOR_RETURNED, ALWAYS, {}, LD.REGISTER,   LS.LISTENING),
    Row(LS.UNREGISTERED, LE.CLOSE,            ALWAYS, {}, NOTHING,       LS.CLOSED),
))  # fmt: skip


class ListenerMonitorState(State):
    """Where a listener stands, as the monitor sees it."""

    ABSENT = "not known"
    ACTIVE = "has members; leases may be granted"
    DRAINED = "a member is drained: no leases"
    GONE = "its last member left"


class ListenerMonitorEvent(Event):
    """What happens to a listener, as the monitor learns it."""

    REGISTER = "a process shows a listening socket that is not known yet", PEER
    JOIN = "a process shows a socket that is known already, its own again or one that it inherited", PEER
    LEAVE = "a member closed it or died; arg members are left"
    DRAIN = "a member is drained, or a drained process became one"
    CLEAN = "no member is drained any more; others hold it"
    LEASES = "a client asks for a lease", PEER


class ListenerMonitorDo(Effect):
    """What the monitor must do for a listener."""

    BUMP_LISTENERS = "move the status page's listener generation: remembered refusals are stale"
    REVOKE_LEASES = "feed LISTENER_GONE to each of its leases"
    DRAIN_LEASES = "feed DRAIN to each of its leases"
    DENY_DRAINED = "the answer is no, with REASON_DRAINED"
    FORGET = "drop the descriptor and the number"


MS, ME, MD = ListenerMonitorState, ListenerMonitorEvent, ListenerMonitorDo
LISTENER_MONITOR = Machine(
    "listener_monitor", "A listening socket as the monitor knows it.",
    MS, ME, MD, registers=(), rows=(
    # state        event        if      set do                 next
    Row(MS.ABSENT, ME.REGISTER, ALWAYS, {}, MD.BUMP_LISTENERS, MS.ACTIVE),

    Row(MS.ACTIVE, ME.JOIN,  ALWAYS,  {}, NOTHING,                       MS.ACTIVE),
    Row(MS.ACTIVE, ME.LEAVE, arg > 0, {}, NOTHING,                       MS.ACTIVE),
    Row(MS.ACTIVE, ME.LEAVE, ALWAYS,  {}, (MD.REVOKE_LEASES, MD.FORGET), MS.GONE),

    Row(MS.ACTIVE, ME.DRAIN, ALWAYS,  {}, MD.DRAIN_LEASES,               MS.DRAINED),
    *ignored(MS.ACTIVE, ME.CLEAN, ME.LEASES),

    Row(MS.DRAINED, ME.JOIN,  ALWAYS,  {}, NOTHING,                       MS.DRAINED),
    Row(MS.DRAINED, ME.LEAVE, arg > 0, {}, NOTHING,                       MS.DRAINED),
    Row(MS.DRAINED, ME.LEAVE, ALWAYS,  {}, (MD.REVOKE_LEASES, MD.FORGET), MS.GONE),
    Row(MS.DRAINED, ME.CLEAN, ALWAYS,  {}, MD.BUMP_LISTENERS,             MS.ACTIVE),
    Row(MS.DRAINED, ME.LEASES, ALWAYS, {}, MD.DENY_DRAINED, MS.DRAINED),
    *ignored(MS.DRAINED, ME.DRAIN),

    *ignored(MS.GONE, ME.LEAVE),
))  # fmt: skip

MACHINES = (LISTENER, LISTENER_MONITOR)
