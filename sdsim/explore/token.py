"""Token: some threads want one token again and again, and may die anywhere; every access to memory is a step.

The threads run the driver's program (sdcore/native/core/token.c), the table decides. Shared are the token's word and
each thread's own two words: `busy` and its ticket. What a thread keeps for itself between two accesses is a copy of the
word.

    memory "sc"     a store is seen by all at once
    memory "tso"    a store waits in its thread's buffer, first in first out; a swap waits until the buffer is empty
    memory "weak"   stores to different words pass one another; a releasing store passes none that was before it

Under the last two what the token guards is modelled, too: a number that who is inside reads and counts up. The
asymmetric fence empties the buffers of the other threads, one after the other. With `reuse` a dead thread's number is
given to a new thread. The queue of the laws is kept beside the world's memory: nobody in it may read it.

Laws about the word itself: it is revoked for somebody who waits; it is believed only behind a fence; it is shared when
it has changed hands often enough, not before, and for good; what is free is granted at once; a look changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypedDict, Unpack

from sdcore.protocol.kit import Effect, Event, Machine, State
from sdcore.protocol.token import TAKEOVERS_BIASED, TokenDo, TokenEvent, TokenState
from sdsim.explore.engine import Act, Local, Table

WANTS = 1
"""How often each thread wants the token."""
DEATHS = 2
"""How many threads may die."""
OUT, WISHED, IN = "out", "wished", "in"
"""What `busy` says."""
NO_TICKET, SOON = -1, -2
DEAD = -1
"""In the laws' queue: who stood here is dead, and its number may be another one's."""
BUSY, TICKET, DATA = "busy", "ticket", "data"
DATA_MODULUS = 4
REVOKED_STATES = frozenset((TokenState.REVOKING, TokenState.REVOKED))
OFTEN = TAKEOVERS_BIASED - 1
INSIDE = frozenset(("inside", "count", "leave"))


class Thread(NamedTuple):
    """Where a thread is in its program, and what it keeps for itself."""

    at: str = "outside"
    left: int = WANTS
    word: Local | None = None
    event: Event | None = None
    ticket: int = NO_TICKET
    fenced: int = 0
    buffer: tuple[tuple[str, str | int], ...] = ()
    dead: bool = False
    reborn: bool = False


class Changes(TypedDict, total=False):
    """What a step changes of a `Thread`, besides where it is."""

    left: int
    word: Local | None
    event: Event | None
    ticket: int
    fenced: int


class World(NamedTuple):
    """Memory, threads, and what the laws remember: who queues in which order, and whether somebody died inside.

    Attributes:
        fenced: a fence has passed since the token was revoked.
    """

    token: Local
    threads: tuple[Thread, ...]
    busy: tuple[str, ...]
    tickets: tuple[int, ...]
    data: int = 0
    counted: int = 0
    queue: tuple[int, ...] = ()
    broken: bool = False
    fenced: bool = False
    wrong: str | None = None


class TokenModel:
    """Some contenders around one token."""

    name = "token"

    def __init__(
        self, tables: Mapping[str, Machine], *, contenders: int = 3, wants: int = WANTS, deaths: int = DEATHS,
        memory: str = "sc", reuse: bool = False, fences: bool = True, releases: bool = True,
    ) -> None:  # fmt: skip
        self.table = Table(tables["token_owner"])
        self.parties = tuple(f"thread{number + 1}" for number in range(contenders))
        self.wants, self.deaths, self.memory = wants, deaths, memory
        self.reuse, self.fences, self.releases = reuse, fences, releases
        self.program: Mapping[str, Callable[[World, int], Iterator[tuple[str, World]]]] = {
            "outside": self._want, "enter": self._enter, "ask": self._ask, "ask look": self._ask_look,
            "announce": self._announce, "ask swap": self._ask_swap, "again": self._again, "show": self._show,
            "wait": self._wait, "fence": self._fence, "fenced": self._fenced, "turn look": self._turn_look,
            "turn mark": self._turn_mark, "turn swap": self._turn_swap, "turn lost": self._turn_lost,
            "bury": self._bury, "inside": self._inside, "count": self._count, "leave": self._leave,
            "reborn": self._reborn, "disowned": self._disowned,
        }  # fmt: skip

    def first(self) -> Iterable[World]:
        """Held by nobody or the first thread, fresh or about to be shared, or shared already."""
        n = len(self.parties)
        held, shared = TokenState.HELD, TokenState.SHARED
        for state, owner, takeovers in ((held, 0, 0), (held, 1, 0), (held, 1, 3), (shared, 0, 0), (shared, 1, 0)):
            registers = {"owner": owner, "takeovers": takeovers, "waiters": 0, "holding": 0}
            token = (state, tuple(registers[name] for name in self.table.names))
            yield World(token, (Thread(left=self.wants),) * n, (OUT,) * n, (NO_TICKET,) * n)

    def wrong(self, w: World) -> str | None:
        """Never two inside; and what a step has found."""
        inside = [number for number, t in enumerate(w.threads) if t.at in INSIDE and not t.dead]
        if len(inside) > 1:
            return "two are inside"
        return w.wrong

    def done(self, w: World) -> bool:
        """Every thread that lives was inside as often as it wanted."""
        return all(t.dead or (t.at == "outside" and not t.left and not t.buffer) for t in w.threads)

    def steps(self, w: World) -> Iterator[tuple[Act, World]]:
        """The next access of each thread; a store that becomes visible; a death; a number given away again."""
        for act, new in self._steps(w):
            yield act, new if new.token is w.token else self._judged(w, new)

    def _judged(self, w: World, new: World) -> World:
        """With what is wrong about a change of the word."""
        before, after = w.token[0], new.token[0]
        fenced = new.fenced and after in REVOKED_STATES
        return new._replace(fenced=fenced, wrong=new.wrong or self._wrong_word(new, before, after))

    def _wrong_word(self, new: World, before: State, after: State) -> str | None:
        takeovers = self.table.value(new.token, "takeovers")
        if after in REVOKED_STATES and not self.table.value(new.token, "waiters"):
            return "the token is revoked, and nobody waits for it"
        if after is TokenState.REVOKED and not new.fenced:
            return "it is believed that the owner is outside, without a fence"
        if before is TokenState.SHARED and after is not TokenState.SHARED:
            return "a shared token is somebody's own again"
        if after is TokenState.SHARED is not before and takeovers < OFTEN:
            return "the token is shared before it changed hands often enough"
        if after is TokenState.HELD and takeovers > OFTEN:
            return "the token has changed hands often enough to be shared, and is not"
        return None

    def _steps(self, w: World) -> Iterator[tuple[Act, World]]:
        alive = sum(not t.dead for t in w.threads)
        for me, name in enumerate(self.parties):
            t = w.threads[me]
            if t.dead:
                if self.reuse and not t.reborn:
                    new = Thread("reborn", 1, dead=False, reborn=True)
                    yield Act(name, "has its number given to a new thread"), self._set(w, me, new)
                continue
            for what, new_world in self.program[t.at](w, me):
                yield Act(name, what), new_world
            for place in self._visible_next(t):
                yield Act(name, f"{t.buffer[place][0]} becomes visible"), self._commit(w, me, place)
            if alive > 1 and len(w.threads) - alive < self.deaths and not t.reborn and (t.at != "outside" or t.left):
                yield Act(name, "dies", chance=True), self._die(w, me)

    # Memory -----------------------------------------------------------------------------------------------------------

    def _set(self, w: World, me: int, thread: Thread) -> World:
        return w._replace(threads=(*w.threads[:me], thread, *w.threads[me + 1 :]))

    def _go(self, w: World, me: int, at: str, **changes: Unpack[Changes]) -> World:
        return self._set(w, me, w.threads[me]._replace(at=at, **changes))

    def _store(self, w: World, me: int, what: str, value: str | int) -> World:
        t = w.threads[me]
        w = self._set(w, me, t._replace(buffer=(*t.buffer, (what, value))))
        return self._commit(w, me, 0) if self.memory == "sc" else w

    def _visible_next(self, t: Thread) -> Iterator[int]:
        if self.memory == "tso":
            yield from range(min(len(t.buffer), 1))
            return
        for place, (what, _) in enumerate(t.buffer):
            before = {other for other, _ in t.buffer[:place]}
            # What is written to `busy` releases, so all that was stored before is visible first.
            if what not in before and not (what == BUSY and before and self.releases):
                yield place

    def _commit(self, w: World, me: int, place: int) -> World:
        t = w.threads[me]
        what, value = t.buffer[place]
        w = self._set(w, me, t._replace(buffer=t.buffer[:place] + t.buffer[place + 1 :]))
        if isinstance(value, str):
            return w._replace(busy=(*w.busy[:me], value, *w.busy[me + 1 :]))
        if what == TICKET:
            return w._replace(tickets=(*w.tickets[:me], value, *w.tickets[me + 1 :]))
        return w._replace(data=value)

    def _drain(self, w: World, me: int) -> World:
        while w.threads[me].buffer:
            w = self._commit(w, me, 0)
        return w

    def _swap(self, w: World, me: int, event: Event) -> tuple[World, tuple[Effect, ...]] | None:
        """Publish a step taken from the thread's copy of the word; None if the word is another one by now."""
        old = w.threads[me].word
        assert old is not None
        if w.token != old:
            return None
        token, effects = self.table.feed(old, event, me + 1)
        return w._replace(token=token), effects

    def _may_swap(self, w: World, me: int) -> bool:
        return not w.threads[me].buffer

    # Asking -----------------------------------------------------------------------------------------------------------

    def _want(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        if w.threads[me].left:
            w = self._go(w, me, "enter", left=w.threads[me].left - 1)
            yield "marks itself busy", self._store(w, me, BUSY, IN)

    def _enter(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        mine = w.token[0] is TokenState.HELD and self.table.value(w.token, "owner") == me + 1
        if mine:
            yield "reads that it holds the token", self._get_inside(w, me, ())
        else:
            yield "reads that it does not hold the token", self._go(w, me, "ask")

    def _ask(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        owner = self.table.value(w.token, "owner")
        w = self._go(w, me, "ask look", word=w.token)
        if owner in (0, me + 1):
            yield "reads the word", self._asked(w, me, TokenEvent.WANT_IDLE if owner else TokenEvent.WANT)
        else:
            yield "reads the word", w

    def _ask_look(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        inside = w.busy[self._owner(w, me)] == IN
        event = TokenEvent.WANT if inside else TokenEvent.WANT_IDLE
        yield f"sees the owner {'inside' if inside else 'outside'}", self._asked(w, me, event)

    def _asked(self, w: World, me: int, event: Event) -> World:
        old = w.threads[me].word
        assert old is not None
        token, effects = self.table.feed(old, event, me + 1)
        w = w._replace(wrong=w.wrong or self._wrong_answer(old, event, me + 1, effects))
        if token == old and TokenDo.GRANT in effects:
            return self._get_inside(w, me, effects)
        return self._go(w, me, "announce" if TokenDo.QUEUE in effects else "ask swap", event=event)

    def _wrong_answer(self, old: Local, event: Event, me: int, effects: tuple[Effect, ...]) -> str | None:
        owner, takeovers, waiters = (self.table.value(old, name) for name in ("owner", "takeovers", "waiters"))
        mine = old[0] is TokenState.HELD and owner == me
        idle = old[0] is TokenState.SHARED and (event is TokenEvent.WANT_IDLE or not (owner or takeovers))
        free = mine or idle or (old[0] is TokenState.HELD and not (owner or takeovers))
        if free and not waiters and TokenDo.GRANT not in effects:
            return "the token is free, and not granted"
        answered = TokenDo.GRANT in effects or TokenDo.QUEUE in effects
        return None if answered else "who asks is neither granted the token nor put into its queue"

    def _announce(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        w = self._store(self._go(w, me, "ask swap"), me, TICKET, SOON)
        yield "announces that it will queue", self._store(w, me, BUSY, WISHED)

    def _ask_swap(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        if not self._may_swap(w, me):
            return
        event = w.threads[me].event
        assert event is not None
        before = w.token
        swapped = self._swap(w, me, event)
        if swapped is None:
            yield "is too late", self._go(w, me, "again", word=None, event=None)
            return
        w, effects = swapped
        text = self._said(before, event, w.token, effects)
        if TokenDo.GRANT in effects:
            w = w._replace(wrong=w.wrong or self._overtakes(w))
            yield text, self._get_inside(w, me, effects)
        else:
            ticket = self.table.value(before, "holding") + self.table.value(before, "waiters")
            w = w._replace(queue=(*w.queue, me))
            yield text, self._go(w, me, "show", word=None, event=None, ticket=ticket)

    def _again(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        w = self._store(self._go(w, me, "ask", ticket=NO_TICKET), me, TICKET, NO_TICKET)
        yield "asks again", self._store(w, me, BUSY, IN)

    # Waiting ----------------------------------------------------------------------------------------------------------

    def _show(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        yield "shows its ticket", self._store(self._go(w, me, "wait"), me, TICKET, w.threads[me].ticket)

    def _wait(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        first = self.table.value(w.token, "holding")
        place = w.threads[me].ticket - first
        if not 0 <= place < self.table.value(w.token, "waiters"):
            yield "is not in the queue any more", self._go(w, me, "again", word=None)
        elif place:
            if not any(self._claims(w, other, first) for other, t in enumerate(w.threads) if not t.dead):
                yield "sees that the first is dead", self._go(w, me, "bury", word=w.token)
        else:
            yield from self._first(w, me)

    def _first(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        after, effects = self.table.feed(w.token, TokenEvent.MY_TURN, me + 1)
        if after != w.token:
            w = w._replace(wrong=w.wrong or "a look changes the token")
        owner = self.table.value(w.token, "owner")
        w = self._go(w, me, "turn look", word=w.token)
        if TokenDo.FENCE in effects:
            yield "is the first, and fences", self._go(w, me, "fence", fenced=0)
        elif owner in (0, me + 1):
            event = TokenEvent.IDLE if owner else TokenEvent.OWNER_DIED
            yield "is the first", self._go(w, me, "turn mark", event=event)
        else:
            yield "is the first", w

    def _claims(self, w: World, other: int, ticket: int) -> bool:
        return w.busy[other] != OUT and w.tickets[other] in (ticket, SOON)

    def _fence(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        other = w.threads[me].fenced
        if self.memory == "sc" or not self.fences or other == len(w.threads):
            passed = w._replace(fenced=w.token[0] in REVOKED_STATES)
            yield "has passed the fence", self._go(passed, me, "fenced", fenced=0)
            return
        w = w if other == me else self._drain(w, other)
        yield f"fences thread{other + 1}", self._go(w, me, "fence", fenced=other + 1)

    def _fenced(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        yield from self._swap_and_wait(w, me, TokenEvent.FENCED)

    def _bury(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        gone = w._replace(queue=w.queue[1:])
        for text, new in self._swap_and_wait(w, me, TokenEvent.WAITER_DIED):
            buried = new.token != w.token
            alive = buried and w.queue[0] != DEAD
            wrong = "a living waiter is declared dead" if alive else new.wrong
            yield text, new._replace(queue=gone.queue if buried else w.queue, wrong=wrong)

    def _swap_and_wait(self, w: World, me: int, event: Event) -> Iterator[tuple[str, World]]:
        if not self._may_swap(w, me):
            return
        before = w.token
        swapped = self._swap(w, me, event)
        if swapped is None:
            yield "is too late", self._go(w, me, "wait", word=None)
        else:
            text = self._said(before, event, swapped[0].token, swapped[1])
            yield text, self._go(swapped[0], me, "wait", word=None)

    def _turn_look(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        owner = self._owner(w, me)
        if w.busy[owner] != IN:
            yield "sees the owner outside", self._go(w, me, "turn mark", event=TokenEvent.IDLE)
        elif w.threads[owner].dead:
            yield "sees the owner dead", self._go(w, me, "turn mark", event=TokenEvent.OWNER_DIED)
        else:
            yield "sees the owner inside", self._go(w, me, "wait", word=None)

    def _turn_mark(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        yield "marks itself busy", self._store(self._go(w, me, "turn swap"), me, BUSY, IN)

    def _turn_swap(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        if not self._may_swap(w, me):
            return
        event = w.threads[me].event
        assert event is not None
        before = w.token
        swapped = self._swap(w, me, event)
        if swapped is None:
            yield "is too late", self._go(w, me, "turn lost", word=None, event=None)
            return
        w, effects = swapped
        late = None if w.queue[:1] == (me,) else "not the first of the queue is served"
        if TokenDo.GRANT not in effects:
            late = "who takes the token over is not granted it"
        w = w._replace(queue=w.queue[1:], wrong=w.wrong or late)
        text = self._said(before, event, w.token, effects)
        yield text, self._get_inside(self._store(w, me, TICKET, NO_TICKET), me, effects)

    def _turn_lost(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        yield "waits on", self._store(self._go(w, me, "wait"), me, BUSY, WISHED)

    def _overtakes(self, w: World) -> str | None:
        return "a newcomer overtakes the queue" if any(number != DEAD for number in w.queue) else None

    # Inside -----------------------------------------------------------------------------------------------------------

    def _get_inside(self, w: World, me: int, effects: tuple[Effect, ...]) -> World:
        repaired = TokenDo.REPAIR in effects
        wrong = "a holder died inside, and the next does not make it good" if w.broken and not repaired else None
        w = w._replace(broken=False, wrong=w.wrong or wrong)
        w = self._go(w, me, "inside", word=None, event=None, ticket=NO_TICKET)
        return w if self.memory != "sc" else self._go(w, me, "leave")

    def _inside(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        own = [value for what, value in w.threads[me].buffer if what == DATA]
        seen = own[-1] if own else w.data
        wrong = None if seen == w.counted else "what the holder before wrote is not seen"
        yield "reads", self._go(w._replace(wrong=w.wrong or wrong), me, "count")

    def _count(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        counted = (w.counted + 1) % DATA_MODULUS
        yield "writes", self._store(self._go(w._replace(counted=counted), me, "leave"), me, DATA, counted)

    def _leave(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        yield "leaves", self._store(self._go(w, me, "outside"), me, BUSY, OUT)

    # Death ------------------------------------------------------------------------------------------------------------

    def _die(self, w: World, me: int) -> World:
        t = w.threads[me]
        w = self._drain(w, me)
        inside = t.at in INSIDE or (t.at == "outside" and w.busy[me] == IN)
        gone = Thread(at="dead", left=0, dead=True)
        queue = tuple(DEAD if number == me else number for number in w.queue)
        return self._set(w, me, gone)._replace(queue=queue, broken=w.broken or inside)

    def _reborn(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        if w.busy[me] != IN:
            yield "finds nothing to disown", self._go(w, me, "disowned")
            return
        token, _ = self.table.feed(w.token, TokenEvent.OWNER_LOST, me + 1)
        yield "disowns", self._go(w._replace(token=token), me, "disowned")

    def _disowned(self, w: World, me: int) -> Iterator[tuple[str, World]]:
        w = self._store(self._go(w, me, "outside"), me, TICKET, NO_TICKET)
        yield "begins", self._store(w, me, BUSY, OUT)

    # Words ------------------------------------------------------------------------------------------------------------

    def _owner(self, w: World, me: int) -> int:
        word = w.threads[me].word
        assert word is not None
        return self.table.value(word, "owner") - 1

    def _said(self, before: Local, event: Event, after: Local, effects: Iterable[Effect]) -> str:
        names = "".join(f" {effect.name}" for effect in effects)
        return f"{before[0].name} {event.name} -> {after[0].name}{names}"
