"""Two ends and the monitor, in every order: both get the slab, or nobody waits for anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sdcore.protocol.joining import (
    CALLS_FIRST,
    JOIN,
    JOINER,
    JoinDo,
    JoinerDo,
    JoinerEvent,
    JoinerState,
    JoinEvent,
    JoinState,
)
from sdcore.protocol.kit import Machine
from tests.protocol.explore import changed, explore, step, stuck

HEIR, OTHER = 0, 1


@dataclass(frozen=True)
class World:
    """A connection of which one end was handed on.

    Attributes:
        ends: where each end stands. marks: whether its record has the mark. has: whether it has the slab.
        fit: whether something else uses the other end, which then refuses once more.
    """

    ends: tuple[JoinerState, JoinerState] = (JoinerState.HOPING, JoinerState.APART)
    marks: tuple[bool, bool] = (False, False)
    has: tuple[bool, bool] = (False, False)
    join: JoinState = JoinState.NONE
    fit: bool = False


def put(pair: tuple[bool, bool], end: int) -> tuple[bool, bool]:
    """The pair with this end's place set."""
    return (True, pair[1]) if end == HEIR else (pair[0], True)


class Model:
    """What may come next, with some tables."""

    def __init__(self, join: Machine = JOIN) -> None:
        self.join = join

    def following(self, w: World) -> Iterator[World]:
        """Each end may make a call; the one that something else uses may be free of it later."""
        if not w.fit:
            yield replace(w, fit=True)
        for end in (HEIR, OTHER):
            if not w.has[end]:
                yield self.call(w, end)

    def call(self, w: World, end: int) -> World:
        """A call of the kernel's is over; the driver looks."""
        event = JoinerEvent.INVITED if w.marks[end] else JoinerEvent.CALL
        state = w.ends[end]
        machine = JOINER.start()
        machine.state, machine.regs["patience"], machine.regs["calls"] = state, CALLS_FIRST, CALLS_FIRST
        if machine.feed(event) != (JoinerDo.ASK,):
            return w
        w = replace(w, marks=(w.marks[HEIR] and end != HEIR, w.marks[OTHER] and end != OTHER))
        asked, granted = self.ask(w, end) if w.fit or end == HEIR else (w, False)
        machine.feed(JoinerEvent.GRANTED if granted else JoinerEvent.REFUSED)
        state = JoinerState(machine.state)
        ends = (state, asked.ends[OTHER]) if end == HEIR else (asked.ends[HEIR], state)
        return replace(asked, ends=ends, has=put(asked.has, end) if granted else asked.has)

    def ask(self, w: World, end: int) -> tuple[World, bool]:
        """The monitor decides."""
        state, effects = step(self.join, w.join, JoinEvent.ASKED if end == HEIR else JoinEvent.ANSWERED)
        w = replace(w, join=JoinState.NONE if JoinDo.FORGET in effects else JoinState(state))
        if JoinDo.INVITE in effects:
            w = replace(w, marks=put(w.marks, OTHER))
        if JoinDo.INVITE_FIRST in effects:
            w = replace(w, marks=put(w.marks, HEIR))
        return w, bool({JoinDo.MEET, JoinDo.SEND_SLAB} & set(effects))


def both(w: World) -> bool:
    """The end of it."""
    return w.has == (True, True)


def test_both_ends_get_the_slab_whoever_calls_when() -> None:
    graph = explore([World()], Model().following)
    assert not stuck(graph, both)
    assert any(both(world) for world in graph)
    assert all(world.has[OTHER] or not world.has[HEIR] for world in graph)  # who asked first fetches it last


def test_an_end_that_refused_would_not_come_without_another_invitation() -> None:
    once = changed(JOIN, JoinState.INVITED, JoinEvent.ASKED, lambda row: replace(row, do=JoinDo.DENY))
    assert stuck(explore([World()], Model(once).following), both)


def test_an_end_asks_ever_more_seldom() -> None:
    end = JOINER.start()
    end.feed(JoinerEvent.MEET)
    gaps = []
    for _ in range(4):
        calls = 1
        while end.feed(JoinerEvent.CALL) != (JoinerDo.ASK,):
            calls += 1
        end.feed(JoinerEvent.REFUSED)
        gaps.append(calls)
    assert gaps == [5, 9, 17, 33]
