"""How the stores of one end of a connection reach the other: shared memory on one host, RDMA between two.

A path carries what the protocol's effects say; it decides nothing.

    SharedPath   a store is a store: seen by the peer a cache line's time later
    RdmaPath     the ring exists twice. A write with immediate carries everything that is new, and the peer looks at
                 completions only. At most `BATCH_FROM` writes are under way: what is sent meanwhile goes out as one
                 write with the next completion. The count of consumed bytes goes back when half a ring is free.
                 Words that both sides swap live at the server; the client reaches them by compare and swap, there
                 and back

An end between hosts that closes lets the kernel close the companion only when its writes are acknowledged: else the
companion's end of file would overtake them and look like a death.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sdcore.protocol import layout
from sdsim.nic import Nic, QueuePair, connect
from sdsim.shared import Slot
from sdsim.world import Steps

if TYPE_CHECKING:
    from sdsim.host import Thread
    from sdsim.socket import Socket

BATCH_FROM = 4
"""The paper has such a threshold and does not name it; with this one its 18 M/s with batching come out."""
WORD_BYTES = 8
CREDIT_BYTES = layout.RING_BYTES // 2


class Path(Protocol):
    """What an end can tell the other."""

    def data(self, thread: Thread | None) -> None:
        """The tail has moved."""
        ...

    def flags(self, thread: Thread | None, flags: int) -> None:
        """These TX_* stand beside the tail."""
        ...

    def credit(self, thread: Thread | None, head: int) -> None:
        """So many bytes are consumed."""
        ...

    def closed(self) -> None:
        """RX_CLOSED stands beside the head."""
        ...

    def accepted(self, thread: Thread | None) -> None:
        """The offer is taken: tell a client that waits because it may not send more yet."""
        ...

    def release(self, sides: int) -> None:
        """Some sides are done with the slot."""
        ...

    def when_told(self, action: Callable[[], None]) -> None:
        """Do something when the peer can see everything that was said."""
        ...

    def destroy(self) -> None:
        """The process is dead."""
        ...


class SharedPath:
    """Both ends on one host."""

    def __init__(self, socket: Socket, slot: Slot) -> None:
        self.socket = socket
        self.slot = slot
        self.world = slot.slab.world
        self.env = self.world.env
        self.line_ps = self.world.costs.cache_line

    def data(self, thread: Thread | None) -> None:
        """The tail's line and the line of the bytes."""
        direction = self.socket.tx_dir
        direction.tail.store(self.socket.tail, self.env.now_ps + 2 * self.line_ps)
        waits = direction.data_wait
        if waits.spinners or waits.sleepers or waits.watch is not None:
            self.socket.attend(thread, waits, 2 * self.line_ps)

    def flags(self, thread: Thread | None, flags: int) -> None:
        """One line."""
        direction = self.socket.tx_dir
        direction.tx_flags.store(direction.tx_flags.value | flags, self.world.now + self.line_ps)
        self.socket.attend(thread, direction.data_wait, self.line_ps)

    def credit(self, thread: Thread | None, head: int) -> None:
        """One line; a producer that waits is woken once a good part of the ring is free."""
        socket, direction = self.socket, self.socket.rx_dir
        direction.head.store(head, self.env.now_ps + self.line_ps)
        waits = direction.room_wait
        if (waits.spinners or waits.sleepers or waits.watch is not None) and socket.room_is_worth_it():
            socket.attend(thread, waits, self.line_ps)

    def closed(self) -> None:
        """One line."""
        self.socket.rx_dir.rx_flags.store(layout.RX_CLOSED, self.world.now + self.line_ps)
        self.socket.attend(None, self.socket.rx_dir.room_wait, self.line_ps)

    def accepted(self, thread: Thread | None) -> None:
        """The swap is seen at once."""
        self.slot.accept_seen = True
        self.socket.attend(thread, self.socket.rx_dir.room_wait, self.line_ps)

    def release(self, sides: int) -> None:
        """A counter in the slot."""
        self.slot.release(sides)

    def when_told(self, action: Callable[[], None]) -> None:
        """Stores are seen in order; closing in the kernel takes longer."""
        self.world.later(self.socket.costs.tcp_send, action)

    def destroy(self) -> None:
        """Memory stays with who has mapped it."""


class RdmaPath:
    """Ends on two hosts, joined by one queue pair of each."""

    def __init__(self, socket: Socket, slot: Slot, pair: QueuePair) -> None:
        self.socket = socket
        self.slot = slot
        self.world = slot.slab.world
        self.pair = pair
        self.posted = self.returned = 0
        self._told: list[Callable[[], None]] = []
        self._unreleased = False
        pair.on_break = self._broken

    def data(self, thread: Thread | None) -> None:
        """Post a write, or leave the bytes to the next completion."""
        if self.pair.in_flight < BATCH_FROM:
            self._post(thread)

    def _post(self, thread: Thread | None) -> None:
        tail, direction = self.socket.tail, self.socket.tx_dir
        size, self.posted = tail - self.posted, tail
        if thread is not None:
            thread.debt_ps += self.socket.costs.rdma_post

        def arrive() -> None:
            direction.tail.store(tail, self.world.now)
            self.socket.attend(None, direction.data_wait, 0)

        self.pair.write(size, arrive, self._completed)

    def _completed(self) -> None:
        if self.socket.tail > self.posted:
            self._post(None)
        if not self.pair.in_flight:
            told, self._told = self._told, []
            for action in told:
                action()

    def _word(self, thread: Thread | None, perform: Callable[[], None]) -> None:
        """A small write behind everything that was sent."""
        if self.socket.tail > self.posted:
            self._post(thread)
        if thread is not None:
            thread.debt_ps += self.socket.costs.rdma_post
        self.pair.write(WORD_BYTES, perform, self._completed)

    def flags(self, thread: Thread | None, flags: int) -> None:
        """Behind the bytes."""
        direction = self.socket.tx_dir

        def arrive() -> None:
            direction.tx_flags.store(direction.tx_flags.value | flags, self.world.now)
            self.socket.attend(None, direction.data_wait, 0)

        self._word(thread, arrive)

    def credit(self, thread: Thread | None, head: int) -> None:
        """Only when it is worth a write."""
        if head - self.returned < CREDIT_BYTES:
            return
        self.returned = head
        direction = self.socket.rx_dir

        def arrive() -> None:
            direction.head.store(head, self.world.now)
            self.socket.attend(None, direction.room_wait, 0)

        self._word(thread, arrive)

    def closed(self) -> None:
        """Behind the flags."""
        direction = self.socket.rx_dir

        def arrive() -> None:
            direction.rx_flags.store(layout.RX_CLOSED, self.world.now)
            self.socket.attend(None, direction.room_wait, 0)

        self._word(None, arrive)

    def accepted(self, thread: Thread | None) -> None:
        """The client learns of the swap by a write."""
        slot, waits = self.slot, self.socket.rx_dir.room_wait

        def arrive() -> None:
            slot.accept_seen = True
            self.socket.attend(None, waits, 0)

        self._word(thread, arrive)

    def release(self, sides: int) -> None:
        """The slot is counted at the client."""
        if self.socket.side == 0:
            self.slot.release(sides)
        elif sides > 1 or self.pair.broken:
            self._released()
        else:
            self._unreleased = True
            self._word(None, self._released)

    def _released(self) -> None:
        """The server is done with it, unless the client took it for dead and gave the slot to another connection."""
        self._unreleased = False
        slot = self.slot
        if slot.used and slot.pairs is not None and slot.pairs[self.socket.side] is self.pair:
            slot.release(1)

    def when_told(self, action: Callable[[], None]) -> None:
        """When everything is acknowledged, or nothing will be any more."""
        if self.pair.in_flight and not (self.pair.broken or self.pair.closed):
            self._told.append(action)
        else:
            self.world.later(0, action)

    def destroy(self) -> None:
        """The kernel destroys the queue pair of a dead process."""
        self.pair.close()

    def _broken(self) -> None:
        """The queue pair gave up: the connection is reset, at this end at once, at the other by the companion."""
        if self._unreleased:
            self._released()
        self.socket.lost_path()
        told, self._told = self._told, []
        for action in told:
            action()


def join(slot: Slot, client: Nic, server: Nic) -> None:
    """Give a slot between hosts its queue pairs."""
    slot.pairs = connect(client, server)


def path_of(socket: Socket, slot: Slot) -> Path:
    """The path of this end of a slot."""
    if slot.pairs is None:
        return SharedPath(socket, slot)
    return RdmaPath(socket, slot, slot.pairs[socket.side])


def swap_there(thread: Thread, slot: Slot, swap: Callable[[], None]) -> Steps:
    """The client changes a word that lives at the server. Returns whether that is known to have happened."""
    if slot.pairs is None:
        swap()
        return True
    pair, done = slot.pairs[0], thread.env.event()
    known: list[bool] = []

    def end(fine: bool) -> None:
        known.append(fine)
        done.succeed()

    before, pair.on_break = pair.on_break, lambda: end(False)
    yield thread.work(thread.world.costs.rdma_post)
    if not pair.broken:
        pair.write(WORD_BYTES, swap, lambda: end(True))
        yield done
    pair.on_break = before
    return known == [True]
