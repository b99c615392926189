"""Who may join, and where both meet; what follows what is said by the machine `join`."""

from __future__ import annotations

from sdcore.monitor.events import End, WantJoin
from sdcore.monitor.policy import Policy
from sdcore.monitor.registry import Join, Lease, Listener, Process
from sdcore.protocol import layout
from sdcore.protocol.kit import Instance

NOBODY = 0
"""In place of a process: it became another program, and did not take its last reference along."""


def objection(policy: Policy, process: Process, join: Join, event: WantJoin) -> int:
    """Why this end must not come back, or not yet, as a REASON_*; 0 if it may."""
    own = (process.identity.region, event.index)
    if process.drained or join.first.drained:
        return int(layout.REASON_DRAINED)
    if any((end.region, end.index) != own and not is_left_by(process, end) for end in event.same):
        return int(layout.REASON_MOVED_PASSED)  # another program has not let go of it
    if not event.other:
        return int(layout.REASON_PEER_PLAIN)
    return 0 if policy.users(process.identity.uid, join.first.identity.uid) else int(layout.REASON_POLICY)


def is_left_by(process: Process, end: End) -> bool:
    """Whether a record is what this process left in its family when it became another program, or nobody's any more."""
    return end.refs == 1 and end.pid in (process.identity.pid, NOBODY)


def meeting_place(join: Join, other: Process, number: int, machines: tuple[Instance, Instance]) -> Lease:
    """A lease of these two processes, at a listener that nobody can connect to. The first one has the side 0.

    Args:
        machines: of the listener, and of the lease.
    """
    netns, ends = join.connection
    (server,) = ends - {join.local} or ends  # a connection to itself has one end
    listener = Listener(number, (netns, server), other.identity.uid, dual=False, machine=machines[0])
    listener.members.add(other)
    lease = Lease(join.first, listener, machines[1], netns=netns)
    join.first.leases[listener] = join.lease = lease
    listener.leases.add(lease)
    return lease
