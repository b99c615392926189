"""What a workload measures, and what programs have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sdsim.host import Thread
from sdsim.kernel import Reset
from sdsim.library import Library, Refused
from sdsim.site import Site
from sdsim.socket import BrokenPipe, Mode, Socket
from sdsim.units import SECOND, US
from sdsim.world import Steps

FAULTS = (BrokenPipe, Reset, Refused)
"""What a program may get when something was killed."""

MakeLibrary = Callable[[Site, int], Library]
"""Makes a process on a host."""


@dataclass
class Result:
    """What a workload measured.

    Attributes:
        latencies_ps: of single round trips or connections.
        messages: that arrived whole.
        connections: that were served.
        modes: how many connections the rings or the kernel carried.
        faults: errors that programs were given.
        began_ps, ended_ps: of the measured part.
    """

    latencies_ps: list[int] = field(default_factory=list)
    messages: int = 0
    sent_bytes: int = 0
    connections: int = 0
    modes: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    began_ps: int = 0
    ended_ps: int = 0

    @property
    def elapsed_ps(self) -> int:
        """Length of the measured part."""
        return max(1, self.ended_ps - self.began_ps)

    @property
    def mean_us(self) -> float:
        """Mean latency."""
        return sum(self.latencies_ps) / len(self.latencies_ps) / US if self.latencies_ps else 0.0

    def percentile_us(self, percent: int) -> float:
        """A latency that so many percent do not exceed."""
        ordered = sorted(self.latencies_ps)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] / US if ordered else 0.0

    @property
    def messages_per_second(self) -> float:
        """Rate of the measured part."""
        return self.messages * SECOND / self.elapsed_ps

    @property
    def connections_per_second(self) -> float:
        """Rate of the measured part."""
        return self.connections * SECOND / self.elapsed_ps

    @property
    def gbit_per_second(self) -> float:
        """Bandwidth of the measured part."""
        return self.sent_bytes * 8 * SECOND / self.elapsed_ps / 1e9

    def count(self, fault: BaseException) -> None:
        """A program got an error."""
        name = type(fault).__name__
        self.faults[name] = self.faults.get(name, 0) + 1

    def served(self, socket: Socket) -> None:
        """One more connection, and what carried it."""
        self.connections += 1
        name = "ring" if socket.mode in (Mode.RING, Mode.OFFERED) else "kernel"
        self.modes[name] = self.modes.get(name, 0) + 1


def read_exactly(thread: Thread, socket: Socket, size: int) -> Steps:
    """Read `size` bytes; returns whether the stream did not end before."""
    left = size
    while left:
        got = yield from socket.receive(thread, left)
        if not got:
            return False
        left -= got
    return True
