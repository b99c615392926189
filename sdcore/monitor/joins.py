"""Who may join, and where both meet; what follows what is said by the machine `join`.

The slab is made for the two processes that hold the ends then. The first end may change hands again before it fetches
the slab, which nobody on its side has seen: then who holds the end now has the right to it. A slab of which only one
side was ever taken goes when that one is done; and any such slab when one of the two processes is dead.

Of one process some questions are remembered, the latest: most are never answered, and nobody tells when the connection
that one was about has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sdcore.monitor.events import Denied, Effect, End, FillSlot, Invite, Leased, UseHeavyFence, WantJoin
from sdcore.monitor.identity import Address
from sdcore.monitor.policy import Policy
from sdcore.monitor.registry import Join, Lease, Listener, Process, Registry
from sdcore.protocol import layout
from sdcore.protocol.attach import AttachMonitorDo, AttachMonitorEvent
from sdcore.protocol.joining import JOIN, JoinDo, JoinEvent
from sdcore.protocol.kit import Effect as Do
from sdcore.protocol.kit import Event as Input
from sdcore.protocol.kit import Instance, Machine
from sdcore.protocol.lease import LEASE, LeaseEvent
from sdcore.protocol.listener import LISTENER_MONITOR

NOBODY = 0
"""In place of a process: it became another program, and did not take its last reference along."""

QUESTIONS_MAX = 256
"""Of one process, at a time."""


@dataclass(frozen=True)
class Hands:
    """What the monitor lends: its machines, and what it says."""

    registry: Registry
    start: Callable[[Machine], Instance]
    feed: Callable[[Instance, Input], Iterator[Do]]
    feed_lease: Callable[[Lease, LeaseEvent], None]
    tell: Callable[[Effect], None]


class Joins:
    """The connections whose ends asked."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def want(self, policy: Policy, process: Process, event: WantJoin) -> None:
        """Call the question by its name; the machine of the connection says what follows."""
        place = (process.identity.region, event.index)
        connection = (event.socket.netns, frozenset((event.socket.local, event.peer)))
        join = self._hands.registry.joins.get(connection)
        if join is None:
            join = Join(connection, process, event.socket.local, place, self._hands.start(JOIN))
            self._remember(join)
        first = join.local == event.socket.local
        other = join.answered if first else join.first
        reason = self._drained(process, other) or objection(policy, process, other, event)
        if reason:
            self._feed(join, JoinEvent.DENIED, reason=reason)
        elif first:
            self._turn(join, process, place)
            self._feed(join, JoinEvent.ASKED, event.other)
        else:
            join.answered = process
            self._feed(join, JoinEvent.ANSWERED)

    def _drained(self, *processes: Process | None) -> int:
        """REASON_DRAINED if the machine of one of them says so."""
        said = [self._hands.feed(one.machine, AttachMonitorEvent.SHARES) for one in processes if one is not None]
        return int(layout.REASON_DRAINED) if any(AttachMonitorDo.DENY_DRAINED in effects for effects in said) else 0

    def end(self, process: Process) -> None:
        """A process is no more."""
        for join in tuple(self._hands.registry.joins.values()):
            if process in (join.first, join.answered):
                self._feed(join, JoinEvent.GONE)
        for lease in tuple(process.met):
            self._hands.feed_lease(lease, LeaseEvent.SERVER_DIED)

    def _remember(self, join: Join) -> None:
        self._hands.registry.add_join(join)
        if len(join.first.joins) > QUESTIONS_MAX:
            self._feed(next(iter(join.first.joins)), JoinEvent.STALE)

    def _turn(self, join: Join, process: Process, place: tuple[int, int]) -> None:
        """Who asks holds the first end now, with all that belongs to it."""
        if process is not join.first and join.lease is not None:
            self._hands.registry.pass_on(join.lease, process)
            if not process.fences:
                for slab in join.lease.slabs:
                    self._hands.tell(UseHeavyFence(slab))
        self._hands.registry.turn_join(join, process)
        join.place = place

    def _feed(self, join: Join, event: JoinEvent, other: tuple[End, ...] = (), reason: int = 0) -> None:
        for effect in self._hands.feed(join.machine, event):
            match effect:
                case JoinDo.INVITE:
                    for end in other:
                        self._hands.tell(Invite(end.region, end.index))
                    self._hands.tell(Leased(0, 0))
                case JoinDo.MEET:
                    self._meet(join)
                case JoinDo.INVITE_FIRST:
                    self._hands.tell(Invite(*join.place))
                case JoinDo.SEND_SLAB:
                    self._send(join)
                case JoinDo.DENY:
                    self._hands.tell(Denied(reason or layout.REASON_PEER_PLAIN))
                case JoinDo.FORGET:
                    self._hands.registry.remove_join(join)

    def _meet(self, join: Join) -> None:
        """Nobody else comes to the slab: it goes when nobody uses it."""
        assert join.answered is not None
        machines = self._hands.start(LISTENER_MONITOR), self._hands.start(LEASE)
        lease = meeting_place(join, join.answered, self._hands.registry.next_number(), machines)
        self._hands.feed_lease(lease, LeaseEvent.REQUEST_ALLOWED)
        for slab in lease.slabs:
            lease.server_regions.add(join.answered.identity.region)
            self._hands.tell(FillSlot(slab, join.local, far_end(join)))
        self._hands.feed_lease(lease, LeaseEvent.LISTENER_GONE)
        if not lease.slabs:
            self._hands.registry.forget_lease(lease)

    def _send(self, join: Join) -> None:
        if join.lease is None or not join.lease.slabs:
            self._hands.tell(Denied(layout.REASON_NO_MEMORY))
        else:
            self._hands.tell(Leased(join.lease.slabs[-1], join.lease.listener.number))


def objection(policy: Policy, process: Process, other: Process | None, event: WantJoin) -> int:
    """Why what is shown and the policy speak against it, or do so yet, as a REASON_*; 0 if nothing does.

    Args:
        other: who holds the other end, if that is known.
    """
    own = (process.identity.region, event.index)
    if any((end.region, end.index) != own and not is_left_by(process, end) for end in event.same):
        return int(layout.REASON_MOVED_PASSED)  # another program has not let go of it
    if not event.other:
        return int(layout.REASON_PEER_PLAIN)
    allowed = other is None or policy.users(process.identity.uid, other.identity.uid)
    return 0 if allowed else int(layout.REASON_POLICY)


def is_left_by(process: Process, end: End) -> bool:
    """Whether a record is what this process left in its family when it became another program, or nobody's any more.

    A second one in its present family is a second descriptor that it got for the same end.
    """
    return end.region != process.identity.region and end.refs == 1 and end.pid in (process.identity.pid, NOBODY)


def far_end(join: Join) -> Address:
    """The end that is not the first one's; a connection to itself has one end."""
    _, ends = join.connection
    (server,) = ends - {join.local} or ends
    return server


def meeting_place(join: Join, other: Process, number: int, machines: tuple[Instance, Instance]) -> Lease:
    """A lease of these two processes, at a listener that nobody can connect to. The first one has the side 0.

    Args:
        machines: of the listener, and of the lease.
    """
    listener = Listener(
        number, (join.connection[0], far_end(join)), other.identity.uid, dual=False, machine=machines[0]
    )
    listener.members.add(other)
    lease = Lease(join.first, listener, machines[1], netns=join.connection[0])
    join.first.leases[listener] = join.lease = lease
    listener.leases.add(lease)
    other.met.add(lease)
    return lease
