"""Tables that cannot be meant are refused, with the law that they break."""

from __future__ import annotations

from typing import Any

import pytest

from sdcore.protocol.expr import DefinitionError, Reg, arg
from sdcore.protocol.kit import ALWAYS, NOTHING, Effect, Event, Machine, Row, State
from sdcore.protocol.machines import MACHINES


class LampState(State):
    OFF = "dark"
    ON = "bright"


class LampEvent(Event):
    PRESS = "the button is pressed, arg long"


class LampDo(Effect):
    SHINE = "let current flow"


S, E, D = LampState, LampEvent, LampDo
level = Reg("level", start=1, bits=8)
TURN_ON = Row(S.OFF, E.PRESS, level > 0, {level: level - 1}, D.SHINE, S.ON)
TURN_OFF = Row(S.ON, E.PRESS, ALWAYS, {}, NOTHING, S.OFF)


def lamp(**changes: Any) -> Machine:
    """A lamp that is right but for the changes."""
    parts: dict[str, Any] = {
        "name": "lamp",
        "doc": "A lamp.",
        "State": S,
        "Event": E,
        "Do": D,
        "registers": (level,),
        "rows": (TURN_ON, TURN_OFF),
    }
    return Machine(**(parts | changes))


def refused(law: str, **changes: Any) -> None:
    """The changed lamp is refused, and the error names the machine and the law."""
    with pytest.raises(DefinitionError, match=rf"^{changes.get('name', 'lamp')}: .*{law}"):
        lamp(**changes)


def test_a_right_table_is_accepted() -> None:
    assert lamp().start().feed(E.PRESS) == (D.SHINE,)


def test_every_state_can_be_reached() -> None:
    stay = Row(S.OFF, E.PRESS, level > 0, {}, D.SHINE, S.OFF)
    refused("state ON cannot be reached", rows=(stay, TURN_OFF))


@pytest.mark.parametrize("guard", [ALWAYS, level > 5])
def test_no_row_stands_behind_one_that_always_holds(guard: Any) -> None:
    refused("never fire: it stands behind", rows=(TURN_ON, TURN_OFF, Row(S.ON, E.PRESS, guard, {}, D.SHINE, S.ON)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (arg > 3, arg > 7),
        (arg >= 1, arg == 1),
        (level < 200, level <= 199),
        ((arg == 1) | (arg == 2), (arg == 2) & (level > 0)),
        (arg != 5, arg > 5),
        (arg > 0, level > 255),
        (level + arg >= 10, (level == 4) & (arg == 6)),
    ],
)
def test_no_guard_is_covered_by_those_above(first: Any, second: Any) -> None:
    rows = (Row(S.OFF, E.PRESS, first, {level: level}, D.SHINE, S.ON),
            Row(S.OFF, E.PRESS, second, {}, NOTHING, S.OFF), TURN_OFF)  # fmt: skip
    refused("never fire: the rows above cover its guard", rows=rows)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (arg > 7, arg > 3),
        (level >= arg, level > 0),
        (arg != 1 << 40, arg == 1 << 40),
        (level + arg > 10, arg > 9),
        ((arg & 12) == 4, (arg & 12) == 8),
        (level > 0, arg - level < 3),
    ],
)
def test_guards_may_overlap_in_their_order(first: Any, second: Any) -> None:
    rows = (Row(S.OFF, E.PRESS, first, {level: level}, D.SHINE, S.ON),
            Row(S.OFF, E.PRESS, second, {}, NOTHING, S.OFF), TURN_OFF)  # fmt: skip
    assert lamp(rows=rows).rows == rows


def test_rows_of_one_state_and_event_stand_together() -> None:
    late = Row(S.OFF, E.PRESS, arg == 9, {}, NOTHING, S.OFF)
    refused("do not stand together", rows=(TURN_ON, TURN_OFF, late))


def test_every_effect_event_and_register_is_used() -> None:
    class TwoEffects(Effect):
        SHINE = "let current flow"
        BLINK = "let current flow now and then"

    class TwoEvents(Event):
        PRESS = "the button is pressed"
        PULL = "the cord is pulled"

    shine = Row(S.OFF, E.PRESS, level > 0, {}, TwoEffects.SHINE, S.ON)
    refused("effect BLINK is never used", Do=TwoEffects, rows=(shine, TURN_OFF))
    rows = tuple(Row(row.state, TwoEvents.PRESS, row.if_, row.set, row.do, row.next) for row in (TURN_ON, TURN_OFF))
    refused("event PULL is never used", Event=TwoEvents, rows=rows)
    refused("register spare is never used", registers=(level, Reg("spare")))


def test_every_name_is_explained_for_who_handles_it() -> None:
    class Mute(Effect):
        SHINE = "  "

    refused("SHINE: no text", Do=Mute, rows=(Row(S.OFF, E.PRESS, level > 0, {}, Mute.SHINE, S.ON), TURN_OFF))


def test_rows_use_only_what_the_machine_declares() -> None:
    class Other(State):
        OFF = "dark"

    refused("OFF belongs to another machine", rows=(TURN_ON, Row(S.ON, E.PRESS, ALWAYS, {}, NOTHING, Other.OFF)))
    refused("register level is not declared", registers=(Reg("level", bits=8),))
    strange = Reg("strange")
    refused("register strange is not declared", rows=(TURN_ON, Row(S.ON, E.PRESS, strange > 1, {}, NOTHING, S.OFF)))


def test_a_row_has_no_more_effects_than_c_can_return() -> None:
    five = Row(S.OFF, E.PRESS, level > 0, {}, (D.SHINE,) * 5, S.ON)
    refused("more than 4 effects", rows=(five, TURN_OFF))


@pytest.mark.parametrize("name", ["Lamp", "2lamp", "lamp-one", ""])
def test_a_machine_has_a_name_for_c(name: str) -> None:
    refused("a machine's name is lower case", name=name)


@pytest.mark.parametrize("name", ["state", "arg", "while", "Level", "1st"])
def test_a_register_has_a_name_for_c(name: str) -> None:
    named = Reg(name, bits=8)
    rows = (Row(S.OFF, E.PRESS, named > 0, {}, D.SHINE, S.ON), TURN_OFF)
    refused("not a name that C can use", registers=(named,), rows=rows)


def test_registers_have_one_name_each_a_width_and_a_start_that_fits() -> None:
    refused("declared twice", registers=(level, Reg("level", bits=8)))
    for wrong in (Reg("level", bits=12), Reg("level", start=256, bits=8), Reg("level", start=-1, bits=8)):
        rows = (Row(S.OFF, E.PRESS, wrong > 0, {}, D.SHINE, S.ON), TURN_OFF)
        refused("register level: start", registers=(wrong,), rows=rows)


def test_names_in_c_are_unique_over_all_machines() -> None:
    from sdcore.protocol.gen_machines import MachinePrinter

    names = [name for m in MACHINES for _, members in MachinePrinter(m).enums() for name, _ in members]
    assert len(names) == len(set(names))
