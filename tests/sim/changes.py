"""Tables with one row changed, as mutants of the protocol."""

from __future__ import annotations

from collections.abc import Callable

from sdcore.protocol.kit import Event, Machine, Row, State


def changed(machine: Machine, state: State, event: Event, replace: Callable[[Row], Row]) -> Machine:
    """Return the machine with its rows for one state and event replaced; unchecked, for a mutant may be absurd."""
    return with_rows(
        machine,
        tuple(replace(row) if (row.state, row.event) == (state, event) else row for row in machine.rows),
    )


def with_rows(machine: Machine, rows: tuple[Row, ...]) -> Machine:
    """Return a machine with other rows, without the checks of a definition."""
    made = object.__new__(Machine)
    for name in ("name", "doc", "State", "Event", "Do", "registers"):
        object.__setattr__(made, name, getattr(machine, name))
    groups: dict[tuple[object, object], tuple[Row, ...]] = {}
    for row in rows:
        groups[row.state, row.event] = (*groups.get((row.state, row.event), ()), row)
    object.__setattr__(made, "rows", rows)
    object.__setattr__(made, "groups", groups)
    return made
