"""Tables with other rows: mutants of the protocol, to see that checkers and explorations notice."""

from __future__ import annotations

from sdcore.protocol.kit import Machine, Row


def with_rows(machine: Machine, rows: tuple[Row, ...]) -> Machine:
    """The machine with other rows, without the checks of a definition: a mutant may be absurd."""
    made = object.__new__(Machine)
    for name in ("name", "doc", "State", "Event", "Do", "registers"):
        object.__setattr__(made, name, getattr(machine, name))
    groups: dict[tuple[object, object], tuple[Row, ...]] = {}
    for row in rows:
        groups[row.state, row.event] = (*groups.get((row.state, row.event), ()), row)
    object.__setattr__(made, "rows", rows)
    object.__setattr__(made, "groups", groups)
    return made
