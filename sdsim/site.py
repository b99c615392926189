"""A site: the hosts of a run, their monitors, their kernels, and who is connected with whom."""

from __future__ import annotations

from sdcore.monitor.identity import Address
from sdsim.fabric import Fabric
from sdsim.host import Host
from sdsim.kernel import End, Kernel, Listener
from sdsim.library import Library
from sdsim.monitor import Monitor
from sdsim.nic import Nic
from sdsim.shared import Slab
from sdsim.socket import Socket
from sdsim.world import Violation, World

PORT = 7000
FAR_LEASES = 1 << 20
"""Numbers of slabs between hosts begin here."""


class Site:
    """Everything that stands in one simulated data centre.

    Attributes:
        hosts: each with its cores; the last core of each host is the monitor's.
    """

    def __init__(self, world: World, hosts: int = 1, cores: int = 16, *, rdma: bool = True, loss: float = 0.0) -> None:
        self.world = world
        self.fabric = Fabric(world, loss)
        self.kernel = Kernel(world, self.fabric)
        self.hosts = [Host(world, cores + 1) for _ in range(hosts)]
        self.nics = {host: Nic(world, host, self.fabric) for host in self.hosts} if rdma else {}
        self._monitors = {host: Monitor(world, host.cores[-1]) for host in self.hosts}
        self._places = {self.address(number).ip: host for number, host in enumerate(self.hosts)}
        for host in self.hosts:
            self.fabric.add(host)
        self.libraries: list[Library] = []
        self._cookies: dict[Listener, int] = {}
        self._members: dict[Listener, int] = {}
        self._clients: dict[End, Socket] = {}
        self._accepted: dict[End, Socket] = {}
        self._far: dict[tuple[Library, Listener], Slab] = {}

    def monitor_of(self, host: Host) -> Monitor:
        """The monitor of a host."""
        return self._monitors[host]

    @property
    def monitor(self) -> Monitor:
        """The monitor of the first host."""
        return self._monitors[self.hosts[0]]

    def address(self, host: int = 0, port: int = PORT) -> Address:
        """An address at a host."""
        return Address.parse(f"10.0.{host // 250}.{host % 250 + 1}", port)

    def host_of(self, address: Address) -> Host:
        """The host that an address belongs to."""
        return self._places[address.ip]

    # Between hosts ----------------------------------------------------------------------------------------------------

    def far_slab(self, client: Library, address: Address) -> Slab | None:
        """The slab of a client process and a listener on another host; None if either side cannot have one."""
        listener = self.kernel.listeners.get(address)
        there = self.host_of(address)
        if listener is None or listener.closed or not self.nics or not self.monitor_of(there).page.alive:
            return None
        slab = self._far.get((client, listener))
        if slab is not None:
            return slab
        held = [one for library in self.libraries if library.accelerated for one in library.listenings]
        mine = [one for one in held if one.kernel is listener]
        if mine:
            slab = Slab(self.world, FAR_LEASES + len(self._far), True, (self.nics[client.host], self.nics[there]))
            self._far[client, listener] = slab
            self.monitor_of(client.host).all_slabs.append(slab)
            for listening in mine:
                listening.slabs.append(slab)
        return slab

    # Listeners --------------------------------------------------------------------------------------------------------

    def cookie(self, listener: Listener) -> int:
        """The kernel's number for a listening socket."""
        return self._cookies.setdefault(listener, len(self._cookies) + 1)

    def join_listener(self, listener: Listener) -> None:
        """One more process holds it."""
        self._members[listener] = self._members.get(listener, 0) + 1

    def leave_listener(self, listener: Listener) -> None:
        """One process less; the kernel closes it with the last."""
        self._members[listener] -= 1
        if not self._members[listener]:
            self.kernel.close_listener(listener)

    # Connections ------------------------------------------------------------------------------------------------------

    def streams(self, client: Socket) -> None:
        """A client's kernel connection exists: its accepting end will get its bytes."""
        assert client.end is not None
        self._clients[client.end] = client

    def accepted(self, end: End, server: Socket) -> None:
        """The kernel gave `end` to a server.

        Raises:
            Violation: to a second one.
        """
        if end in self._accepted:
            raise Violation(f"accepted once: {end.name} was accepted twice")
        self._accepted[end] = server
        client = self._clients[end.peer]
        client.into, server.into = server.out, client.out
