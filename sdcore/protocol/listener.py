"""Listener: how a listening socket becomes one that clients can meet in a slab.

Theory. The kernel's listener is the listener: it has the backlog, the load balancing and the refusals. The monitor only
learns that it exists, from the descriptor itself, so that it can answer leases. Several processes may hold one socket
(fork, prefork): the monitor sees one listener, by its socket cookie, with members. TCP_SAVE_SYN is set before the
monitor is told, so that no client can offer before its hint would be seen.

    law     a listener without a monitor is an ordinary listener
    law     the monitor's listener ends with its last member, and its leases with it

Source: docs/explanation/architecture.md, "Setting up".
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Row, State, arg, ignored


class ListenerState(State):
    CLOSED = "does not listen"
    LISTENING = "listens in the kernel; the monitor is being told"
    REGISTERED = "the monitor knows it"
    UNREGISTERED = "listens in the kernel; the monitor does not know it"


class ListenerEvent(Event):
    LISTEN = "listen() succeeded in the kernel"
    REGISTERED_OK = "the monitor has it"
    REGISTER_FAILED = "no monitor, or it refused"
    MONITOR_RETURNED = "the process is attached to a new monitor"
    ACCEPT = "the kernel gave a connection"
    CLOSE = "the last descriptor is closed"


class ListenerDo(Effect):
    SAVE_SYN = "set TCP_SAVE_SYN"
    REGISTER = "send MSG_LISTEN with the descriptor; feed REGISTERED_OK or REGISTER_FAILED"
    UNREGISTER = "send MSG_UNLISTEN if the monitor gave a number"
    CHECK_HINT = "read the saved SYN (server: ACCEPT_HINTED or ACCEPT_PLAIN)"


LISTENER = Machine(
    "listener", "A listening socket in the library.",
    ListenerState, ListenerEvent, ListenerDo, registers=(), rows=(
    # state                  event                     if      set do                     next
    Row(ListenerState.CLOSED, ListenerEvent.LISTEN,    ALWAYS, {}, (ListenerDo.SAVE_SYN, ListenerDo.REGISTER), ListenerState.LISTENING),
    *ignored(ListenerState.CLOSED, ListenerEvent.MONITOR_RETURNED, ListenerEvent.CLOSE),

    Row(ListenerState.LISTENING, ListenerEvent.REGISTERED_OK,   ALWAYS, {}, NOTHING,               ListenerState.REGISTERED),
    Row(ListenerState.LISTENING, ListenerEvent.REGISTER_FAILED, ALWAYS, {}, NOTHING,               ListenerState.UNREGISTERED),
    Row(ListenerState.LISTENING, ListenerEvent.ACCEPT,          ALWAYS, {}, ListenerDo.CHECK_HINT, ListenerState.LISTENING),
    Row(ListenerState.LISTENING, ListenerEvent.CLOSE,           ALWAYS, {}, ListenerDo.UNREGISTER, ListenerState.CLOSED),
    *ignored(ListenerState.LISTENING, ListenerEvent.LISTEN, ListenerEvent.MONITOR_RETURNED),

    Row(ListenerState.REGISTERED, ListenerEvent.ACCEPT,           ALWAYS, {}, ListenerDo.CHECK_HINT, ListenerState.REGISTERED),
    Row(ListenerState.REGISTERED, ListenerEvent.MONITOR_RETURNED, ALWAYS, {}, ListenerDo.REGISTER,   ListenerState.LISTENING),
    Row(ListenerState.REGISTERED, ListenerEvent.CLOSE,            ALWAYS, {}, ListenerDo.UNREGISTER, ListenerState.CLOSED),
    *ignored(ListenerState.REGISTERED, ListenerEvent.LISTEN),

    # Slabs of a monitor that is gone are still good, so hints still count.
    Row(ListenerState.UNREGISTERED, ListenerEvent.ACCEPT,           ALWAYS, {}, ListenerDo.CHECK_HINT, ListenerState.UNREGISTERED),
    Row(ListenerState.UNREGISTERED, ListenerEvent.LISTEN,           ALWAYS, {}, ListenerDo.REGISTER,   ListenerState.LISTENING),
    Row(ListenerState.UNREGISTERED, ListenerEvent.MONITOR_RETURNED, ALWAYS, {}, ListenerDo.REGISTER,   ListenerState.LISTENING),
    Row(ListenerState.UNREGISTERED, ListenerEvent.CLOSE,            ALWAYS, {}, NOTHING,               ListenerState.CLOSED),
))  # fmt: skip


class ListenerMonitorState(State):
    ABSENT = "not known"
    ACTIVE = "has members; leases may be granted"
    GONE = "its last member left"


class ListenerMonitorEvent(Event):
    REGISTER = "a process shows a listening socket that is not known yet", PEER
    JOIN = "a process shows a socket that is known already, its own again or one that it inherited", PEER
    LEAVE = "a member closed it or died; arg members are left"


class ListenerMonitorDo(Effect):
    BUMP_LISTENERS = "move the status page's listener generation: remembered refusals are stale"
    REVOKE_LEASES = "feed LISTENER_GONE to each of its leases"
    FORGET = "drop the descriptor and the number"


LISTENER_MONITOR = Machine(
    "listener_monitor", "A listening socket as the monitor knows it.",
    ListenerMonitorState, ListenerMonitorEvent, ListenerMonitorDo, registers=(), rows=(
    # state                          event                          if       set do       next
    Row(ListenerMonitorState.ABSENT, ListenerMonitorEvent.REGISTER, ALWAYS,  {}, ListenerMonitorDo.BUMP_LISTENERS, ListenerMonitorState.ACTIVE),

    Row(ListenerMonitorState.ACTIVE, ListenerMonitorEvent.JOIN,     ALWAYS,  {}, NOTHING, ListenerMonitorState.ACTIVE),
    Row(ListenerMonitorState.ACTIVE, ListenerMonitorEvent.LEAVE,    arg > 0, {}, NOTHING, ListenerMonitorState.ACTIVE),
    Row(ListenerMonitorState.ACTIVE, ListenerMonitorEvent.LEAVE,    ALWAYS,  {},
        (ListenerMonitorDo.REVOKE_LEASES, ListenerMonitorDo.FORGET), ListenerMonitorState.GONE),

    *ignored(ListenerMonitorState.GONE, ListenerMonitorEvent.LEAVE),
))  # fmt: skip

MACHINES = (LISTENER, LISTENER_MONITOR)
