"""Bytes arrive in order, once, and room is neither lost nor invented, for any script of producer and consumer."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sdcore.protocol.kit import Effect
from sdcore.protocol.layout import RING_BYTES
from sdcore.protocol.ring import RING_RX, RING_TX, RxDo, RxEvent, RxState, TxDo, TxEvent, TxState

SIZES = st.one_of(st.sampled_from((1, RING_BYTES - 1, RING_BYTES, RING_BYTES + 1)), st.integers(1, 2 * RING_BYTES))


class RingLaws(RuleBasedStateMachine):
    """Both machines over positions: which bytes they are does not matter, only how many went where."""

    def __init__(self) -> None:
        super().__init__()
        self.tx, self.rx = RING_TX.start(), RING_RX.start()
        self.tail = self.head = self.head_seen = self.tail_seen = 0
        self.companion = self.from_companion = 0
        self.fin = self.moved = False
        self.ended = False
        self.window = RING_BYTES

    @rule(size=SIZES)
    def send(self, size: int) -> None:
        """One send of the program; it takes what the ring has room for."""
        self.produce(self.tx.feed(TxEvent.SEND, size), size)

    @rule(size=st.one_of(st.sampled_from((1, RING_BYTES - 1, RING_BYTES)), st.integers(1, RING_BYTES)))
    def choose_buffers(self, size: int) -> None:
        """Both ends hold so much from now on."""
        if self.tx.state in (TxState.OPEN, TxState.STARVED):
            self.window = size
        for effect in self.tx.feed(TxEvent.WINDOW, size):
            assert effect is TxDo.RETRY
            assert self.tx.regs["free"] > 0, "tries again without room"

    @rule()
    def shutdown(self) -> None:
        """No byte will follow."""
        self.produce(self.tx.feed(TxEvent.SHUTDOWN), 0)

    @rule()
    def move(self) -> None:
        """Go on over the companion."""
        self.produce(self.tx.feed(TxEvent.MOVE), 0)

    def produce(self, effects: tuple[Effect, ...], size: int, before: int | None = None) -> None:
        """Do what the producer's machine asks for."""
        for effect in effects:
            if effect is TxDo.PUT_ALL:
                self.tail += size
            elif effect is TxDo.PUT_FREE:
                self.tail = self.head_seen + self.window
            elif effect is TxDo.LOOK:
                room, self.head_seen = self.head - self.head_seen, self.head
                self.produce(self.tx.feed(TxEvent.CREDIT, room), size)
            elif effect is TxDo.RETRY:
                self.produce(self.tx.feed(TxEvent.SEND, size), size)
            elif effect is TxDo.PUBLISH_FIN:
                self.fin = True
            elif effect is TxDo.PUBLISH_MOVED:
                self.moved = True
            elif effect is TxDo.SEND_COMPANION:
                self.companion += size
            elif effect is TxDo.WAIT_ROOM:
                assert self.tail - self.head >= self.window, "waits although there is room"
            else:
                assert effect is TxDo.BROKEN_PIPE
                assert self.fin

    @rule(size=SIZES)
    def receive(self, size: int) -> None:
        """One recv of the program."""
        self.consume(self.rx.feed(RxEvent.RECV, size), size)

    @rule()
    def unsee(self) -> None:
        """Forget what was seen and not taken."""
        self.tail_seen -= self.rx.regs["avail"]
        assert self.rx.feed(RxEvent.UNSEE) == ()

    def consume(self, effects: tuple[Effect, ...], size: int) -> None:
        """Do what the consumer's machine asks for."""
        for effect in effects:
            if effect is RxDo.TAKE_ALL:
                self.head += size
            elif effect is RxDo.TAKE_AVAIL:
                self.head = self.tail_seen
            elif effect is RxDo.LOOK:
                self.look(size)
            elif effect is RxDo.RETRY:
                self.consume(self.rx.feed(RxEvent.RECV, size), size)
            elif effect is RxDo.WAIT_DATA:
                assert self.head == self.tail, "waits although there are bytes"
            elif effect is RxDo.RECV_COMPANION:
                assert self.head == self.tail, "the ring's bytes come first"
                self.from_companion = self.companion
            else:
                assert effect is RxDo.END_OF_STREAM
                assert self.fin
                assert self.head == self.tail, "bytes were lost at the end"

    def look(self, size: int) -> None:
        """Read flags and tail, as the effect says."""
        new, self.tail_seen = self.tail - self.tail_seen, self.tail
        flags = RxEvent.FIN if self.fin else RxEvent.MOVED if self.moved else None
        if new or flags is None:
            self.consume(self.rx.feed(RxEvent.DATA, new), size)
        else:
            self.consume(self.rx.feed(flags), size)

    @invariant()
    def room_is_neither_lost_nor_invented(self) -> None:
        """Free room, bytes in the ring and room not yet looked at fill the window exactly, or overfill it by a debt."""
        free, owed = self.tx.regs["free"], self.tx.regs["owed"]
        assert free - owed + (self.tail - self.head) + (self.head - self.head_seen) == self.window
        assert not (free and owed) or self.tx.state in (TxState.SHUT, TxState.MOVED)

    @invariant()
    def the_consumer_knows_what_it_has_not_taken(self) -> None:
        """What is available is what was seen and not taken."""
        assert self.rx.regs["avail"] == self.tail_seen - self.head
        assert 0 <= self.head <= self.tail_seen <= self.tail <= self.head + RING_BYTES


TestRingLaws = RingLaws.TestCase
TestRingLaws.settings = settings(max_examples=100, stateful_step_count=30, deadline=None, derandomize=True)


def test_a_reset_is_reported_once_after_the_data() -> None:
    rx = RING_RX.start()
    rx.feed(RxEvent.DATA, 10)
    assert rx.feed(RxEvent.BREAK) == ()
    assert rx.feed(RxEvent.RECV, 10) == (RxDo.TAKE_ALL,)
    assert rx.feed(RxEvent.RECV, 10) == (RxDo.LOOK,)
    assert rx.feed(RxEvent.BREAK) == (RxDo.RAISE_RESET,)
    assert rx.feed(RxEvent.RECV, 10) == (RxDo.END_OF_STREAM,)
    assert rx.state is RxState.BROKEN


def test_after_shutdown_for_reading_what_comes_is_read_and_nothing_is_waited_for() -> None:
    rx = RING_RX.start()
    rx.feed(RxEvent.SHUT)
    assert rx.feed(RxEvent.RECV, 5) == (RxDo.LOOK,)
    assert rx.feed(RxEvent.DATA, 0) == (RxDo.END_OF_STREAM,)
    assert rx.feed(RxEvent.RECV, 5) == (RxDo.LOOK,)
    assert rx.feed(RxEvent.DATA, 5) == (RxDo.RETRY,)
    assert rx.feed(RxEvent.RECV, 5) == (RxDo.TAKE_ALL,)


def test_a_broken_pipe_is_reported_to_each_send() -> None:
    tx = RING_TX.start()
    tx.feed(TxEvent.BREAK)
    assert [tx.feed(TxEvent.SEND, 1) for _ in range(2)] == [(TxDo.BROKEN_PIPE,)] * 2
    assert tx.state is TxState.BROKEN
