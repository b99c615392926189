"""A direction goes over to its companion: a producer, a consumer that may leave, TCP with little room, the monitor.

The producer sends some bytes by the ring or, once it has moved, by TCP; it may move by itself at any time, follow when
asked, shut its direction, close, or die. The consumer reads by the ring and may leave at any time: then a program that
knows of no ring reads the rest, as late as it likes. The other end of the companion can be borrowed, or cannot. Bytes
are numbered, so that one lost, repeated or out of order is seen where it is read.

A connection may have come back: then the direction begins on the companion, where a byte is under way before it is with
the consumer's kernel, and the producer enters the ring if it can.

Another process may share the consumer's end. Once the consumer has left it reads by the kernel, too; where a connection
stands in, it has to follow first.

A look and the change of a word are one step, as they are in C; everything else may come between any two effects.
Goal: the reader has met the end of the stream, after every byte that was sent. Only the bytes that a dead producer
should have sent again may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sdcore.protocol.kit import Effect, Event, Machine
from sdcore.protocol.ring import RxDo, RxEvent, RxState
from sdcore.protocol.transport import (
    FollowerDo,
    FollowerEvent,
    FollowerState,
    LeaverDo,
    LeaverEvent,
    LeaverState,
    MoverDo,
    MoverEvent,
    MoverState,
)
from sdsim.explore.engine import Act, Local, Table

RING = 2
TCP = 1
SENT = 3

S, E, D = MoverState, MoverEvent, MoverDo
LS, LE, LD = LeaverState, LeaverEvent, LeaverDo
FS, FE, FD = FollowerState, FollowerEvent, FollowerDo
RS, RE, RD = RxState, RxEvent, RxDo
FORWARDING, ABANDONED, SEEN_MOVED, SEEN_CLOSED, AWAY = 1, 2, 4, 8, 16
SEEN = SEEN_MOVED | SEEN_CLOSED
CLOSE_FD = "closes its descriptor"
OWING = (S.HELD, S.RESENDING)


@dataclass(frozen=True)
class World:
    """One direction.

    Attributes:
        sent: bytes that the producer's program has sent; those below `tail` went into the ring.
        again: the next byte to send again. carried: bytes that the monitor still has to send.
        queue: in the kernel's receive queue. front: what a connection that stands in holds before it.
        moved, fin, closed: flags beside tail. word: flags beside head.
        ended: the companion was shut by its sender. cut: nothing is read from the queue any more.
        replaced: a connection stands in. kept: the monitor has it. shows: the sharer's descriptors show it.
        got: bytes read, in order.
        comes: it came back. wire: on the companion, and not with the consumer's kernel yet. rx: the consumer, until it
            has arrived. saw: what its look at the ring showed. saw_moved: whether it showed TX_MOVED.
        silent: its end stands on the companion alone. empty: the consumer found it so.
    """

    mover: Local
    leaver: Local
    follower: Local
    rx: Local
    borrows: bool
    closes: bool
    shares: bool
    comes: bool = False
    silent: bool = False
    empty: bool = False
    wire: tuple[int, ...] = ()
    saw: int = 0
    saw_moved: bool = False
    sent: int = 0
    tail: int = 0
    head: int = 0
    again: int = 0
    carried: tuple[int, ...] = ()
    queue: tuple[int, ...] = ()
    front: tuple[int, ...] = ()
    moved: bool = False
    fin: bool = False
    closed: bool = False
    word: int = 0
    asked: bool = False
    ended: bool = False
    cut: bool = False
    open: bool = True
    borrowed: bool = False
    replaced: bool = False
    kept: bool = False
    shows: bool = False
    dead: bool = False
    got: int = 0
    over: bool = False
    wrong: str = ""
    producer: tuple[Effect | str, ...] = ()
    consumer: tuple[Effect, ...] = ()
    sharer: tuple[Effect, ...] = ()


class MoveModel:
    """One direction that moves."""

    parties: tuple[str, ...] = ("producer", "consumer", "sharer", "network", "monitor")

    def __init__(self, tables: Mapping[str, Machine], *, comes: bool = False) -> None:
        self.name = "join" if comes else "move"
        self.mover, self.leaver = Table(tables["mover"]), Table(tables["leaver"])
        self.follower, self.rx = Table(tables["follower"]), Table(tables["ring_rx"])

    def first(self) -> Iterable[World]:
        """An empty ring; the other end can be borrowed or not; its program closes, or dies, or only ever shuts it.

        A process shares the end where it cannot be borrowed: that is where connections stand in.
        """
        starts = self.mover.start, self.leaver.start, self.follower.start, self.rx.start
        if self.name == "move":
            for borrows, shares in ((True, False), (False, False), (False, True)):
                for closes in (True, False):
                    yield World(*starts, borrows, closes, shares)
            return
        out = self.mover.feed(self.mover.start, E.BEGIN_OUT, 0)[0]
        for borrows, closes in ((True, True), (True, False), (False, True)):
            yield World(out, *starts[1:], borrows, closes, shares=False, comes=True)

    def wrong(self, w: World) -> str | None:
        """Every byte in order; the end after the last."""
        resent = w.leaver[0] is not LS.RINGS or (w.word & AWAY and w.word & SEEN)
        if w.over and w.got != w.sent and not (w.dead and resent):
            return f"the stream ended after {w.got} of {w.sent} bytes"
        return w.wrong or None

    def done(self, w: World) -> bool:
        """The reader has met the end, and nobody holds anything back."""
        return w.over and not w.carried and (not w.open or not w.closes)

    def steps(self, w: World) -> Iterator[tuple[Act, World]]:
        """What each may do next."""
        yield from self._producer(w)
        yield from self._consumer(w)
        yield from self._sharer(w)
        if w.wire and len(w.queue) < TCP:
            yield Act("network", f"brings byte {w.wire[0]}"), replace(w, wire=w.wire[1:], queue=(*w.queue, w.wire[0]))
        if w.carried and has_room(w):
            yield (
                Act("monitor", f"sends byte {w.carried[0]} again"),
                put(replace(w, carried=w.carried[1:]), w.carried[0]),
            )

    # The producer -----------------------------------------------------------------------------------------------------

    def _producer(self, w: World) -> Iterator[tuple[Act, World]]:
        if not w.open:
            return
        if w.closes:
            yield Act("producer", "dies", chance=True), replace(w, dead=True, open=False, producer=())
        if w.producer:
            effect, rest = w.producer[0], w.producer[1:]
            what = effect if isinstance(effect, str) else f"does {effect.name}"
            yield Act("producer", what), self._perform(replace(w, producer=rest), effect)
        elif not w.closed:
            yield from self._program(w)

    def _program(self, w: World) -> Iterator[tuple[Act, World]]:
        """What the program may call."""
        state = w.mover[0]
        if w.sent < SENT - w.comes and not w.fin:
            yield from self._send(w, state)
        if state is S.RINGS:
            yield self._feed(w, E.MOVE)
        if state in OWING:  # in LOOKING only after a death
            yield self._feed(w, E.TRY)
        if not w.fin:
            ends = state in (S.RINGS, S.RESENDING, S.OVER, S.OUT)
            yield self._feed(replace(w, fin=ends, silent=state is S.OUT), E.SHUTDOWN)
        if w.closes:
            act, closing = self._feed(replace(w, closed=True, fin=True), E.CLOSE)
            yield act, replace(closing, producer=(*closing.producer, CLOSE_FD))

    def _send(self, w: World, state: object) -> Iterator[tuple[Act, World]]:
        if state is S.OUT and w.word == AWAY:
            yield self._feed(w, E.JOIN, len(w.wire))
        if state is S.RINGS:
            if w.tail - w.head < RING:
                yield Act("producer", f"puts byte {w.sent}"), replace(w, sent=w.sent + 1, tail=w.tail + 1)
            return
        act, asked = self._feed(w, E.SEND)
        if asked.producer[:1] == (D.PASS,) and has_room(w):
            yield act, put(replace(w, sent=w.sent + 1), w.sent)

    def _perform(self, w: World, effect: Effect | str) -> World:
        match effect:
            case D.LOOK_MOVED | D.LOOK_CLOSED | D.LOOK_AGAIN:
                mark = {D.LOOK_MOVED: SEEN_MOVED, D.LOOK_CLOSED: SEEN_CLOSED}.get(effect, 0)
                return self._look(replace(w, word=w.word | mark), w.word)
            case D.RESEND:
                return self._resend(w)
        return replace(w, **self._changed(w, effect))

    def _changed(self, w: World, effect: Effect | str) -> dict[str, Any]:
        """What an effect that feeds nothing changes."""
        changes: dict[Effect | str, dict[str, Any]] = {
            D.ENTER: {"head": w.sent, "tail": w.sent},  # positions are the numbers of bytes
            D.PUBLISH_MOVED: {"moved": not w.fin or w.mover[0] is S.OVER},
            D.PUBLISH_FIN: {"fin": True},
            D.MARK_CLOSED: {"word": w.word | SEEN_CLOSED},
            D.END_COMPANION: {"ended": True},
            D.HAND_OVER: {"carried": tuple(range(w.again, w.tail))},
            CLOSE_FD: {"open": False},
        }
        return changes[effect]

    def _look(self, w: World, seen: int) -> World:
        if seen & FORWARDING:
            return self._feed(w, E.FORWARDS)[1]
        if seen & (ABANDONED | AWAY):
            return self._feed(replace(w, again=w.head), E.LEFT, w.tail - w.head)[1]
        return self._feed(w, E.LEFT, 0)[1]

    def _resend(self, w: World) -> World:
        if not has_room(w):
            return self._feed(w, E.FULL)[1]
        return self._feed(put(replace(w, again=w.again + 1), w.again), E.SENT, 1)[1]

    def _feed(self, w: World, event: Event, arg: int = 0) -> tuple[Act, World]:
        new, effects = self.mover.feed(w.mover, event, arg)
        names = "".join(f" {effect.name}" for effect in effects)
        text = f"mover: {w.mover[0].name} {event.name}({arg}) -> {new[0].name}{names}"
        return Act("producer", text), replace(w, mover=new, producer=(*effects, *w.producer))

    # The consumer, and who reads after it -----------------------------------------------------------------------------

    def _consumer(self, w: World) -> Iterator[tuple[Act, World]]:
        if w.empty:
            yield Act("consumer", "finds the companion empty"), self._look_for_end(w)
        elif w.consumer:
            effect, act = w.consumer[0], self._come if isinstance(w.consumer[0], RD) else self._act
            yield Act("consumer", f"does {effect.name}"), act(replace(w, consumer=w.consumer[1:]), effect)
        elif w.over:
            return
        elif w.comes and w.rx[0] in (RS.OPEN, RS.AWAY) and w.leaver[0] is LS.RINGS:
            yield from self._read_away(w)
        elif w.leaver[0] is LS.RINGS:
            yield from self._read_ring(w)
            yield Act("consumer", "leaves"), self._tell(w, LE.LEAVE)
        else:
            yield from self._read_kernel(w)

    def _read_away(self, w: World) -> Iterator[tuple[Act, World]]:
        """Before it has arrived. Until it is here it reads by the kernel; who leaves was here before."""
        if w.rx[0] is RS.OPEN:
            yield from self._read_kernel(w)
            yield Act("consumer", "comes back"), self._arrive(replace(w, word=w.word | AWAY), RE.BEGIN_AWAY)
            return
        seen = replace(w, saw=in_ring(w), saw_moved=w.moved)
        yield Act("consumer", "looks into the ring"), self._arrive(seen, RE.RECV, 1)
        yield Act("consumer", "leaves", chance=True), self._tell(w, LE.LEAVE)

    def _come(self, w: World, effect: Effect) -> World:
        if effect is RD.LOOK_BOTH:
            return self._look_both(w)
        if w.word & SEEN:
            return self._arrive(w, RE.MOVED)
        return self._arrive(replace(w, word=w.word & ~AWAY), RE.ARRIVED)

    def _look_both(self, w: World) -> World:
        """The companion, after a look into the ring. Found empty, a further step asks whether it is at its end."""
        if w.queue:
            return self._got(replace(w, queue=w.queue[1:]), w.queue[0])
        return replace(w, empty=True)

    def _look_for_end(self, w: World) -> World:
        """At its end nothing is done any more: both are looked at again."""
        at_end = not w.wire and (w.ended or not (w.open or w.carried or w.borrowed))
        w = replace(w, empty=False)
        if at_end and w.queue:
            return self._got(replace(w, queue=w.queue[1:]), w.queue[0])
        saw = in_ring(w) if at_end else w.saw
        return self._arrive(w, RE.MOVED if (at_end or w.saw_moved) and not saw else RE.QUIET, saw)

    def _arrive(self, w: World, event: Event, arg: int = 0) -> World:
        new, effects = self.rx.feed(w.rx, event, arg)
        # a call that finds nothing is made again later, by the program
        waits = (RD.RETRY, RD.WAIT_DATA, RD.END_OF_STREAM, RD.RECV_COMPANION)
        return replace(w, rx=new, consumer=(*(e for e in effects if e not in waits), *w.consumer))

    def _read_ring(self, w: World) -> Iterator[tuple[Act, World]]:
        """The library reads: the ring, then what its flags say, or the companion's end."""
        if w.head < w.tail and not (w.comes and w.rx[0] is RS.MOVED):
            yield Act("consumer", f"takes byte {w.head}"), self._got(replace(w, head=w.head + 1), w.head)
        elif w.moved or (w.comes and w.rx[0] is RS.MOVED) or (w.dead and not w.fin):
            yield from self._read_kernel(w)
        elif w.fin:
            yield Act("consumer", "meets the end in the ring"), replace(w, over=True)

    def _read_kernel(self, w: World) -> Iterator[tuple[Act, World]]:
        if w.front:
            yield Act("consumer", f"reads byte {w.front[0]}"), self._got(replace(w, front=w.front[1:]), w.front[0])
        elif not w.cut and w.queue:
            yield Act("consumer", f"reads byte {w.queue[0]}"), self._got(replace(w, queue=w.queue[1:]), w.queue[0])
        elif w.cut or (not w.wire and (w.ended or not (w.open or w.carried or w.borrowed))):
            yield Act("consumer", "meets the end"), replace(w, over=True)

    def _got(self, w: World, byte: int) -> World:
        if byte != w.got:
            return replace(w, wrong=f"read byte {byte} where {w.got} comes next")
        return replace(w, got=w.got + 1)

    def _act(self, w: World, effect: Effect) -> World:
        match effect:
            case LD.ANNOUNCE:
                return self._announced(replace(w, word=w.word | FORWARDING), w.word)
            case LD.ASK | LD.KEEP:
                return replace(w, asked=w.asked or effect is LD.ASK, kept=w.kept or effect is LD.KEEP)
            case LD.PUT:
                return self._put(w)
            case LD.RESIGN | LD.RESIGN_LAST:
                return self._resign(w, SEEN_CLOSED | (SEEN_MOVED if effect is LD.RESIGN else 0))
            case LD.SETTLE:
                return replace(w, word=w.word & ~FORWARDING | ABANDONED)
        return self._replaced(self._stand_in(w, effect))

    def _replaced(self, w: World) -> World:
        return self._tell(w, LE.STANDS_IN, int(w.replaced and w.shares))

    def _stand_in(self, w: World, effect: Effect) -> World:
        """A connection of the reader's own: with what the monitor passes on, or with all that there will be."""
        ring = tuple(range(w.head, w.tail))
        if not ring:
            return w
        if effect is LD.RELAY:
            return replace(w, front=ring, head=w.tail, replaced=True)
        tcp = w.queue + w.wire
        front = tcp + ring if effect is LD.STAND_IN_QUEUE else ring + tcp
        return replace(w, front=front, queue=(), wire=(), head=w.tail, cut=True, replaced=True)

    def _announced(self, w: World, seen: int) -> World:
        if seen & AWAY and seen & SEEN:
            return self._tell(w, LE.TAKEN_BACK)
        if seen & SEEN_CLOSED:
            return self._tell(w, LE.AFTER_CLOSE)
        if seen & SEEN_MOVED:
            return self._tell(w, LE.AFTER_MOVE, w.tail - w.head)
        return self._tell(w, LE.FIRST)

    def _put(self, w: World) -> World:
        """One byte at a time, and the end behind the last."""
        if not w.borrowed and not (w.borrows and w.open):
            return self._tell(w, LE.PUT_DONE if w.open and not w.closed else LE.NO_PEER)
        if w.head < w.tail and has_room(w):
            one = put(replace(w, borrowed=True, head=w.head + 1), w.head)
            return replace(one, consumer=(LD.PUT, *w.consumer))
        ends = w.fin and w.head == w.tail
        return self._tell(replace(w, borrowed=False, ended=w.ended or ends), LE.PUT_DONE)

    def _resign(self, w: World, minds: int) -> World:
        if w.word & minds & SEEN_CLOSED:
            return self._tell(w, LE.CLOSED_MEANWHILE)
        if w.word & minds:
            return self._tell(w, LE.MOVED_MEANWHILE)
        return self._tell(replace(w, word=w.word & ~FORWARDING | ABANDONED), LE.RESIGNED)

    def _tell(self, w: World, event: Event, arg: int = 0) -> World:
        new, effects = self.leaver.feed(w.leaver, event, arg)
        return replace(w, leaver=new, consumer=(*effects, *w.consumer))

    # Who shares the consumer's end ------------------------------------------------------------------------------------

    def _sharer(self, w: World) -> Iterator[tuple[Act, World]]:
        """Nothing while the consumer holds the tokens."""
        if not w.shares or w.over or w.leaver[0] is not LS.LEFT or w.consumer:
            return
        if w.sharer:
            effect = w.sharer[0]
            yield Act("sharer", f"does {effect.name}"), self._do_follow(replace(w, sharer=w.sharer[1:]), effect)
        elif w.kept and w.follower[0] is FS.BEHIND:
            yield Act("sharer", "calls"), self._follow(w, FE.CALL)
        elif w.replaced and not w.shows:
            yield Act("sharer", "meets the end of the old connection"), replace(w, over=True)
        else:
            for act, new in self._read_kernel(w):
                yield Act("sharer", act.what), new

    def _do_follow(self, w: World, effect: Effect) -> World:
        match effect:
            case FD.FETCH:
                return self._follow(w, FE.GOT if w.kept else FE.REFUSED)
            case FD.SHOW:
                return self._follow(replace(w, shows=True), FE.SHOWN)
        return replace(w, kept=False)

    def _follow(self, w: World, event: Event) -> World:
        new, effects = self.follower.feed(w.follower, event, 0)
        return replace(w, follower=new, sharer=(*effects, *w.sharer))


def in_ring(w: World) -> int:
    """What a look at the ring shows: bytes, and an end behind them of which the companion does not tell."""
    return w.tail - w.head + int(w.fin and not w.silent and not w.closed)


def has_room(w: World) -> bool:
    """Whether TCP takes a byte."""
    return len(w.wire if w.comes else w.queue) < TCP


def put(w: World, byte: int) -> World:
    """Put a byte on the companion. Where nothing depends on it, it is with the consumer's kernel at once."""
    return replace(w, wire=(*w.wire, byte)) if w.comes else replace(w, queue=(*w.queue, byte))
