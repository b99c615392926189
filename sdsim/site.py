"""A site: the hosts of a run, their monitors, their kernels, and who is connected with whom."""

from __future__ import annotations

from sdcore.monitor.identity import Address
from sdsim.host import Host
from sdsim.kernel import End, Kernel, Listener
from sdsim.library import Library
from sdsim.monitor import Monitor
from sdsim.socket import Socket
from sdsim.world import Violation, World

PORT = 7000


class Site:
    """Everything that stands in one simulated data centre.

    Attributes:
        hosts: each with its cores; the last core of each host is the monitor's.
    """

    def __init__(self, world: World, hosts: int = 1, cores: int = 16) -> None:
        self.world = world
        self.kernel = Kernel(world)
        self.hosts = [Host(world, cores + 1) for _ in range(hosts)]
        self._monitors = {host: Monitor(world, host.cores[-1]) for host in self.hosts}
        self.libraries: list[Library] = []
        self._cookies: dict[Listener, int] = {}
        self._members: dict[Listener, int] = {}
        self._clients: dict[End, Socket] = {}
        self._accepted: dict[End, Socket] = {}

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
