"""Tables with one row changed, as mutants of the protocol."""

from __future__ import annotations

from collections.abc import Callable

from sdcore.protocol.kit import Event, Machine, Row, State
from sdsim.tables import with_rows


def changed(machine: Machine, state: State, event: Event, replace: Callable[[Row], Row]) -> Machine:
    """Return the machine with its rows for one state and event replaced; unchecked, for a mutant may be absurd."""
    return with_rows(
        machine,
        tuple(replace(row) if (row.state, row.event) == (state, event) else row for row in machine.rows),
    )
