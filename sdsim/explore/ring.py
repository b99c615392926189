"""Ring and waiter: a producer and a consumer, a ring of two bytes, and stores that others see late.

Each side looks, announces its sleep, fences, looks once more and blocks, as the `waiter` table says. A store lies in
the storing side's buffer until it drains, on its own at any moment, or because the other side fences. So a table that
does not look once more, or does not fence, ends with both asleep: the lost wake-up.

A call must get an answer: bytes, the end, an error, or that it has to wait or to begin again. Behind the end the
producer tries to send once more, and gets a broken pipe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sdcore.protocol.kit import Effect, Event, LocalError, Machine
from sdcore.protocol.ring import RxDo, RxEvent, RxState, TxDo, TxEvent, TxState, WaiterDo, WaiterEvent, WaiterState
from sdsim.explore.engine import Act, Local, Table

ROOM = 2
MESSAGES = 4
WINDOWS = (1, ROOM)
"""What the program makes of its buffers, one after the other, whenever it likes."""

ANSWERS = {
    TxDo.PUT_ALL, TxDo.PUT_FREE, TxDo.RETRY, TxDo.WAIT_ROOM, TxDo.BROKEN_PIPE,
    RxDo.TAKE_ALL, RxDo.TAKE_AVAIL, RxDo.RETRY, RxDo.WAIT_DATA, RxDo.END_OF_STREAM,
}  # fmt: skip
"""What ends a call, or tells it to begin again."""

Todo = tuple[tuple[str, Effect | Event, int], ...]


@dataclass(frozen=True)
class Side:
    """One side: its ring machine, its wait if it waits, what it still has to do, what it knows.

    Attributes:
        at: its position, known to itself; `shown` is what the other side sees.
        seen: what it last saw of the other's position.
        armed: the other side must ring.
        asks: its program's call has no answer yet.
    """

    ring: Local
    wait: Local | None = None
    todo: Todo = ()
    at: int = 0
    shown: int = 0
    seen: int = 0
    fin: bool = False
    fin_shown: bool = False
    armed: bool = False
    asleep: bool = False
    rung: bool = False
    asks: bool = False


@dataclass(frozen=True)
class World:
    """Both sides; producer is 0, consumer is 1. `late`: the producer has tried to send behind the end."""

    sides: tuple[Side, Side]
    put: int = 0
    windows: tuple[int, ...] = WINDOWS
    late: bool = False
    untold: bool = False


class RingModel:
    """One direction."""

    name = "ring"
    parties: tuple[str, ...] = ("producer", "consumer")

    def __init__(self, tables: Mapping[str, Machine]) -> None:
        self.rings = (Table(tables["ring_tx"], free=ROOM, window=ROOM), Table(tables["ring_rx"]))
        self.waiter = Table(tables["waiter"], spins_left=1, yields_left=0)

    def first(self) -> Iterable[World]:
        """An empty ring."""
        yield World((Side(self.rings[0].start), Side(self.rings[1].start)))

    def wrong(self, w: World) -> str | None:
        """Credits are conserved; nobody takes what is not there; every call gets its answer."""
        return self._wrong_room(w) or self._wrong_bytes(w) or self._wrong_calls(w)

    def _wrong_room(self, w: World) -> str | None:
        tx, rx = w.sides
        free, owed, window = (self.rings[0].value(tx.ring, name) for name in ("free", "owed", "window"))
        if not tx.todo and free - owed + (tx.at - rx.at) + (rx.at - tx.seen) != window:
            return f"credits: {free} free, {owed} owed, {tx.at - rx.at} in the ring, {rx.at - tx.seen} given back"
        if tx.ring[0] is TxState.STARVED and free:
            return "the producer waits for room, and there is some"
        return "there is room again, and the producer is not told" if w.untold else None

    def _wrong_bytes(self, w: World) -> str | None:
        tx, rx = w.sides
        if tx.at - rx.at > ROOM:
            return "the producer wrote over bytes that were not taken"
        if tx.at > MESSAGES:
            return "bytes are put behind the end"
        if rx.at > tx.at:
            return "the consumer took bytes that were never put"
        if rx.ring[0] is RxState.ENDED and rx.at != MESSAGES:
            return f"the stream ended after {rx.at} of {MESSAGES} bytes"
        return None

    def _wrong_calls(self, w: World) -> str | None:
        unanswered = any(side.asks and not side.todo and side.wait is None for side in w.sides)
        return "a call got no answer" if unanswered else None

    def done(self, w: World) -> bool:
        """All bytes came, and the end was reported."""
        return w.sides[1].at == MESSAGES and w.sides[1].ring[0] is RxState.ENDED

    def steps(self, w: World) -> Iterator[tuple[Act, World]]:
        """Each side's next action, and each store that drains."""
        for me in (0, 1):
            side = w.sides[me]
            if (side.shown, side.fin_shown) != (side.at, side.fin):
                yield Act(self.parties[me], "its stores become visible"), self._with(w, me, self._drained(side))
            if side.asleep:
                if side.rung:
                    woken = replace(side, asleep=False, rung=False, todo=(("waiter", WaiterEvent.WOKEN, 0),))
                    yield Act(self.parties[me], "wakes up"), self._with(w, me, woken)
            elif side.todo:
                yield self._do(self._with(w, me, replace(side, todo=side.todo[1:])), me, side.todo[0])
            elif side.wait is None:
                yield from self._program(w, me)

    def _program(self, w: World, me: int) -> Iterator[tuple[Act, World]]:
        """What the program wants next: bytes one by one, and then the end."""
        tx, rx = w.sides
        if me == 0 and w.windows and tx.ring[0] in (TxState.OPEN, TxState.STARVED):
            yield self._feed(replace(w, windows=w.windows[1:]), 0, "ring", TxEvent.WINDOW, w.windows[0])
        if me == 0 and w.put < MESSAGES:
            yield self._feed(w, 0, "ring", TxEvent.SEND, 1)
        elif me == 0 and tx.ring[0] in (TxState.OPEN, TxState.STARVED):
            yield self._feed(w, 0, "ring", TxEvent.SHUTDOWN, 0)
        elif me == 0 and not w.late:
            yield self._feed(replace(w, late=True), 0, "ring", TxEvent.SEND, 1)
        elif me == 1 and rx.ring[0] is not RxState.ENDED:
            yield self._feed(w, 1, "ring", RxEvent.RECV, 1)

    def _feed(self, w: World, me: int, which: str, event: Event, arg: int) -> tuple[Act, World]:
        side = w.sides[me]
        table, local = (self.rings[me], side.ring) if which == "ring" else (self.waiter, side.wait)
        if local is None:
            raise LocalError(f"waiter: {event.name} when the wait is over")
        new, effects = table.feed(local, event, arg)
        todo: Todo = tuple((which, effect, arg) for effect in effects) + side.todo
        if which == "ring":
            side = replace(side, ring=new, todo=todo, asks=side.asks or event in (TxEvent.SEND, RxEvent.RECV))
            told = local[0] is not TxState.STARVED or new[0] is not TxState.OPEN or TxDo.RETRY in effects
            w = w if told else replace(w, untold=True)
        else:
            side = replace(side, wait=None if new[0] is WaiterState.DONE else new, todo=todo)
        names = "".join(f" {effect.name}" for effect in effects)
        text = f"{table.program.name}: {local[0].name} {event.name}({arg}) -> {new[0].name}{names}"
        return Act(self.parties[me], text), self._with(w, me, side)

    def _do(self, w: World, me: int, item: tuple[str, Effect | Event, int]) -> tuple[Act, World]:
        which, what, arg = item
        if isinstance(what, Event):
            return self._feed(w, me, which, what, arg)
        return Act(self.parties[me], f"does {what.name}"), self._perform(w, me, what, arg)

    def _perform(self, w: World, me: int, what: Effect, arg: int) -> World:
        side, other = w.sides[me], w.sides[1 - me]
        if what in ANSWERS:
            side = replace(side, asks=False)
            w = self._with(w, me, side)
        match what:
            case TxDo.PUT_ALL | TxDo.PUT_FREE:
                return self._put(w, me, min(arg, ROOM - (side.at - side.seen)))
            case RxDo.TAKE_ALL | RxDo.TAKE_AVAIL | TxDo.PUBLISH_FIN:
                fin = what is TxDo.PUBLISH_FIN
                return self._publish(w, me, replace(side, fin=fin or side.fin, at=side.at + (not fin)))
            case TxDo.LOOK:
                return self._looked(w, me, TxEvent.CREDIT)
            case RxDo.LOOK:
                end = other.shown == side.seen and other.fin_shown
                return self._looked(w, me, RxEvent.FIN if end else RxEvent.DATA)
            case TxDo.WAIT_ROOM | RxDo.WAIT_DATA:
                first = ("waiter", self._look(w, me), 0)
                side = replace(side, wait=self.waiter.start, todo=(first, *side.todo))
            case WaiterDo():
                return self._wait(w, me, what)
        return self._with(w, me, side)

    def _put(self, w: World, me: int, size: int) -> World:
        side = w.sides[me]
        return self._publish(replace(w, put=w.put + size), me, replace(side, at=side.at + size))

    def _looked(self, w: World, me: int, event: Event) -> World:
        """What the other side has shown since the last look is the event's argument."""
        side, shown = w.sides[me], w.sides[1 - me].shown
        then = ("ring", event, shown - side.seen)
        return self._with(w, me, replace(side, seen=shown, todo=(then, *side.todo)))

    def _wait(self, w: World, me: int, what: WaiterDo) -> World:
        side = w.sides[me]
        match what:
            case WaiterDo.PAUSE | WaiterDo.YIELD | WaiterDo.LOOK:
                side = replace(side, todo=(("waiter", self._look(w, me), 0), *side.todo))
            case WaiterDo.ANNOUNCE:
                side = replace(side, armed=True)
            case WaiterDo.RETRACT:
                side = replace(side, armed=False)
            case WaiterDo.FENCE:
                return self._with(w, 1 - me, self._drained(w.sides[1 - me]))
            case WaiterDo.BLOCK:
                side = replace(side, asleep=True)
        return self._with(w, me, side)

    def _look(self, w: World, me: int) -> WaiterEvent:
        side, other = w.sides[me], w.sides[1 - me]
        ready = other.shown != side.seen or (me == 1 and other.fin_shown)
        return WaiterEvent.READY if ready else WaiterEvent.EMPTY

    def _publish(self, w: World, me: int, side: Side) -> World:
        """Store, then look at once whether the other side sleeps: the store may still be invisible."""
        other = w.sides[1 - me]
        if other.armed:
            other = replace(other, armed=False, rung=True)
        return self._with(self._with(w, me, side), 1 - me, other)

    def _drained(self, side: Side) -> Side:
        return replace(side, shown=side.at, fin_shown=side.fin)

    def _with(self, w: World, me: int, side: Side) -> World:
        return replace(w, sides=(side, w.sides[1]) if me == 0 else (w.sides[0], side))
