"""The interpreter: what a step changes, and what an error leaves alone."""

from __future__ import annotations

import pytest

from sdcore.protocol.expr import MASK, Reg, arg
from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, LocalError, Machine, PeerError, Row, State, Step


class DoorState(State):
    SHUT = "shut"
    AJAR = "open a bit"


class DoorEvent(Event):
    PUSH = "somebody pushes arg hard"
    WIND = "the wind blows", PEER


class DoorDo(Effect):
    CREAK = "make a noise"
    LIGHT = "switch the light on"


count = Reg("count", start=254, bits=8)
total = Reg("total")

DOOR = Machine(
    "door", "A door.", DoorState, DoorEvent, DoorDo, registers=(count, total), rows=(
    Row(DoorState.SHUT, DoorEvent.PUSH, arg > 3, {count: count + 1, total: total + count}, (DoorDo.CREAK, DoorDo.LIGHT),
        DoorState.AJAR),
    Row(DoorState.SHUT, DoorEvent.PUSH, ALWAYS,  {total: total - 1}, DoorDo.CREAK, DoorState.SHUT),
    Row(DoorState.AJAR, DoorEvent.PUSH, ALWAYS,  {count: count + arg}, NOTHING,    DoorState.AJAR),
    Row(DoorState.AJAR, DoorEvent.WIND, arg > 0, {},                   NOTHING,    DoorState.SHUT),
))  # fmt: skip


def test_the_first_row_that_holds_is_taken_and_its_effects_come_in_order() -> None:
    door = DOOR.start()
    assert door.feed(DoorEvent.PUSH, 4) == (DoorDo.CREAK, DoorDo.LIGHT)
    assert door.state is DoorState.AJAR
    assert DOOR.start().feed(DoorEvent.PUSH, 3) == (DoorDo.CREAK,)


def test_updates_see_the_registers_before_the_row() -> None:
    door = DOOR.start()
    door.feed(DoorEvent.PUSH, 4)
    assert door.regs == {"count": 255, "total": 254}


def test_registers_wrap_at_their_width() -> None:
    door = DOOR.start()
    door.feed(DoorEvent.PUSH)
    assert door.regs["total"] == MASK
    door.feed(DoorEvent.PUSH, 4)
    door.feed(DoorEvent.PUSH, 3)
    assert door.regs["count"] == 2


@pytest.mark.parametrize(("event", "error"), [(DoorEvent.WIND, PeerError), (DoorEvent.PUSH, LocalError)])
def test_an_event_without_a_row_is_its_causers_error_and_changes_nothing(
    event: DoorEvent, error: type[Exception]
) -> None:
    rows = tuple(row for row in DOOR.rows if (row.state, row.event) != (DoorState.SHUT, DoorEvent.PUSH))
    opened = Row(DoorState.SHUT, DoorEvent.PUSH, arg == 9, {count: total}, (DoorDo.CREAK, DoorDo.LIGHT), DoorState.AJAR)
    door = Machine("door", "A door.", DoorState, DoorEvent, DoorDo, DOOR.registers, (opened, *rows)).start()
    before = door.snapshot()
    with pytest.raises(error, match=rf"^door: {event.name} in state SHUT$"):
        door.feed(event, 1)
    assert door.snapshot() == before


def test_a_guard_that_does_not_hold_is_no_row() -> None:
    door = DOOR.start()
    door.feed(DoorEvent.PUSH, 4)
    with pytest.raises(PeerError):
        door.feed(DoorEvent.WIND, 0)
    assert door.state is DoorState.AJAR


def test_instances_do_not_share_anything() -> None:
    one, other = DOOR.start(), DOOR.start()
    one.feed(DoorEvent.PUSH, 4)
    assert other.snapshot() == {"state": 0, "count": 254, "total": 0}


def test_start_values_can_be_replaced_but_not_invented() -> None:
    assert DOOR.start(count=7).regs == {"count": 7, "total": 0}
    with pytest.raises(TypeError, match="no register height"):
        DOOR.start(height=1)
    with pytest.raises(ValueError, match="256 does not fit"):
        DOOR.start(count=256)


def test_a_tracer_sees_each_step_and_no_failed_one() -> None:
    steps: list[Step] = []
    door = DOOR.start(trace=steps.append)
    door.feed(DoorEvent.PUSH, 4)
    with pytest.raises(PeerError):
        door.feed(DoorEvent.WIND)
    assert [(step.machine, step.row, step.arg, step.regs) for step in steps] == [
        ("door", DOOR.rows[0], 4, {"count": 255, "total": 254})
    ]


def test_a_row_reads_as_a_sentence() -> None:
    assert str(DOOR.rows[0]) == "SHUT PUSH [arg > 3] count = count + 1; total = total + count; CREAK LIGHT -> AJAR"


def test_guards_do_not_become_python_truth_values() -> None:
    with pytest.raises(TypeError, match="combine with & and"):
        _ = (arg > 1) and (arg < 3)
    with pytest.raises(TypeError, match="cannot stand in an expression"):
        _ = arg > 1.5  # type: ignore[operator]


def test_expressions_print_with_their_grouping() -> None:
    assert str((count + arg > 7) & ((arg & 3) == 1)) == "(count + arg) > 7 && (arg & 3) == 1"
