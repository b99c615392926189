"""Attach: a process meets the monitor, loses it, forks, and meets it again.

Theory. A process talks to the monitor only when it listens or connects, and never waits for it otherwise. A monitor
that cannot be reached means kernel TCP now and another try later, at a growing distance. A forked child shares its
parent's memory but not its connection to the monitor: it must attach as itself before it asks for anything, and shows
the secret that its parent had registered, which proves the family to the monitor.
The monitor believes only the kernel about who somebody is. A process ends for it when its pidfd becomes readable, or
when it has become another program (exec), which does not map its region any more. That its connection closes says
neither: a program may close every descriptor that it finds. It keeps what it has, and may say hello again.
An administrator may drain a program: it stays attached, loses its leases with all that stands in their slabs, and gets
no new one. What it forks is of its family, and drained as soon as it attaches.

    law     no call of the program fails, or waits longer than one answer, because of the monitor
    law     the monitor sweeps after each process exactly once

Source: docs/explanation/architecture.md, "Setting up"; docs/decisions, D1 and D6.
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Row, State, ignored


class AttachState(State):
    """Where a process stands."""

    DETACHED = "never needed the monitor"
    CALLING = "asked to be attached"
    ATTACHED = "attached"
    LOST = "no monitor; waits for the next try"
    FORKED = "a child whose parent was attached, not attached itself yet"


class AttachEvent(Event):
    """What happens to a process."""

    NEED = "the program listens or connects"
    WELCOME = "the monitor accepted", PEER
    REFUSED = "the monitor refused: another version, another user", PEER
    NO_MONITOR = "nobody listens at the monitor's address"
    CONNECTION_LOST = "the control connection is at its end, or did not answer"
    RETRY_DUE = "the time of the next try has come; looked at when there is a NEED"
    FORK_CHILD = "this is the child of a fork"


class AttachDo(Effect):
    """What the driver of a process must do."""

    CONNECT_MONITOR = "connect to the monitor; if that fails feed NO_MONITOR and leave the rest of these effects out"
    SEND_HELLO = "send MSG_HELLO with the region, a child with its proof; feed WELCOME, REFUSED or CONNECTION_LOST"
    USE_KERNEL = "what was needed is done by the kernel alone"
    SCHEDULE_RETRY = "feed RETRY_DUE later, later each time"
    REGISTER_LISTENERS = "feed MONITOR_RETURNED to each listener"
    DROP_CONTROL = "close the control connection"


AS, AE, AD = AttachState, AttachEvent, AttachDo
ASK = (AD.CONNECT_MONITOR, AD.SEND_HELLO)
GIVE_UP = (AD.DROP_CONTROL, AD.SCHEDULE_RETRY, AD.USE_KERNEL)

ATTACH = Machine(
    "attach", "A process and its monitor, seen from the process.",
    AS, AE, AD, registers=(), rows=(
    # state          event    if      set do   next
    Row(AS.DETACHED, AE.NEED, ALWAYS, {}, ASK, AS.CALLING),
    *ignored(AS.DETACHED, AE.RETRY_DUE, AE.FORK_CHILD),

    Row(AS.CALLING, AE.WELCOME,         ALWAYS, {}, AD.REGISTER_LISTENERS,              AS.ATTACHED),
    Row(AS.CALLING, AE.REFUSED,         ALWAYS, {}, GIVE_UP,                            AS.LOST),
    Row(AS.CALLING, AE.CONNECTION_LOST, ALWAYS, {}, GIVE_UP,                            AS.LOST),
    Row(AS.CALLING, AE.NO_MONITOR,      ALWAYS, {}, (AD.SCHEDULE_RETRY, AD.USE_KERNEL), AS.LOST),
    # Another thread is calling: this one does not wait for it.
    Row(AS.CALLING, AE.NEED,            ALWAYS, {}, AD.USE_KERNEL,                      AS.CALLING),
    Row(AS.CALLING, AE.FORK_CHILD,      ALWAYS, {}, AD.DROP_CONTROL,                    AS.FORKED),
    *ignored(AS.CALLING, AE.RETRY_DUE),

    Row(AS.ATTACHED, AE.CONNECTION_LOST, ALWAYS, {}, GIVE_UP,         AS.LOST),
    Row(AS.ATTACHED, AE.FORK_CHILD,      ALWAYS, {}, AD.DROP_CONTROL, AS.FORKED),
    *ignored(AS.ATTACHED, AE.NEED, AE.RETRY_DUE),

    Row(AS.LOST, AE.NEED,      ALWAYS, {}, AD.USE_KERNEL, AS.LOST),
    Row(AS.LOST, AE.RETRY_DUE, ALWAYS, {}, ASK,           AS.CALLING),
    *ignored(AS.LOST, AE.CONNECTION_LOST, AE.FORK_CHILD),

    Row(AS.FORKED, AE.NEED, ALWAYS, {}, ASK, AS.CALLING),
    *ignored(AS.FORKED, AE.RETRY_DUE, AE.FORK_CHILD),
))  # fmt: skip


class AttachMonitorState(State):
    """Where an attached process stands, as the monitor sees it."""

    NEW = "connected; has not said who it is"
    ATTACHED = "attached and watched"
    DRAINED = "attached and watched; what it has goes over to kernel TCP, and it gets nothing new"
    DEAD = "gone"


class AttachMonitorEvent(Event):
    """What happens to an attached process, as the monitor learns it."""

    PARENT_PROVEN = "its hello shows its parent's secret; fed before HELLO_OK", PEER
    HELLO_OK = "its hello is in order and its region is sealed", PEER
    HELLO_BAD = "its hello is malformed, or of another version", PEER
    PIDFD_READY = "its pidfd is readable: the process is dead"
    REPLACED = "the process lives, and has become another program"
    HELLO_AGAIN = "the same process with the same region says hello again", PEER
    CONNECTION_CLOSED = "its control connection is at its end; the process lives"
    DRAIN = "an administrator drains its program, or has done so"
    SHARES = "it is to share memory with another process, as one of them asks", PEER


class AttachMonitorDo(Effect):
    """What the monitor must do for an attached process."""

    JOIN_FAMILY = "note the parent: they share a region, and the descriptors that a fork copies"
    WATCH_PIDFD = "watch its pidfd; feed PIDFD_READY"
    SEND_WELCOME = "reply with its number and the status page"
    REFUSE = "reply with the reason and close"
    DENY_DRAINED = "the answer is no, with REASON_DRAINED"
    DRAIN_ALL = "feed DRAIN to its listeners, to its leases, and to those in whose slabs its family serves"
    SWEEP = "keep its totals, take it off its listeners (LEAVE), end its leases (CLIENT_DIED), close its connection"


MS, ME, MD = AttachMonitorState, AttachMonitorEvent, AttachMonitorDo
ATTACH_MONITOR = Machine(
    "attach_monitor", "A process and its monitor, seen from the monitor.",
    MS, ME, MD, registers=(), rows=(
    # state     event                 if      set do                                 next
    Row(MS.NEW, ME.PARENT_PROVEN,     ALWAYS, {}, MD.JOIN_FAMILY,                    MS.NEW),
    Row(MS.NEW, ME.HELLO_OK,          ALWAYS, {}, (MD.WATCH_PIDFD, MD.SEND_WELCOME), MS.ATTACHED),
    Row(MS.NEW, ME.HELLO_BAD,         ALWAYS, {}, MD.REFUSE,                         MS.DEAD),
    Row(MS.NEW, ME.CONNECTION_CLOSED, ALWAYS, {}, NOTHING,                           MS.DEAD),

    Row(MS.ATTACHED, ME.HELLO_AGAIN, ALWAYS, {}, MD.SEND_WELCOME, MS.ATTACHED),
    Row(MS.ATTACHED, ME.PIDFD_READY, ALWAYS, {}, MD.SWEEP,        MS.DEAD),
    Row(MS.ATTACHED, ME.REPLACED,    ALWAYS, {}, MD.SWEEP,        MS.DEAD),
    Row(MS.ATTACHED, ME.DRAIN,       ALWAYS, {}, MD.DRAIN_ALL,    MS.DRAINED),
    *ignored(MS.ATTACHED, ME.CONNECTION_CLOSED, ME.SHARES),

    Row(MS.DRAINED, ME.HELLO_AGAIN, ALWAYS, {}, MD.SEND_WELCOME, MS.DRAINED),
    Row(MS.DRAINED, ME.PIDFD_READY, ALWAYS, {}, MD.SWEEP,        MS.DEAD),
    Row(MS.DRAINED, ME.REPLACED,    ALWAYS, {}, MD.SWEEP,        MS.DEAD),
    Row(MS.DRAINED, ME.SHARES,      ALWAYS, {}, MD.DENY_DRAINED, MS.DRAINED),
    *ignored(MS.DRAINED, ME.CONNECTION_CLOSED, ME.DRAIN),

    *ignored(MS.DEAD, ME.PIDFD_READY, ME.REPLACED, ME.CONNECTION_CLOSED),
))  # fmt: skip

MACHINES = (ATTACH, ATTACH_MONITOR)
