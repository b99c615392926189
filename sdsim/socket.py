"""A socket of a process that uses the library: drives `ring_tx`, `ring_rx`, `teardown`, `client` and `server`.

Every decision is a row of a table; this file carries effects out and says what they cost. What it decides itself is
mechanism: which words to read, whom to ring, where the bytes lie. `Mode` says what moves the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sdcore.protocol import layout
from sdcore.protocol.connection import ClientEvent, ClientState
from sdcore.protocol.kit import Effect
from sdcore.protocol.ring import RxDo, RxEvent, RxState, TxDo, TxEvent
from sdcore.protocol.teardown import TeardownDo, TeardownEvent
from sdsim.host import Thread
from sdsim.kernel import End, Reset
from sdsim.mode import Mode
from sdsim.news import News
from sdsim.paths import Path, path_of
from sdsim.shared import Attention, Direction, Slot
from sdsim.stepper import effects_of
from sdsim.stream import Span, Stream
from sdsim.token import Token
from sdsim.units import NS, PAGE_BYTES
from sdsim.waiting import wait
from sdsim.world import Steps, Violation

if TYPE_CHECKING:
    from sdsim.library import Library

RING_BYTES = layout.RING_BYTES
TX_FIN, TX_CLOSED, TX_RESET, TX_MOVED = layout.TX_FIN, layout.TX_CLOSED, layout.TX_RESET, layout.TX_MOVED
OFFER_LOOK_PS = layout.OFFER_LOOK_NS * NS
OFFER_TIMEOUT_PS = layout.OFFER_TIMEOUT_NS * NS
ADDRESS_BYTES = 8
"""A page that is mapped comes as its address."""
ROOM_WAKE_BYTES = RING_BYTES // 4
ALL_PUT = effects_of((TxDo.PUT_ALL,))
ALL_TAKEN = effects_of((RxDo.TAKE_ALL,))
LOOKS = effects_of((RxDo.LOOK,))
AGAIN = effects_of((RxDo.RETRY,))
WAITS = effects_of((RxDo.WAIT_DATA,))


class BrokenPipe(Exception):
    """EPIPE."""


class Socket:
    """One end of a connection.

    Attributes:
        out, into: the streams that the programs see.
        tokens: of sending and receiving, once threads share the socket.
        holders: processes that have a descriptor of it.
        end: the companion, or the kernel connection itself.
        side: 0 client, 1 server.
    """

    __slots__ = (
        "_data_news", "_room_news", "accepted", "check", "closed_in_order", "costs", "cut", "deadline_ps", "end",
        "end_of_stream", "ended", "env", "error", "gives_up", "gone", "head", "head_seen", "holders", "into",
        "last_send", "library", "mode", "name", "out", "path", "peer_dead", "rx", "rx_dir", "shut_write", "side",
        "slot", "tail", "tail_seen", "teardown", "tokens", "tries", "tx", "tx_dir", "unqueued_ps", "withdraw", "world",
    )  # fmt: skip

    def __init__(self, library: Library, name: str, side: int) -> None:
        self.library = library
        self.world = library.world
        self.costs = library.world.costs
        self.env = library.world.env
        self.check = library.world.settings.check
        self.name = name
        self.side = side
        self.mode = Mode.NEW
        self.end: End | None = None
        self.slot: Slot | None = None
        self.out = Stream(name + ".out")
        self.into = self.out
        self.tail = self.head_seen = self.head = self.tail_seen = 0
        self.end_of_stream = self.last_send = self.gone = self.peer_dead = self.cut = False
        self.error = self.shut_write = self.ended = self.closed_in_order = False
        self.deadline_ps: int | None = None
        self.unqueued_ps = 0
        self.tries: Callable[[Thread], Steps] | None = None
        self.withdraw: Callable[[Thread, ClientEvent], Steps] | None = None
        self.gives_up: Callable[[Thread], Steps] | None = None
        self.accepted: Callable[[Thread], Steps] | None = None
        self.tokens: tuple[Token, ...] = ()
        self.holders = 1

    # Places in shared memory ------------------------------------------------------------------------------------------

    def attach_slot(self, slot: Slot) -> None:
        """Use the rings of a slot from now on."""
        self.slot = slot
        slot.ends[self.side] = self
        self.tx_dir: Direction = slot.dirs[self.side]
        self.rx_dir: Direction = slot.dirs[1 - self.side]
        self.path: Path = path_of(self, slot)
        self._data_news = News(self, self._data_came, "data")
        self._room_news = News(self, self._room_came, "room")
        self.tx = self.world.start("ring_tx", self.name)
        self.rx = self.world.start("ring_rx", self.name)
        self.teardown = self.world.start("teardown", self.name)

    def _audit_tx(self) -> None:
        head, regs = self.tx_dir.head.value, self.tx.regs
        in_ring, unseen, free = self.tail - head, head - self.head_seen, regs["free"]
        if free - regs["owed"] + in_ring + unseen != regs["window"]:
            raise Violation(
                f"credits conserved: {self.tx_dir.name}: {free} free, {in_ring} in the ring, {unseen} given back"
            )

    def _audit_rx(self) -> None:
        known = self.tail_seen - self.head
        if self.rx.regs["avail"] != known:
            raise Violation(
                f"credits conserved: {self.rx_dir.name}: avail {self.rx.regs['avail']}, {known} bytes are known"
            )

    # Sending ----------------------------------------------------------------------------------------------------------

    def share(self) -> None:
        """Several threads use this socket from now on: each direction has a token."""
        if not self.tokens:
            self.tokens = (
                Token(self.world, self.name + ".send", self._repair_tx),
                Token(self.world, self.name + ".receive", self._repair_rx),
            )

    def _repair_tx(self) -> None:
        """A thread died between counting bytes and publishing them: they were never sent."""
        if self.mode in (Mode.RING, Mode.OFFERED):
            self.tx.regs["free"] = RING_BYTES - (self.tail - self.head_seen)

    def _repair_rx(self) -> None:
        """A thread died between counting bytes and taking them: they are still there."""
        if self.mode in (Mode.RING, Mode.OFFERED):
            self.rx.regs["avail"] = self.tail_seen - self.head

    def send(self, thread: Thread, size: int) -> Steps:
        """Send `size` bytes, waiting for room. Raises BrokenPipe or Reset."""
        steps = self._send(thread, size)
        return self.tokens[0].holding(thread, steps) if self.tokens else steps

    def _send(self, thread: Thread, size: int) -> Steps:
        left = size
        while left:
            if self.mode is Mode.RING:
                effects = self._want_to_send(left)
                if effects is ALL_PUT:  # as _put does it, for this is what happens most
                    if thread.core.queue:
                        yield from thread.breathe()
                    yield thread.work(self.costs.ring_message + self._move(left))
                    left -= self._was_put(thread, left)
                else:
                    left -= yield from self._tx_effects(thread, effects, left)
            elif self.mode is Mode.OFFERED:
                left -= yield from self._offered_send(thread, left)
            elif self.mode is Mode.PENDING:
                yield from self._settle_pending(thread)
            else:
                left -= yield from self._kernel_send(thread, left)

    def _kernel_send(self, thread: Thread, size: int) -> Steps:
        if self.end is None:
            raise BrokenPipe(self.name)
        yield from self.library.kernel.send(thread, self.end, self.out.take_in(size))
        return size

    def _offered_send(self, thread: Thread, size: int) -> Steps:
        """Into the ring, of which the server takes nothing before it accepts the offer."""
        yield from self._look_offered(thread)
        part = min(size, RING_BYTES - self.tail)
        if self.mode is not Mode.OFFERED:
            return 0
        if part > 0:
            return (yield from self._ring_send(thread, part))
        yield from wait(thread, News(self, self._offer_decided, "room"), self.library.patience)
        return 0

    def _offer_decided(self) -> bool:
        """The offer is accepted, or must be taken back: the companion has news, or the time is over."""
        if self.mode is not Mode.OFFERED or self.slot is None or self.slot.accept_seen:
            return True
        over = self.deadline_ps is not None and self.world.now >= self.deadline_ps
        return over or (self.end is not None and self.end.readable)

    def _ring_send(self, thread: Thread, size: int) -> Steps:
        """One SEND; returns the bytes put, 0 if it has to be tried again."""
        return (yield from self._tx_effects(thread, self._want_to_send(size), size))

    def _want_to_send(self, size: int) -> tuple[Effect, ...]:
        if self.gone or self.tx_dir.rx_flags.load(self.env.now_ps):
            self.settle()  # the peer has closed: in the library it pokes the sender's attention line
        if self.last_send or self.error:
            self._break_after_last()
        return self.tx.feed(TxEvent.SEND, size)

    def _tx_effects(self, thread: Thread, effects: tuple[Effect, ...], size: int) -> Steps:
        put = 0
        for effect in effects:
            match effect:
                case TxDo.PUT_ALL:
                    put += yield from self._put(thread, size)
                case TxDo.PUT_FREE:
                    put += yield from self._put(thread, RING_BYTES - (self.tail - self.head_seen))
                case TxDo.LOOK:
                    yield thread.work(self.costs.cache_line)
                    put += yield from self._tx_effects(thread, self._feed_credit(), size)
                case TxDo.WAIT_ROOM:
                    yield from self._wait_room(thread)
                case TxDo.SEND_COMPANION:
                    put += yield from self._kernel_send(thread, size)
                case TxDo.BROKEN_PIPE:
                    raise BrokenPipe(self.name)
                case TxDo.PUBLISH_FIN:
                    self.publish_flags(TX_FIN)
                case TxDo.PUBLISH_MOVED:
                    self.publish_flags(TX_MOVED)
                case TxDo.RETRY:
                    pass
        return put

    def _feed_credit(self) -> tuple[Effect, ...]:
        head = self.tx_dir.head.load(self.world.now)
        more = head - self.head_seen
        self.head_seen = head
        effects = self.tx.feed(TxEvent.CREDIT, more)
        if self.check:
            self._audit_tx()
        return effects

    def _put(self, thread: Thread, size: int) -> Steps:
        """Copy, publish tail, attend to the peer."""
        if thread.core.queue:
            yield from thread.breathe()
        yield thread.work(self.costs.ring_message + self._move(size))
        return self._was_put(thread, size)

    def _was_put(self, thread: Thread, size: int) -> int:
        span = self.out.take_in(size)
        direction = self.tx_dir
        if direction.content.size + size > RING_BYTES:
            raise Violation(f"credits conserved: {direction.name} holds more than its ring")
        direction.content.put(span)
        self.tail += size
        self.path.data(thread)
        if self.check:
            self._audit_tx()
        return size

    def _move(self, size: int) -> int:
        """Time for the bytes themselves: copied, or mapped from a certain size on."""
        if size >= self.library.map_from_bytes:
            return self.costs.map(size)
        return self.costs.copy(size)

    def _fetch(self, size: int) -> int:
        """Time for bytes that the peer has just written."""
        if size >= self.library.map_from_bytes:
            return self.costs.map(size) + self.costs.fetch(ADDRESS_BYTES * (size // PAGE_BYTES))
        return self.costs.copy(size) + self.costs.fetch(size)

    def publish_flags(self, flags: int) -> None:
        """Set TX_* beside the tail, and tell the peer."""
        self.path.flags(None, flags)

    def attend(self, thread: Thread | None, attention: Attention, delay_ps: int) -> None:
        """Tell whoever waits. Spinning threads see the line by themselves once it has come."""
        if attention.spinners:
            at_ps = self.world.env.now_ps + delay_ps
            for spinner in attention.spinners:
                spinner.notify_at(at_ps)
        if attention.watch is not None and self.slot is not None:
            attention.watch.mark(self.slot, 1 - self.side, delay_ps)
        sleepers, attention.sleepers = attention.sleepers, []
        for sleeper in sleepers:
            self.library.ring_bell(thread, sleeper)

    def _wait_room(self, thread: Thread) -> Steps:
        yield from wait(thread, self._room_news, self.library.patience)

    def _room_came(self) -> bool:
        gone = self.gone or self.error or bool(self.tx_dir.rx_flags.load(self.world.now))
        return gone or self.tx_dir.head.load(self.world.now) != self.head_seen

    def _break_after_last(self) -> None:
        """The peer has closed: Linux lets one more send succeed."""
        if self.error:
            self.tx.feed(TxEvent.BREAK)
        elif self.last_send:
            self.error = True

    # Receiving --------------------------------------------------------------------------------------------------------

    def receive(self, thread: Thread, most: int) -> Steps:
        """Up to `most` bytes, waiting for the first; returns their number, 0 at the end. Raises Reset."""
        steps = self._receive(thread, most)
        return self.tokens[1].holding(thread, steps) if self.tokens else steps

    def _receive(self, thread: Thread, most: int) -> Steps:
        while True:
            if self.mode is Mode.RING or self.mode is Mode.OFFERED:
                effects = self._want_to_receive(most)
                if effects is ALL_TAKEN:
                    yield thread.work(self.costs.ring_message + self._fetch(most))
                    return self._took(thread, most)
                if effects is WAITS and self.mode is Mode.RING:
                    yield from wait(thread, self._data_news, self.library.patience)
                    continue
                got = yield from self._rx_effects(thread, effects, most)
            elif self.mode is Mode.PENDING:
                yield from self._settle_pending(thread)
                continue
            else:
                got = yield from self._kernel_receive(thread, most)
            if got or self.ended:
                return got

    def _kernel_receive(self, thread: Thread, most: int) -> Steps:
        assert self.end is not None
        spans = yield from self.library.kernel.receive(thread, self.end, most)
        self.ended = not spans
        return self.into.give_out(spans)

    def _want_to_receive(self, most: int) -> tuple[Effect, ...]:
        """One RECV, and what its looks and repetitions lead to."""
        rx = self.rx
        effects = rx.feed(RxEvent.RECV, most)
        while True:
            if effects is LOOKS:
                effects = self._look()
            elif effects is AGAIN:
                effects = rx.feed(RxEvent.RECV, most)
            else:
                return effects

    def _rx_effects(self, thread: Thread, effects: tuple[Effect, ...], most: int) -> Steps:
        got = 0
        for effect in effects:
            match effect:
                case RxDo.TAKE_ALL:
                    got += yield from self._take(thread, most)
                case RxDo.TAKE_AVAIL:
                    got += yield from self._take(thread, self.tail_seen - self.head)
                case RxDo.LOOK:
                    got += yield from self._rx_effects(thread, self._look(), most)
                case RxDo.RETRY:
                    got += yield from self._rx_effects(thread, self._want_to_receive(most), most)
                case RxDo.WAIT_DATA:
                    yield from self._look_offered(thread)
                    if self.mode in (Mode.RING, Mode.OFFERED):
                        yield from wait(thread, self._data_news, self.library.patience)
                case RxDo.END_OF_STREAM:
                    self.ended = True
                case RxDo.RECV_COMPANION:
                    got += yield from self._kernel_receive(thread, most)
                case RxDo.RAISE_RESET:
                    raise Reset(self.name)
        return got

    def _look(self) -> tuple[Effect, ...]:
        """Flags, then tail: what is new?"""
        now = self.env.now_ps
        flags = self.rx_dir.tx_flags.load(now)
        tail = self.rx_dir.tail.load(now)
        new = tail - self.tail_seen
        self.tail_seen = tail
        if new:
            return self.rx.feed(RxEvent.DATA, new)
        if flags & ~TX_MOVED or self.gone:
            self.settle()
        if self.end_of_stream or flags & TX_FIN:
            return self.rx.feed(RxEvent.FIN)
        if flags & TX_MOVED:
            return self.rx.feed(RxEvent.MOVED)
        return self.rx.feed(RxEvent.BREAK) if self.error else self.rx.feed(RxEvent.DATA, 0)

    def _take(self, thread: Thread, size: int) -> Steps:
        """Copy out, publish head, attend to the peer. Copying may stop at the end of what is there."""
        yield thread.work(self.costs.ring_message + self._fetch(size))
        return self._took(thread, size)

    def _took(self, thread: Thread, size: int) -> int:
        self.head += size
        spans = self.rx_dir.content.take(size)
        got = self.into.give_out(spans)
        if got != size:
            raise Violation(f"byte streams equal: {self.rx_dir.name}: {size} bytes to take, {got} are there")
        if self.check:
            self._audit_rx()
        self.path.credit(thread, self.head)
        return size

    def room_is_worth_it(self) -> bool:
        """Whether so much of the peer's ring is free that waking it pays."""
        return RING_BYTES - (self.tail_seen - self.head) >= ROOM_WAKE_BYTES

    def _data_came(self) -> bool:
        if self.mode is Mode.KERNEL:
            return True
        now, direction = self.env.now_ps, self.rx_dir
        if direction.tail.load(now) != self.tail_seen or direction.tx_flags.load(now):
            return True
        return self.gone or self.error or (self.mode is Mode.OFFERED and self._offer_decided())

    def data_due(self) -> int | None:
        """When what the producer has published already can be seen; None: it has published nothing new."""
        tail, flags = self.rx_dir.tail.due, self.rx_dir.tx_flags.due
        return tail if flags is None or (tail is not None and tail < flags) else flags

    def _look_offered(self, thread: Thread) -> Steps:
        """An offer may have been accepted, or must be taken back."""
        if self.mode is not Mode.OFFERED or self.slot is None:
            return
        assert self.end is not None
        assert self.accepted is not None
        assert self.withdraw is not None
        if self.slot.accept_seen:
            yield from self.accepted(thread)
        elif self.end.readable:
            yield from self.withdraw(thread, ClientEvent.COMPANION_DATA)
        elif self._patience_is_over():
            yield from self.withdraw(thread, ClientEvent.EXPIRED)
            self.unqueued_ps = 0

    def _patience_is_over(self) -> bool:
        """Time counts only once the connection has left the server's backlog, looked at now and then."""
        if self.deadline_ps is None or self.end is None or self.world.now < self.deadline_ps:
            return False
        self.unqueued_ps = 0 if self.end.queued else self.unqueued_ps + OFFER_LOOK_PS
        self.deadline_ps = self.world.now + OFFER_LOOK_PS
        return self.unqueued_ps >= OFFER_TIMEOUT_PS

    def _settle_pending(self, thread: Thread) -> Steps:
        assert self.tries is not None
        yield from self.tries(thread)
        if self.mode is Mode.PENDING:
            raise Violation(f"progress: {self.name} has stopped looking for its offer, and nothing is decided")

    def readable_now(self) -> bool:
        """Whether receive would not wait, as an epoll set sees it."""
        if self.mode in (Mode.RING, Mode.OFFERED):
            moved = self.rx.state is RxState.MOVED and self.end is not None and self.end.readable
            return moved or self.tail_seen != self.head or self._data_came()
        return self.end is not None and self.end.readable

    # Ending -----------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """What the peer did, as events of the teardown machine."""
        flags = self.rx_dir.tx_flags.load(self.world.now)
        unread = self.tail - self.tx_dir.head.value
        if flags & TX_RESET or self.cut:
            self._feed_teardown(TeardownEvent.PEER_RESET)
        elif flags & TX_CLOSED:
            self._feed_teardown(TeardownEvent.PEER_CLOSED)
        elif self.gone:
            self.peer_dead = True
            self._feed_teardown(TeardownEvent.PEER_GONE, unread)
        elif flags & TX_FIN:
            self._feed_teardown(TeardownEvent.PEER_FIN)

    def _feed_teardown(self, event: TeardownEvent, arg: int = 0) -> None:
        for effect in self.teardown.feed(event, arg):
            match effect:
                case TeardownDo.PUBLISH_FIN:
                    if self.tx.feed(TxEvent.SHUTDOWN):
                        self.publish_flags(TX_FIN)
                case TeardownDo.PUBLISH_CLOSED:
                    self._publish_closed(TX_CLOSED)
                case TeardownDo.PUBLISH_RESET:
                    self._publish_closed(TX_RESET | TX_CLOSED)
                case TeardownDo.DELIVER_EOF:
                    self.end_of_stream = True
                case TeardownDo.LAST_SEND:
                    self.last_send = True
                case TeardownDo.BREAK_SEND | TeardownDo.RAISE_RESET:
                    self.error = True
                    self.tx.feed(TxEvent.BREAK)
                case TeardownDo.CLOSE_COMPANION:
                    self.path.when_told(self._close_companion)
                case TeardownDo.RELEASE_SLOT:
                    self.path.release(2 if self.peer_dead else 1)

    def _close_companion(self) -> None:
        assert self.end is not None
        self.library.kernel.close(self.end)

    def _publish_closed(self, flags: int) -> None:
        self.tx_dir.rx_flags.value |= layout.RX_CLOSED
        self.publish_flags(flags)
        self.path.closed()

    def shutdown(self, thread: Thread) -> Steps:
        """shutdown(SHUT_WR)."""
        yield from self._decide(thread)
        if self.mode is Mode.RING:
            yield thread.work(self.costs.cache_line)
            self._feed_teardown(TeardownEvent.SHUT_WR)
        elif self.end is not None:
            yield from thread.system_call()
            self.library.kernel.shutdown(self.end)

    def _decide(self, thread: Thread) -> Steps:
        """Ring or kernel, before anything ends."""
        while self.mode is Mode.OFFERED:
            yield from self._look_offered(thread)
            if self.mode is Mode.OFFERED:
                assert self.withdraw is not None
                yield from self.withdraw(thread, ClientEvent.CLOSE)

    def close(self, thread: Thread, process: Library | None = None) -> Steps:
        """close() by one process, that which opened it if none is named; the last one ends the connection."""
        yield from self._decide(thread)
        yield from thread.system_call()
        (process or self.library).sockets.discard(self)
        self.holders -= 1
        if self.holders:
            return
        if self.mode is Mode.PENDING and self.gives_up is not None:
            yield from self.gives_up(thread)
        if self.mode is Mode.RING:
            self.settle()
            unread = self.rx_dir.content.size
            self._feed_teardown(TeardownEvent.CLOSE, unread)
        elif self.end is not None:
            self.library.kernel.close(self.end)
        self.closed_in_order = True
        self.forget()

    def forget(self) -> None:
        """Nobody asks this socket any more."""
        self.mode = Mode.CLOSED
        self.library.sockets.discard(self)

    def die(self, process: Library) -> None:
        """A process that has it is dead. With the last one the kernel closes it, and nothing is published."""
        process.sockets.discard(self)
        self.holders -= 1
        if self.holders:
            return
        if self.slot is not None:
            self.path.destroy()
        if self.end is not None:
            self.library.kernel.close(self.end)
        self.forget()

    def lost_path(self) -> None:
        """Nothing reaches the peer any more. What it sent last may be lost, so this is a reset and no end."""
        self.cut = self.gone = self.peer_dead = True
        assert self.end is not None
        self.library.kernel.abort(self.end)
        self.companion_news()

    def companion_news(self) -> None:
        """Something came on the companion: wake who sleeps on it. Who spins looks at it before sleeping."""
        if self.slot is None:
            return
        waits = (self.rx_dir.data_wait, self.tx_dir.room_wait)
        if any(wait.armed for wait in waits):
            self.look_at_companion()
        for attention in waits:
            for thread in attention.sleepers:
                thread.ring()
            if attention.watch is not None:
                attention.watch.mark(self.slot, self.side, 0)

    def poke(self) -> None:
        """The monitor saw a process die: the next call looks at the companion, and who sleeps wakes."""
        self.look_at_companion()
        self.companion_news()

    @property
    def look_again_ps(self) -> int | None:
        """When an offer must be looked at again, absolute."""
        return self.deadline_ps if self.mode is Mode.OFFERED else None

    def look_at_companion(self) -> None:
        """Whether the peer is gone."""
        if self.mode is Mode.RING and self.end is not None and (self.end.eof or self.end.reset):
            self.gone = True


__all__ = ["BrokenPipe", "ClientState", "Mode", "Socket", "Span"]
