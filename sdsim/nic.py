"""RDMA NICs: queue pairs, write with immediate, compare and swap, completions, retransmission.

Theory. A reliable connection numbers its work requests. The sender keeps what is not acknowledged; the receiver
performs number `expected` only, acknowledges it, and answers a later one with a NAK (go back N). Silence for
`rdma_timeout` means the same as a NAK; `rdma_retries` of them in a row break the queue pair: nothing more comes through
it, and its owner is told. A NIC holds the state of `nic_qp_cache` queue pairs; every other costs a read over PCIe when
it is used, by the sender's NIC and by the receiver's.

    law     each write is performed at most once, and in the order of posting
    law     a completion says that the write was performed

Half of what a one-sided write takes beyond the switch is charged to each NIC: doorbell, PCIe, DMA. Its bytes cross PCIe
twice; all packets but one do so while another is on the link.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from sdsim.fabric import Fabric, Flow
from sdsim.host import Host
from sdsim.world import Violation, World

ACK_BYTES = 4
PIECE_PACKETS = 16
"""Where packets get lost, long writes go in pieces of so many: only what follows a lost packet is sent again."""
Action = Callable[[], None]


def nothing() -> None:
    """What a completion that nobody asked for does."""


class Nic:
    """One host's NIC.

    Attributes:
        misses: how often the state of a queue pair had to be fetched.
    """

    def __init__(self, world: World, host: Host, fabric: Fabric) -> None:
        self.world = world
        self.host = host
        self.fabric = fabric
        self.costs = world.costs
        self.half_ps = max(0, self.costs.rdma_one_way - self.costs.switch) // 2
        self.misses = 0
        self._cache: OrderedDict[QueuePair, None] = OrderedDict()

    def touch(self, pair: QueuePair) -> int:
        """Use the state of a queue pair; returns what fetching it costs."""
        if pair in self._cache:
            self._cache.move_to_end(pair)
            return 0
        self.misses += 1
        self._cache[pair] = None
        if len(self._cache) > self.costs.nic_qp_cache:
            self._cache.popitem(last=False)
        return self.costs.nic_qp_miss


class Work:
    """A work request that is not acknowledged yet."""

    __slots__ = ("completed", "number", "perform", "size")

    def __init__(self, number: int, size: int, perform: Action, completed: Action) -> None:
        self.number = number
        self.size = size
        self.perform = perform
        self.completed = completed


class QueuePair:
    """One end of a reliable connection.

    Attributes:
        peer: the other end.
        in_flight: writes that are not acknowledged.
        closed: destroyed by its owner: nothing more is sent or received.
        broken: it gave up.
        on_break: called when it gives up.
    """

    __slots__ = (
        "_expected", "_flow", "_free_ps", "_naked", "_posted", "_retries", "_timed", "_window", "broken", "closed",
        "in_flight", "nic", "on_break", "peer", "performed",
    )  # fmt: skip

    def __init__(self, nic: Nic) -> None:
        self.nic = nic
        self.peer: QueuePair
        self.closed = self.broken = False
        self.in_flight = 0
        self.on_break: Action = nothing
        self.performed = 0
        self._window: list[Work] = []
        self._posted = self._expected = self._retries = 0
        self._naked = self._timed = False
        self._flow: Flow
        self._free_ps = 0

    # Sending ----------------------------------------------------------------------------------------------------------

    def write(self, size: int, perform: Action, completed: Action = nothing) -> None:
        """Post a write; `perform` is called at the other host, `completed` here once it is acknowledged."""
        if self.closed or self.broken:
            return
        self.in_flight += 1
        if self.nic.fabric.loss:
            piece = PIECE_PACKETS * self.nic.costs.mtu
            for _ in range((size - 1) // piece):
                self._post(piece, nothing, nothing)
                size -= piece
        self._post(size, perform, lambda: self._complete(completed))

    def _post(self, size: int, perform: Action, completed: Action) -> None:
        work = Work(self._posted, size, perform, completed)
        self._posted += 1
        self._window.append(work)
        self._transmit(work)
        if not self._timed:
            self._start_timer()

    def _complete(self, completed: Action) -> None:
        self.in_flight -= 1
        completed()

    def _transmit(self, work: Work) -> None:
        nic = self.nic
        dma_ps = nic.costs.dma(work.size)
        begin_ps = nic.world.now + nic.half_ps + nic.touch(self) + dma_ps
        nic.fabric.send(self._flow, work.size, begin_ps, lambda: self.peer.receive(work), nic.half_ps + dma_ps)

    def _start_timer(self) -> None:
        self._timed = True
        oldest = self._window[0].number
        self.nic.world.later(self.nic.costs.rdma_timeout, lambda: self._timeout(oldest))

    def _timeout(self, oldest: int) -> None:
        self._timed = False
        if not self._window or self.closed or self.broken:
            return
        if self._window[0].number == oldest:
            self._retries += 1
            if self._retries > self.nic.costs.rdma_retries:
                self._break()
                return
            self._again()
        self._start_timer()

    def _again(self) -> None:
        for work in self._window:
            self._transmit(work)

    def _break(self) -> None:
        self.broken = True
        self._window.clear()
        self.on_break()

    def _acknowledged(self, number: int) -> None:
        if self.closed or self.broken:
            return
        while self._window and self._window[0].number <= number:
            self._retries = 0
            self._window.pop(0).completed()

    def _not_in_order(self) -> None:
        if not (self.closed or self.broken):
            self._again()

    # Receiving --------------------------------------------------------------------------------------------------------

    def receive(self, work: Work) -> None:
        """The other end's write has arrived."""
        if self.closed or self.broken:
            return
        miss_ps = self.nic.touch(self)
        at_ps = max(self.nic.world.now + miss_ps, self._free_ps)
        if at_ps == self.nic.world.now:
            self._perform(work)
        else:
            self._free_ps = at_ps
            self.nic.world.later(at_ps - self.nic.world.now, lambda: self._perform(work))

    def _perform(self, work: Work) -> None:
        if self.closed or self.broken:
            return
        if work.number > self._expected:
            if not self._naked:
                self._naked = True
                self._answer(self.peer._not_in_order)
            return
        if work.number == self._expected:
            self._naked = False
            self._expected += 1
            self._check(work)
            work.perform()
        number = self._expected - 1
        self._answer(lambda: self.peer._acknowledged(number))

    def _check(self, work: Work) -> None:
        if work.number != self.performed:
            raise Violation(f"writes in order, once: number {work.number} is performed, {self.performed} is next")
        self.performed += 1

    def _answer(self, action: Action) -> None:
        nic = self.nic
        nic.fabric.send(self._flow, ACK_BYTES, nic.world.now + nic.half_ps, action, nic.half_ps)

    def close(self) -> None:
        """Destroy it: what is under way is not performed any more."""
        self.closed = True
        self._window.clear()


def connect(one: Nic, other: Nic) -> tuple[QueuePair, QueuePair]:
    """Two queue pairs that are connected with each other."""
    here, there = QueuePair(one), QueuePair(other)
    here.peer, there.peer = there, here
    here._flow, there._flow = Flow(one.host, other.host), Flow(other.host, one.host)
    return here, there
