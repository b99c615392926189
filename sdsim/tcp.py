"""One direction of a kernel TCP connection between two hosts: in order, once, until it gives up.

A segment that the fabric drops is sent again after the retransmission timeout, doubled each time; what came behind it
waits at the receiver. After too many attempts the direction fails, and the connection with it.
"""

from __future__ import annotations

from collections.abc import Callable

from sdsim.fabric import Arrive, Fabric, Flow
from sdsim.host import Host

ATTEMPTS = 15
RTO_DOUBLINGS_MAX = 9


class TcpFlow:
    """What one kernel sends to another for one connection.

    Args:
        failed: called once when it gives up.
    """

    __slots__ = ("_next", "_sent", "_waiting", "dead", "fabric", "failed", "flow")

    def __init__(self, fabric: Fabric, source: Host, target: Host, failed: Callable[[], None]) -> None:
        self.fabric = fabric
        self.flow = Flow(source, target)
        self.failed = failed
        self.dead = False
        self._sent = self._next = 0
        self._waiting: dict[int, Arrive] = {}

    def send(self, size: int, arrive: Arrive) -> None:
        """Send a segment; `arrive` is called at the other host, behind everything sent before."""
        number, self._sent = self._sent, self._sent + 1
        self._try(number, size, arrive, 0)

    def _try(self, number: int, size: int, arrive: Arrive, attempt: int) -> None:
        if self.dead:
            return
        costs, world = self.fabric.costs, self.fabric.world
        there = self.fabric.send(
            self.flow, size, world.now, lambda: self._arrived(number, arrive), costs.tcp_remote - costs.switch
        )
        if there:
            return
        if attempt >= ATTEMPTS:
            self.give_up()
            return
        wait_ps = costs.tcp_rto << min(attempt, RTO_DOUBLINGS_MAX)
        world.later(wait_ps, lambda: self._try(number, size, arrive, attempt + 1))

    def _arrived(self, number: int, arrive: Arrive) -> None:
        self._waiting[number] = arrive
        while not self.dead and self._next in self._waiting:
            self._next += 1
            self._waiting.pop(self._next - 1)()

    def give_up(self) -> None:
        """Nothing more comes through."""
        if not self.dead:
            self.dead = True
            self.failed()
