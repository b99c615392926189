"""Token: three threads want one token, again and again; the holder may be busy, idle, release or die.

The machine counts who waits; the queue itself is the driver's. What was seen behind a fence is dropped if the holding
that it speaks of has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sdcore.protocol.kit import Machine
from sdcore.protocol.token import TokenDo, TokenEvent, TokenState
from sdsim.explore.engine import Act, Local, Table

WANTS = 2
"""How often each thread wants the token."""


@dataclass(frozen=True)
class World:
    """holder and queue are numbers of threads; `fenced` is the holding that a fence under way will look at."""

    token: Local
    left: tuple[int, ...]
    holder: int = -1
    busy: bool = False
    holding: int = 0
    fenced: int = -1
    queue: tuple[int, ...] = ()
    dead: frozenset[int] = frozenset()
    overtaken: bool = False


class TokenModel:
    """Some contenders around one token."""

    name = "token"

    def __init__(self, tables: Mapping[str, Machine], contenders: int = 3) -> None:
        self.table = Table(tables["token_owner"])
        self.parties = tuple(f"thread{number + 1}" for number in range(contenders))

    def first(self) -> Iterable[World]:
        """Nobody holds it."""
        yield World(self.table.start, (WANTS,) * len(self.parties))

    def wrong(self, w: World) -> str | None:
        """Never two holders, first in first out, waiters counted."""
        if w.overtaken:
            return "two holders: the token was granted while another thread holds it"
        if self.table.value(w.token, "waiters") != len(w.queue):
            return "the queue and the count of waiters differ"
        if w.queue and w.token[0] is not TokenState.REVOKING:
            return "somebody waits, and nobody revokes"
        if w.holder < 0 and w.token[0] is not TokenState.FREE:
            return "the token is held by nobody"
        return None

    def done(self, w: World) -> bool:
        """Every thread that lives got it as often as it wanted."""
        return not w.queue and all(left == 0 or number in w.dead for number, left in enumerate(w.left))

    def steps(self, w: World) -> Iterator[tuple[Act, World]]:
        """What each thread may do, and what a fence shows."""
        for number, name in enumerate(self.parties):
            if number in w.dead:
                continue
            if w.left[number] and number not in w.queue and not (w.holder == number and w.busy):
                left = tuple(n - (i == number) for i, n in enumerate(w.left))
                yield self._feed(w, name, TokenEvent.WANT, int(w.holder == number), number, replace(w, left=left))
        if w.holder >= 0:
            yield from self._holder(w)
        if w.fenced >= 0 and w.fenced != w.holding:
            yield Act("fence", "is over: that holding has ended"), replace(w, fenced=-1)
        elif w.fenced >= 0:
            event = TokenEvent.FENCED_BUSY if w.busy else TokenEvent.FENCED_IDLE
            yield self._feed(w, "fence", event, 0, -1, replace(w, fenced=-1))

    def _holder(self, w: World) -> Iterator[tuple[Act, World]]:
        name = self.parties[w.holder]
        if w.busy and w.token[0] is TokenState.REVOKING:
            yield self._feed(w, name, TokenEvent.RELEASE, 0, -1, replace(w, busy=False))
        elif w.busy:
            yield Act(name, "is done, and keeps the token"), replace(w, busy=False)
        if len(w.dead) < len(self.parties) - 1:
            dead = replace(w, dead=w.dead | {w.holder}, queue=w.queue, busy=False)
            yield self._feed(w, name, TokenEvent.HOLDER_DIED, 0, -1, dead)

    def _feed(self, w: World, who: str, event: TokenEvent, arg: int, asks: int, then: World) -> tuple[Act, World]:
        token, effects = self.table.feed(w.token, event, arg)
        new = replace(then, token=token)
        if event in (TokenEvent.RELEASE, TokenEvent.HOLDER_DIED, TokenEvent.FENCED_IDLE):
            new = replace(new, holder=-1, busy=False)
        for effect in effects:
            match effect:
                case TokenDo.GRANT:
                    new = self._grant(new, asks)
                case TokenDo.QUEUE:
                    new = replace(new, queue=(*new.queue, asks))
                case TokenDo.WAKE_FIRST:
                    first, rest = new.queue[0] if new.queue else -1, new.queue[1:]
                    new = self._grant(replace(new, queue=rest), first)
                case TokenDo.FENCE:
                    new = replace(new, fenced=new.holding)
        names = "".join(f" {effect.name}" for effect in effects)
        return Act(who, f"{w.token[0].name} {event.name}({arg}) -> {token[0].name}{names}"), new

    def _grant(self, w: World, number: int) -> World:
        taken = w.holder >= 0 and w.holder != number
        return replace(w, holder=number, busy=True, holding=(w.holding + 1) % 64, overtaken=w.overtaken or taken)
