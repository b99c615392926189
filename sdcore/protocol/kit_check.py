"""What a table must satisfy before it is a machine. Each law has a function; its error names machine and row.

Whether a guard can hold is decided by trial: every register and `arg` takes each value near a number of the table and
near both ends of its width, in all combinations. For guards that compare sums of registers, numbers and `arg`, as ours
do, these values reach every side of every comparison.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sdcore.protocol.expr import ALWAYS, MASK, Arg, DefinitionError, Expr, Number, Reg

if TYPE_CHECKING:
    from sdcore.protocol.kit import Machine, Row

EFFECTS_MAX = 4
"""Effects of one row: C returns them packed in 32 bits, one a byte."""

_NOT_FOR_REGISTERS = re.compile(
    "state|arg|"
    "auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|inline|int|long|register|"
    "restrict|return|short|signed|sizeof|static|struct|switch|typedef|union|unsigned|void|volatile|while"
)


def check(machine: Machine) -> None:
    """Raise DefinitionError at the first law that the table breaks."""
    for law in (_names, _registers, _rows_are_ours, _rows_stand_together, _all_used, _all_reached, _all_fire):
        law(machine)


def _fail(machine: Machine, what: str) -> None:
    raise DefinitionError(f"{machine.name}: {what}")


def _names(machine: Machine) -> None:
    """Names are what C and the drawings want, and every name is explained."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", machine.name):
        _fail(machine, "a machine's name is lower case")
    for member in itertools.chain(machine.State, machine.Event, machine.Do):
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", member.name):
            _fail(machine, f"{member.name}: names of states, events and effects are upper case")
        if not member.doc.strip():
            _fail(machine, f"{member.name}: no text says what it means or what its handler does")


def _registers(machine: Machine) -> None:
    """Registers have one name each, a width that C has, and a start that fits."""
    names = [reg.name for reg in machine.registers]
    for reg in machine.registers:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", reg.name) or _NOT_FOR_REGISTERS.fullmatch(reg.name):
            _fail(machine, f"register {reg.name}: not a name that C can use")
        if names.count(reg.name) > 1:
            _fail(machine, f"register {reg.name}: declared twice")
        if reg.bits not in (8, 16, 32, 64) or not 0 <= reg.start <= reg.mask:
            _fail(machine, f"register {reg.name}: start {reg.start} in {reg.bits} bits")


def _rows_are_ours(machine: Machine) -> None:
    """Rows use members of the machine's own enumerations and its own registers, and no more effects than C can pack."""
    declared = {id(reg) for reg in machine.registers}
    for row in machine.rows:
        members = [(row.state, machine.State), (row.next, machine.State), (row.event, machine.Event)]
        members += [(effect, machine.Do) for effect in row.effects]
        for member, owner in members:
            if not isinstance(member, owner):
                _fail(machine, f"row {row}: {member!r} belongs to another machine")
        if len(row.effects) > EFFECTS_MAX:
            _fail(machine, f"row {row}: more than {EFFECTS_MAX} effects")
        for reg in row.set.keys() | {leaf for leaf in _leaves(row) if isinstance(leaf, Reg)}:
            if id(reg) not in declared:
                _fail(machine, f"row {row}: register {reg} is not declared")


def _rows_stand_together(machine: Machine) -> None:
    """Rows of one state and event may overlap, for their order decides; so the order must be seen at one glance."""
    pairs = [(row.state, row.event) for row in machine.rows]
    runs = [pair for pair, _ in itertools.groupby(pairs)]
    for state, event in runs:
        if runs.count((state, event)) > 1:
            _fail(machine, f"rows for {event.name} in {state.name} do not stand together")


def _all_used(machine: Machine) -> None:
    """Every event, effect and register occurs in some row."""
    events = {row.event for row in machine.rows}
    effects = {effect for row in machine.rows for effect in row.effects}
    registers = {leaf for row in machine.rows for leaf in _leaves(row) if isinstance(leaf, Reg)}
    for kind, declared, used in (
        ("event", list(machine.Event), events),
        ("effect", list(machine.Do), effects),
        ("register", list(machine.registers), registers),
    ):
        for item in declared:
            if item not in used:
                _fail(machine, f"{kind} {getattr(item, 'name', item)} is never used")


def _all_reached(machine: Machine) -> None:
    """Every state can be reached from the first."""
    reached, frontier = set(), [next(iter(machine.State))]
    while frontier:
        state = frontier.pop()
        if state not in reached:
            reached.add(state)
            frontier += [row.next for row in machine.rows if row.state is state]
    for state in machine.State:
        if state not in reached:
            _fail(machine, f"state {state.name} cannot be reached")


def _all_fire(machine: Machine) -> None:
    """Every row is the first that holds, for some values."""
    for rows in machine.groups.values():
        waiting = list(rows)
        for values, argument in trials(machine, rows):
            first = next((row for row in rows if row.if_.evaluate(values, argument)), None)
            if first in waiting:
                waiting.remove(first)
            if not waiting:
                break
        if waiting:
            index = rows.index(waiting[0])
            behind = any(row.if_ is ALWAYS for row in rows[:index])
            why = "it stands behind a row that always holds" if behind else "the rows above cover its guard"
            _fail(machine, f"row {waiting[0]} can never fire: {why}")


def trials(machine: Machine, rows: Sequence[Row]) -> Iterator[tuple[dict[str, int], int]]:
    """Registers and argument at the boundaries of these rows' guards, in all combinations."""
    read = {leaf for row in rows for leaf in row.if_.leaves()}
    registers = [reg for reg in machine.registers if reg in read]
    rest = {reg.name: reg.start for reg in machine.registers}
    columns = [boundaries(read, reg.mask) for reg in registers]
    columns.append(boundaries(read, MASK) if any(isinstance(leaf, Arg) for leaf in read) else [0])
    for *values, argument in itertools.product(*columns):
        yield rest | {reg.name: value for reg, value in zip(registers, values, strict=True)}, argument


def boundaries(leaves: Iterable[Expr], mask: int) -> list[int]:
    """Values worth trying: small ones, both ends of the width, and around every number of the table."""
    middles = {0, 2, mask // 2, mask} | {leaf.number for leaf in leaves if isinstance(leaf, Number)}
    return sorted({value for middle in middles for value in (middle - 1, middle, middle + 1) if 0 <= value <= mask})


def _leaves(row: Row) -> Iterator[Expr]:
    yield from row.if_.leaves()
    for reg, value in row.updates:
        yield reg
        yield from value.leaves()
