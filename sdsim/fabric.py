"""The network between hosts: a link from each host to one switch, and what can go wrong there.

Theory. A message is a train of packets. It leaves its host behind what that host sent before, the switch forwards it as
its first packet comes (cut through), and it waits there for the link of its receiver: many senders to one host queue at
that link, and what does not fit into the switch's buffer is dropped whole. A `Flow` is what keeps its order: one queue
pair, one direction of one TCP connection. Flows may overtake each other, messages of one flow do not.

    verbs     partition, hold and release, loss, delay: between two hosts, both ways

The fabric drops and delays; that nothing is lost in spite of it is the business of who uses it: the NICs (`nic.py`) and
the kernels (`tcp.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sdsim.world import World

if TYPE_CHECKING:
    from sdsim.host import Host

Arrive = Callable[[], None]
Pair = frozenset[str]


class Flow:
    """Something that keeps its order on the way from one host to another."""

    __slots__ = ("last_ps", "pair", "source", "target")

    def __init__(self, source: Host, target: Host) -> None:
        self.source = source
        self.target = target
        self.pair: Pair = source.pair_with(target)
        self.last_ps = 0


class Link:
    """A host's two directions: until when each is taken, and what went through."""

    __slots__ = ("down_free_ps", "sent_bytes", "up_free_ps")

    def __init__(self) -> None:
        self.up_free_ps = 0
        self.down_free_ps = 0
        self.sent_bytes = 0


class Fabric:
    """All links and the switch.

    Attributes:
        dropped: messages that did not arrive.
        loss: share of packets that get lost anywhere.
    """

    def __init__(self, world: World, loss: float = 0.0) -> None:
        self.world = world
        self.costs = world.costs
        self.loss = loss
        self.dropped = 0
        self.links: dict[Host, Link] = {}
        self._parted: set[Pair] = set()
        self._held: dict[Pair, list[Arrive]] = {}
        self._delays: dict[Pair, int] = {}

    def add(self, host: Host) -> None:
        """Connect a host to the switch."""
        self.links[host] = Link()

    # Messages ---------------------------------------------------------------------------------------------------------

    def send(self, flow: Flow, size: int, begin_ps: int, arrive: Arrive, after_ps: int = 0) -> bool:
        """Send `size` bytes from `begin_ps` on; `arrive` is called `after_ps` behind their last bit, unless dropped."""
        packets = max(1, -(-size // self.costs.mtu))
        here_ps = self._through(flow, size + packets * self.costs.packet_bytes, begin_ps)
        if here_ps is None or self._lost(flow, packets):
            self.dropped += 1
            return False
        here_ps = max(here_ps + after_ps + self._delays.get(flow.pair, 0), flow.last_ps)
        flow.last_ps = here_ps
        self.world.later(here_ps - self.world.now, lambda: self._arrived(flow, arrive))
        return True

    def _through(self, flow: Flow, size: int, begin_ps: int) -> int | None:
        """When the last bit is there; None if the switch has no room for it."""
        up, down = self.links[flow.source], self.links[flow.target]
        wire_ps = self.costs.wire(size)
        start_ps = max(begin_ps, up.up_free_ps)
        up.up_free_ps = start_ps + wire_ps
        up.sent_bytes += size
        at_switch_ps = start_ps + self.costs.switch
        waits_ps = max(0, down.down_free_ps - at_switch_ps)
        if waits_ps > self.costs.wire(self.costs.switch_buffer):
            return None
        down.down_free_ps = at_switch_ps + waits_ps + wire_ps
        if self.world.lanes is not None:
            self.world.lanes.span(flow.source.name, "NIC out", f"{size} bytes", start_ps, start_ps + wire_ps)
            until_ps = down.down_free_ps
            self.world.lanes.span(flow.target.name, "NIC in", f"{size} bytes", until_ps - wire_ps, until_ps)
        return down.down_free_ps

    def _lost(self, flow: Flow, packets: int) -> bool:
        if flow.pair in self._parted:
            return True
        return self.loss > 0 and self.world.rng.random() < 1 - (1 - self.loss) ** packets

    def _arrived(self, flow: Flow, arrive: Arrive) -> None:
        held = self._held.get(flow.pair)
        if held is not None:
            held.append(arrive)
        else:
            arrive()

    # Faults -----------------------------------------------------------------------------------------------------------

    def partition(self, pair: Pair, for_ps: int) -> None:
        """Nothing gets through between two hosts for a while."""
        self._parted.add(pair)
        self.world.later(for_ps, lambda: self._parted.discard(pair))

    def hold(self, pair: Pair, for_ps: int) -> None:
        """Keep what arrives between two hosts, and let it go after a while, in order."""
        self._held.setdefault(pair, [])
        self.world.later(for_ps, lambda: self._release(pair))

    def _release(self, pair: Pair) -> None:
        for arrive in self._held.pop(pair, []):
            arrive()

    def delay(self, pair: Pair, by_ps: int, for_ps: int) -> None:
        """Everything between two hosts takes longer for a while."""
        self._delays[pair] = by_ps
        self.world.later(for_ps, lambda: self._punctual(pair))

    def _punctual(self, pair: Pair) -> None:
        self._delays.pop(pair, None)

    def lose(self, share: float, for_ps: int) -> None:
        """Packets get lost for a while, wherever they go."""
        before, self.loss = self.loss, share
        self.world.later(for_ps, lambda: self._lose_again(before))

    def _lose_again(self, share: float) -> None:
        self.loss = share
