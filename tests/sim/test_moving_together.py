"""Judged logs of a direction that leaves the rings: every order that can be passes, each that cannot be is refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sdcore.protocol.kit import Event, Machine
from sdcore.protocol.ring import RxEvent
from sdcore.protocol.transport import LEAVER, MOVER, LeaverEvent, MoverEvent
from sdsim.conform.history import Offence
from sdsim.conform.log import Chunk, Line
from sdsim.conform.moving import AWAY, LEAVER_NUMBER, MOVER_NUMBER, Moving
from sdsim.explore.engine import Local, Table, tables
from sdsim.explore.move import MoveModel

NUMBERS = {MOVER: MOVER_NUMBER, LEAVER: LEAVER_NUMBER}
CHUNK = Chunk(0, Path("none"), 1, 1, 0, 1, 1, 1, ended=True)
M, L = MoverEvent, LeaverEvent


def line_of(machine: Machine, before: Local, event: Event, arg: int, then: tuple[Local, Sequence[Any]]) -> Line:
    """The line that a step writes, as far as it is looked at."""
    after, effects = then
    packed = sum((effect.number + 1) << 8 * place for place, effect in enumerate(effects))
    states = before[0].number, after[0].number
    return Line(0, 1, 1, NUMBERS[machine], event.number, *states, 0, 0, packed, arg, 0, 0, 1, CHUNK)


class Direction:
    """Both machines of a direction, and what a judge of their log makes of it."""

    def __init__(self) -> None:
        self.tables = {machine: Table(machine) for machine in NUMBERS}
        self.stand = {machine: table.start for machine, table in self.tables.items()}
        self.judge = Moving(ends={MOVER_NUMBER, LEAVER_NUMBER})

    def step(self, event: Event, arg: int = 0, unread: int | None = None) -> None:
        """The next line of one of them."""
        machine = MOVER if isinstance(event, M) else LEAVER
        before = self.stand[machine]
        then = self.tables[machine].feed(before, event, arg)
        self.stand[machine] = then[0]
        self.judge.see(line_of(machine, before, event, arg, then), unread)


class Spy(Table):
    """A table that notes what it is fed."""

    def __init__(self, machine: Machine, notes: list[Callable[[Moving], None]]) -> None:
        super().__init__(machine)
        self.machine = machine
        self.notes = notes

    def feed(self, local: Local, event: Event, arg: int = 0) -> Any:
        then = super().feed(local, event, arg)
        if self.machine in NUMBERS:
            line = line_of(self.machine, local, event, arg, then)
            self.notes.append(lambda judge: judge.see(line, None))
        elif event is RxEvent.BEGIN_AWAY:
            self.notes.append(lambda judge: setattr(judge, "said", judge.said | AWAY))
        return then


@pytest.mark.parametrize("comes", [False, True], ids=["move", "join"])
def test_every_order_of_steps_that_can_be_is_taken_for_one(comes: bool) -> None:
    notes: list[Callable[[Moving], None]] = []
    model = MoveModel(tables({}), comes=comes)
    model.mover, model.leaver, model.rx = Spy(MOVER, notes), Spy(LEAVER, notes), Spy(model.rx.program.machine, notes)
    dice = random.Random(1)
    judged = 0
    for _ in range(250):
        judge = Moving(ends={MOVER_NUMBER, LEAVER_NUMBER})
        world = dice.choice(list(model.first()))
        for _ in range(60):
            following = []
            notes.clear()
            for _, then in model.steps(world):
                following.append((then, list(notes)))
                notes.clear()
            if not following:
                break
            world, lines = dice.choice(following)
            judged += len(lines)
            for take in lines:
                take(judge)
    assert judged > 1000


LEAVES, MOVES = ((L.LEAVE,), (L.FIRST,)), ((M.MOVE,), (M.LEFT, 0))
FOUND = (*LEAVES, (M.MOVE,), (M.FORWARDS,))
CANNOT_BE = {
    "both found nothing, the producer at last": (*LEAVES, *MOVES),
    "both found nothing, the consumer at last": (*MOVES, *LEAVES),
    "FORWARDING was found": ((M.MOVE,), (M.FORWARDS,)),
    "FORWARDING was found, late": ((M.MOVE,), (M.LATE,)),
    "SEEN_MOVED was found": ((L.LEAVE,), (L.AFTER_MOVE, 0)),
    "SEEN_MOVED was found, at last": (*LEAVES, (L.PUT_DONE,), (L.MOVED_MEANWHILE,)),
    "SEEN_CLOSED was found": ((M.MOVE,), (L.LEAVE,), (L.AFTER_CLOSE,)),
    "SEEN_CLOSED was found, at last": (*FOUND, (L.PUT_DONE,), (L.CLOSED_MEANWHILE,)),
    "AWAY was found": ((M.MOVE,), (M.LEFT, 0), (L.LEAVE,), (L.TAKEN_BACK,)),
    "bytes are to be sent again, but the consumer has left none": (*LEAVES, (M.MOVE,), (M.LEFT, 5)),
    "so left SEEN_MOVED there": (*FOUND, (L.PUT_DONE,), (L.RESIGNED,)),
    "so left SEEN_CLOSED there": (
        *FOUND, (L.PUT_DONE,), (L.MOVED_MEANWHILE,), (M.CLOSE,), (M.FORWARDS,), (L.PUT_DONE,), (L.RESIGNED,),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CANNOT_BE)
def test_steps_that_are_right_one_by_one_and_cannot_be_together(what: str) -> None:
    direction = Direction()
    *good, bad = CANNOT_BE[what]
    for step in good:
        direction.step(*step)
    with pytest.raises(Offence, match=what.partition(", the")[0].partition(", late")[0].partition(", at")[0]):
        direction.step(*bad)


@pytest.mark.parametrize("what", CANNOT_BE)
def test_an_end_whose_peer_is_not_in_the_log_is_judged_by_itself(what: str) -> None:
    direction = Direction()
    direction.judge.ends = {MOVER_NUMBER}
    for step in CANNOT_BE[what]:
        direction.step(*step)


def test_no_more_is_sent_again_than_was_put_and_not_taken() -> None:
    direction = Direction()
    for step in (*LEAVES, (L.PUT_DONE,), (L.RESIGNED,), (M.MOVE,)):
        direction.step(*step)
    with pytest.raises(Offence, match="6 bytes are to be sent again, 5 were put and not taken"):
        direction.step(M.LEFT, 6, unread=5)


def test_nothing_goes_through_a_ring_that_its_end_has_left() -> None:
    direction = Direction()
    direction.step(M.MOVE)
    direction.judge.put()  # a producer that was killed here may not have begun
    direction.step(M.LEFT)
    with pytest.raises(Offence, match="put into the ring"):
        direction.judge.put()
    direction.step(L.LEAVE)
    direction.judge.taken()
    direction.step(L.AFTER_MOVE)
    with pytest.raises(Offence, match="taken out of the ring"):
        direction.judge.taken()
