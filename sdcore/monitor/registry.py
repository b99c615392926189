"""What the monitor remembers: processes, listeners, leases and slabs, and how to find them.

Tables only; what happens to an entry is decided by its machine, in `decisions`. A *lease* is the right of one client
process at one listener; it has *slabs*, each with a number of its own, which messages call `lease_id`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sdcore.monitor.identity import ANY_V4, ANY_V6, MAPPED_PREFIX, Address, Place, ProcessId, SocketId, UnixName
from sdcore.protocol.attach import AttachMonitorState
from sdcore.protocol.kit import Instance
from sdcore.protocol.lease import LeaseEvent
from sdcore.protocol.listener import ListenerMonitorState

LOOPBACK_V4 = MAPPED_PREFIX + bytes((127, 0, 0, 1))
LOOPBACK_V6 = bytes(15) + b"\x01"
NO_SECRET = 0

Endpoint = tuple[int, Place]
"""Network namespace and local address: what a listener is found by."""


@dataclass(eq=False)
class Process:
    """An attached process.

    Attributes:
        number: never used twice.
        fences: whether membarrier reaches it.
        child_secret: proves that a process is its child; 0 proves nothing.
        parent: number of the proven parent, 0 if there is none.
        attached_ns: when it said hello first.
        met: leases of connections that stand, of which it answered for the other end.
        joins: connections of which it asked first, the oldest first.
    """

    number: int
    identity: ProcessId
    machine: Instance
    fences: bool
    child_secret: int
    attached_ns: int
    parent: int = 0
    listeners: set[Listener] = field(default_factory=set)
    leases: dict[Listener, Lease] = field(default_factory=dict)
    met: set[Lease] = field(default_factory=set)
    joins: dict[Join, None] = field(default_factory=dict)

    @property
    def drained(self) -> bool:
        """Whether it may have no lease any more."""
        return self.machine.state is AttachMonitorState.DRAINED


@dataclass(eq=False)
class Listener:
    """An address at which processes listen; several sockets of one user are one listener (SO_REUSEPORT).

    Attributes:
        uid: user of the process that registered it.
        cookies: its sockets.
        dual: whether an IPv6 wildcard takes IPv4, too.
        slabs: numbers of all slabs in which clients may offer, ascending.
    """

    number: int
    endpoint: Endpoint
    uid: int
    dual: bool
    machine: Instance
    cookies: set[int] = field(default_factory=set)
    members: set[Process] = field(default_factory=set)
    leases: set[Lease] = field(default_factory=set)
    slabs: list[int] = field(default_factory=list)

    @property
    def drained(self) -> bool:
        """Whether nobody may have a lease there any more."""
        return self.machine.state is ListenerMonitorState.DRAINED


@dataclass(eq=False)
class Lease:
    """The right of one client process at one listener.

    Attributes:
        slabs: numbers of its slabs, the newest last.
        watched: those that are looked at, and what is fed when nothing is to be seen there any more.
        server_regions: families that were given one of the slabs.
        netns: namespace of the socket for which the client asked last.
        granted_ns: when the newest slab was made.
    """

    client: Process
    listener: Listener
    machine: Instance
    slabs: list[int] = field(default_factory=list)
    watched: dict[int, LeaseEvent] = field(default_factory=dict)
    server_regions: set[int] = field(default_factory=set)
    netns: int = 0
    granted_ns: int = 0

    @property
    def fences(self) -> bool:
        """Whether membarrier reaches both sides."""
        return self.client.fences and all(member.fences for member in self.listener.members)


Connection = tuple[int, frozenset[Address]]
"""Network namespace and both ends."""


@dataclass(eq=False)
class Join:
    """A connection whose ends may get rings again.

    Attributes:
        first: the process that holds the end that asked first.
        answered: the one that holds the other end, once it asked.
        local: the end of the first.
        place: region and index of the record that shows it.
        lease: what both meet in.
    """

    connection: Connection
    first: Process
    local: Address
    place: tuple[int, int]
    machine: Instance
    answered: Process | None = None
    lease: Lease | None = None


class Registry:
    """All tables. Numbers grow and are never used twice."""

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self.listeners: dict[int, Listener] = {}
        self.slabs: dict[int, Lease] = {}
        self.joins: dict[Connection, Join] = {}
        self._by_pid: dict[int, Process] = {}
        self._by_cookie: dict[int, Listener] = {}
        self._by_endpoint: dict[Endpoint, Listener] = {}
        self._last_number = 0

    def next_number(self) -> int:
        """A number that nothing has had before."""
        self._last_number += 1
        return self._last_number

    # Processes --------------------------------------------------------------------------------------------------------

    def add_process(self, process: Process) -> None:
        """Enter a process that attached."""
        self.processes[process.number] = process
        self._by_pid[process.identity.pid] = process

    def remove_process(self, process: Process) -> None:
        """Forget a process; another one may have its pid by now."""
        del self.processes[process.number]
        if self._by_pid.get(process.identity.pid) is process:
            del self._by_pid[process.identity.pid]

    def slabs_of(self, process: Process) -> frozenset[tuple[int, int]]:
        """The slabs that the family of a process was given, each with its side (0 client, 1 server)."""
        region = process.identity.region
        held = self.slabs.items()
        clients = {(slab, 0) for slab, lease in held if lease.client.identity.region == region}
        servers = {(slab, 1) for slab, lease in held if region in lease.server_regions}
        return frozenset(clients | servers)

    def process_with_pid(self, pid: int) -> Process | None:
        """The attached process that has this pid."""
        return self._by_pid.get(pid)

    def parent_of(self, identity: ProcessId, number: int, secret: int) -> Process | None:
        """The process `number`, if the secret and the shared region prove it the parent."""
        parent = self.processes.get(number)
        if parent is None or secret == NO_SECRET or parent.child_secret != secret:
            return None
        return parent if parent.identity.region == identity.region else None

    def family(self, region: int) -> Iterator[ProcessId]:
        """The processes that share a region."""
        return (p.identity for p in self.processes.values() if p.identity.region == region)

    def leases_served_by(self, region: int) -> frozenset[Lease]:
        """The leases of whose slabs a family was given one, as a server."""
        return frozenset(lease for lease in self.slabs.values() if region in lease.server_regions)

    # Leases and joins -------------------------------------------------------------------------------------------------

    def forget_lease(self, lease: Lease) -> None:
        """Of a lease that ended, or never began, nobody knows any more."""
        lease.listener.leases.discard(lease)
        lease.client.leases.pop(lease.listener, None)
        for member in lease.listener.members:
            member.met.discard(lease)

    def pass_on(self, lease: Lease, process: Process) -> None:
        """Another process is the client."""
        if lease.client.leases.pop(lease.listener, None) is not None:
            lease.client, process.leases[lease.listener] = process, lease

    def add_join(self, join: Join) -> None:
        """Remember a connection."""
        self.joins[join.connection] = join
        join.first.joins[join] = None

    def turn_join(self, join: Join, process: Process) -> None:
        """Another process holds the first end."""
        if process is not join.first:
            del join.first.joins[join]
            join.first, process.joins[join] = process, None

    def remove_join(self, join: Join) -> None:
        """Forget a connection."""
        del self.joins[join.connection], join.first.joins[join]

    # Listeners --------------------------------------------------------------------------------------------------------

    def add_listener(self, listener: Listener) -> None:
        """Enter a listener."""
        self.listeners[listener.number] = listener
        self._by_endpoint[listener.endpoint] = listener

    def add_socket(self, listener: Listener, socket: SocketId) -> None:
        """One more socket of a listener."""
        listener.cookies.add(socket.cookie)
        listener.dual = listener.dual or socket.dual
        self._by_cookie[socket.cookie] = listener

    def remove_listener(self, listener: Listener) -> None:
        """Forget a listener and its sockets."""
        del self.listeners[listener.number], self._by_endpoint[listener.endpoint]
        for cookie in listener.cookies:
            del self._by_cookie[cookie]

    def listener_of(self, socket: SocketId) -> Listener | None:
        """The listener to which a socket belongs, or which has its address."""
        return self._by_cookie.get(socket.cookie) or self._by_endpoint.get((socket.netns, socket.place))

    def listener_for(self, netns: int, destination: Place) -> Listener | None:
        """The listener that the kernel would choose in this namespace: the address before the wildcards."""
        if isinstance(destination, UnixName):
            return self._by_endpoint.get((netns, destination))
        target = _connected(destination)
        found = self._by_endpoint.get((netns, target))
        if found is None and target.is_v4:
            found = self._by_endpoint.get((netns, Address(ANY_V4, target.port)))
        if found is None:
            wild = self._by_endpoint.get((netns, Address(ANY_V6, target.port)))
            found = wild if wild is not None and (wild.dual or not target.is_v4) else None
        return found

    def listener_elsewhere(self, netns: int, destination: Place) -> Listener | None:
        """The one listener with exactly this address in other namespaces; a loopback address is never meant so.

        Nor is a Unix socket: its clients are told apart by names that are unique in their own namespace only.
        """
        if isinstance(destination, UnixName) or destination.is_loopback:
            return None
        found = [
            listener
            for (space, address), listener in self._by_endpoint.items()
            if address == destination and space != netns
        ]
        return found[0] if len(found) == 1 else None


def _connected(destination: Address) -> Address:
    """Where the kernel goes: to the loopback address, if no address is given."""
    loopback = {ANY_V4: LOOPBACK_V4, ANY_V6: LOOPBACK_V6}
    return Address(loopback.get(destination.ip, destination.ip), destination.port)
