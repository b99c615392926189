"""Nobody sleeps while there is something for him: one waiter and one peer, in every order of their steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from sdcore.protocol.kit import Effect, Event, Machine, Row, State
from sdcore.protocol.ring import WAITER, WaiterDo, WaiterEvent, WaiterState
from tests.protocol.explore import explore, stuck

S, E, D = WaiterState, WaiterEvent, WaiterDo
PUBLISH, LOOK_AT_ARMED, RING = "publish", "look at armed", "ring"
BLOCKED = "blocked"
Todo = tuple[Effect | Event | str, ...]


@dataclass(frozen=True)
class World:
    """The waiter, what it still has to do, what the peer still has to do, and what they share."""

    state: State = S.SPINNING
    spins_left: int = 1
    yields_left: int = 1
    todo: Todo = (D.LOOK,)
    peer: tuple[str, ...] = (PUBLISH, LOOK_AT_ARMED)
    ready: bool = False
    armed: bool = False
    bell: bool = False


class Model:
    """Mechanism around a given table. Memory is seen in one order by both: that is what FENCE is for."""

    def __init__(self, machine: Machine = WAITER) -> None:
        self.machine = machine

    def following(self, w: World) -> Iterator[World]:
        """Every world that one step of waiter or peer leads to."""
        if w.todo:
            yield from self._waiter(replace(w, todo=w.todo[1:]), w.todo[0])
        if w.peer:
            yield from self._peer(replace(w, peer=w.peer[1:]), w.peer[0])

    def _waiter(self, w: World, item: Effect | Event | str) -> Iterator[World]:
        if isinstance(item, Event):
            instance = self.machine.start(spins_left=w.spins_left, yields_left=w.yields_left)
            instance.state = w.state
            effects = instance.feed(item)
            spins, yields = instance.regs["spins_left"], instance.regs["yields_left"]
            todo = (*effects, *w.todo)
            yield replace(w, state=instance.state, spins_left=spins, yields_left=yields, todo=todo)
        elif item in (D.LOOK, D.PAUSE, D.YIELD):
            yield replace(w, todo=(E.READY if w.ready else E.EMPTY, *w.todo))
        elif item is D.ANNOUNCE:
            yield replace(w, armed=True)
        elif item is D.RETRACT:
            yield replace(w, armed=False)
        elif item is D.BLOCK or item == BLOCKED:
            yield replace(w, bell=False, todo=(E.WOKEN,)) if w.bell else replace(w, todo=(BLOCKED,))
        else:
            yield w

    def _peer(self, w: World, item: str) -> Iterator[World]:
        if item == PUBLISH:
            yield replace(w, ready=True)
        elif item == LOOK_AT_ARMED:
            yield replace(w, armed=False, peer=(RING,)) if w.armed else w
        else:
            yield replace(w, bell=True)


def woken(w: World) -> bool:
    """The waiter has seen what it waited for."""
    return w.state is S.DONE


def test_no_wake_up_is_lost_in_any_order() -> None:
    graph = explore([World()], Model().following)
    assert stuck(graph, woken) == []
    assert any(w.todo[:1] == (BLOCKED,) for w in graph), "the waiter never slept"


class HastyState(State):
    SPINNING = "looks again and again"
    YIELDING = "looks again after each yield"
    ASLEEP = "blocked in the kernel"
    DONE = "the wait is over"


def hasty(row: Row) -> Row:
    """The row of a waiter that blocks as soon as it has announced its sleep."""
    announces = D.ANNOUNCE in row.effects
    effects = (D.ANNOUNCE, D.FENCE, D.BLOCK) if announces else row.effects
    following = "ASLEEP" if announces else row.next.name
    return Row(HastyState[row.state.name], row.event, row.if_, row.set, effects, HastyState[following])


def test_without_the_last_look_a_wake_up_is_lost() -> None:
    rows = tuple(hasty(row) for row in WAITER.rows if row.state is not S.ARMED)
    machine = Machine("hasty", "A waiter that does not look again.", HastyState, E, D, WAITER.registers, rows)
    graph = explore([World(state=HastyState.SPINNING)], Model(machine).following)
    assert stuck(graph, lambda w: w.state is HastyState.DONE)


def test_a_waiter_spins_and_yields_as_often_as_it_was_told() -> None:
    waiter = WAITER.start(spins_left=3, yields_left=2)
    seen = [waiter.feed(E.EMPTY) for _ in range(6)]
    assert seen == [(D.PAUSE,)] * 3 + [(D.YIELD,)] * 2 + [(D.ANNOUNCE, D.FENCE, D.LOOK)]
    assert waiter.feed(E.EMPTY) == (D.BLOCK,)
    assert waiter.feed(E.WOKEN) == (D.RETRACT, D.LOOK)
    assert waiter.feed(E.EMPTY) == (D.ANNOUNCE, D.FENCE, D.LOOK)


def test_a_contended_core_ends_the_yielding() -> None:
    waiter = WAITER.start(yields_left=100)
    waiter.feed(E.EMPTY)
    waiter.feed(E.CONTENDED, 0)
    assert waiter.feed(E.EMPTY) == (D.ANNOUNCE, D.FENCE, D.LOOK)


TAKE_THEN_RING = (PUBLISH, LOOK_AT_ARMED)
RING_THEN_TAKE = (PUBLISH, RING, LOOK_AT_ARMED)
NOBODY_ELSE: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """A world whose peer is two processes: `world.peer` is what the first still has to do; one of them may die."""

    world: World
    second: tuple[str, ...]
    deaths: int = 1


class FamilyModel(Model):
    """`looks`: whoever sleeps on an end that processes share looks again after a while, unasked."""

    def __init__(self, *, looks: bool) -> None:
        super().__init__()
        self.looks = looks

    def steps(self, f: Family) -> Iterator[Family]:
        """Every world that one step of the waiter, a peer, or death leads to."""
        for world in self.following(f.world):
            yield replace(f, world=world)
        if f.second:
            for world in self._peer(replace(f.world, peer=f.second[1:]), f.second[0]):
                yield replace(f, world=replace(world, peer=f.world.peer), second=world.peer)
        if f.deaths and f.world.peer:
            yield replace(f, world=replace(f.world, peer=()), deaths=0)
        if self.looks and f.world.todo[:1] == (BLOCKED,):
            yield replace(f, world=replace(f.world, todo=(E.WOKEN,)))


def slept_through(f: Family) -> bool:
    """Asleep although there is something for the waiter, and nobody is left who would ring."""
    return f.world.ready and not f.world.peer and not f.second


@pytest.mark.parametrize("order", [TAKE_THEN_RING, RING_THEN_TAKE])
@pytest.mark.parametrize("second", [TAKE_THEN_RING, NOBODY_ELSE])
def test_a_peer_that_dies_before_it_rings_is_made_up_for_by_a_look_only(
    order: tuple[str, ...], second: tuple[str, ...]
) -> None:
    first = Family(World(peer=order), second)
    for looks in (False, True):
        model = FamilyModel(looks=looks)
        graph = explore([first], model.steps)
        lost = [f for f in stuck(graph, lambda f: woken(f.world)) if slept_through(f)]
        saved = order is RING_THEN_TAKE and second is TAKE_THEN_RING
        assert bool(lost) is (not looks and not saved)
