"""Attach: a process meets the monitor, loses it, forks, and meets it again.

Theory. A process talks to the monitor only when it listens or connects, and never waits for it otherwise. A monitor
that cannot be reached means kernel TCP now and another try later, at a growing distance. A forked child shares its
parent's memory but not its connection to the monitor: it must attach as itself before it asks for anything, and shows
the secret that its parent had registered, which proves the family to the monitor.
The monitor believes only the kernel about who somebody is, and learns of the end twice: the connection closes, or the
pidfd becomes readable. The first of them is enough.

    law     no call of the program fails, or waits longer than one answer, because of the monitor
    law     the monitor sweeps after each process exactly once

Source: docs/explanation/architecture.md, "Setting up"; docs/decisions, D1 and D6.
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Row, State, ignored


class AttachState(State):
    DETACHED = "never needed the monitor"
    CALLING = "asked to be attached"
    ATTACHED = "attached"
    LOST = "no monitor; waits for the next try"
    FORKED = "a child whose parent was attached, not attached itself yet"


class AttachEvent(Event):
    NEED = "the program listens or connects"
    WELCOME = "the monitor accepted", PEER
    REFUSED = "the monitor refused: another version, another user", PEER
    NO_MONITOR = "nobody listens at the monitor's address"
    CONNECTION_LOST = "the control connection is at its end, or did not answer"
    RETRY_DUE = "the time of the next try has come; looked at when there is a NEED"
    FORK_CHILD = "this is the child of a fork"


class AttachDo(Effect):
    CONNECT_MONITOR = "connect to the monitor; if that fails feed NO_MONITOR and leave the rest of these effects out"
    SEND_HELLO = "send MSG_HELLO with the region and, in a child, the parent's proof; feed WELCOME, REFUSED or CONNECTION_LOST"
    USE_KERNEL = "what was needed is done by the kernel alone"
    SCHEDULE_RETRY = "feed RETRY_DUE later, later each time"
    REGISTER_LISTENERS = "feed MONITOR_RETURNED to each listener"
    DROP_CONTROL = "close the control connection"


ASK = (AttachDo.CONNECT_MONITOR, AttachDo.SEND_HELLO)
GIVE_UP = (AttachDo.DROP_CONTROL, AttachDo.SCHEDULE_RETRY, AttachDo.USE_KERNEL)

ATTACH = Machine(
    "attach", "A process and its monitor, seen from the process.",
    AttachState, AttachEvent, AttachDo, registers=(), rows=(
    # state                   event                   if      set do  next
    Row(AttachState.DETACHED, AttachEvent.NEED,       ALWAYS, {}, ASK, AttachState.CALLING),
    *ignored(AttachState.DETACHED, AttachEvent.RETRY_DUE, AttachEvent.FORK_CHILD),

    Row(AttachState.CALLING, AttachEvent.WELCOME,         ALWAYS, {}, AttachDo.REGISTER_LISTENERS, AttachState.ATTACHED),
    Row(AttachState.CALLING, AttachEvent.REFUSED,         ALWAYS, {}, GIVE_UP,                     AttachState.LOST),
    Row(AttachState.CALLING, AttachEvent.CONNECTION_LOST, ALWAYS, {}, GIVE_UP,                     AttachState.LOST),
    Row(AttachState.CALLING, AttachEvent.NO_MONITOR,      ALWAYS, {}, (AttachDo.SCHEDULE_RETRY, AttachDo.USE_KERNEL), AttachState.LOST),
    # Another thread is calling: this one does not wait for it.
    Row(AttachState.CALLING, AttachEvent.NEED,            ALWAYS, {}, AttachDo.USE_KERNEL,         AttachState.CALLING),
    Row(AttachState.CALLING, AttachEvent.FORK_CHILD,      ALWAYS, {}, AttachDo.DROP_CONTROL,       AttachState.FORKED),
    *ignored(AttachState.CALLING, AttachEvent.RETRY_DUE),

    Row(AttachState.ATTACHED, AttachEvent.CONNECTION_LOST, ALWAYS, {}, GIVE_UP,               AttachState.LOST),
    Row(AttachState.ATTACHED, AttachEvent.FORK_CHILD,      ALWAYS, {}, AttachDo.DROP_CONTROL, AttachState.FORKED),
    *ignored(AttachState.ATTACHED, AttachEvent.NEED, AttachEvent.RETRY_DUE),

    Row(AttachState.LOST, AttachEvent.NEED,      ALWAYS, {}, AttachDo.USE_KERNEL, AttachState.LOST),
    Row(AttachState.LOST, AttachEvent.RETRY_DUE, ALWAYS, {}, ASK,                 AttachState.CALLING),
    *ignored(AttachState.LOST, AttachEvent.CONNECTION_LOST, AttachEvent.FORK_CHILD),

    Row(AttachState.FORKED, AttachEvent.NEED,    ALWAYS, {}, ASK, AttachState.CALLING),
    *ignored(AttachState.FORKED, AttachEvent.RETRY_DUE, AttachEvent.FORK_CHILD),
))  # fmt: skip


class AttachMonitorState(State):
    NEW = "connected; has not said who it is"
    ATTACHED = "attached and watched"
    DEAD = "gone"


class AttachMonitorEvent(Event):
    PARENT_PROVEN = "its hello shows its parent's secret; fed before HELLO_OK", PEER
    HELLO_OK = "its hello is in order and its region is sealed", PEER
    HELLO_BAD = "its hello is malformed, or of another version", PEER
    PIDFD_READY = "its pidfd is readable: the process is dead"
    CONNECTION_CLOSED = "its control connection is at its end: it is dead, or has become another program"


class AttachMonitorDo(Effect):
    JOIN_FAMILY = "note the parent: they share a region, and the descriptors that a fork copies"
    WATCH_PIDFD = "watch its pidfd; feed PIDFD_READY"
    SEND_WELCOME = "reply with its number and the status page"
    REFUSE = "reply with the reason and close"
    SWEEP = "keep its totals, take it off its listeners (LEAVE), end its leases (CLIENT_DIED), close its connection"


ATTACH_MONITOR = Machine(
    "attach_monitor", "A process and its monitor, seen from the monitor.",
    AttachMonitorState, AttachMonitorEvent, AttachMonitorDo, registers=(), rows=(
    # state                       event                            if      set do                           next
    Row(AttachMonitorState.NEW, AttachMonitorEvent.PARENT_PROVEN,     ALWAYS, {}, AttachMonitorDo.JOIN_FAMILY, AttachMonitorState.NEW),
    Row(AttachMonitorState.NEW, AttachMonitorEvent.HELLO_OK,          ALWAYS, {},
        (AttachMonitorDo.WATCH_PIDFD, AttachMonitorDo.SEND_WELCOME), AttachMonitorState.ATTACHED),
    Row(AttachMonitorState.NEW, AttachMonitorEvent.HELLO_BAD,         ALWAYS, {}, AttachMonitorDo.REFUSE, AttachMonitorState.DEAD),
    Row(AttachMonitorState.NEW, AttachMonitorEvent.CONNECTION_CLOSED, ALWAYS, {}, NOTHING,                AttachMonitorState.DEAD),

    Row(AttachMonitorState.ATTACHED, AttachMonitorEvent.PIDFD_READY,       ALWAYS, {}, AttachMonitorDo.SWEEP, AttachMonitorState.DEAD),
    Row(AttachMonitorState.ATTACHED, AttachMonitorEvent.CONNECTION_CLOSED, ALWAYS, {}, AttachMonitorDo.SWEEP, AttachMonitorState.DEAD),

    *ignored(AttachMonitorState.DEAD, AttachMonitorEvent.PIDFD_READY, AttachMonitorEvent.CONNECTION_CLOSED),
))  # fmt: skip

MACHINES = (ATTACH, ATTACH_MONITOR)
