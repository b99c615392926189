"""One script of events for the Python machine and the C machine: they must agree after every event.

Numbers are drawn where guards change their minds: around the registers, around the numbers of the table, and at both
ends of each width. Besides walking, a script sweeps: it jumps to where each row begins, so that rows far from the
start are tried as often as others.
"""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from sdcore.protocol.expr import MASK, Expr
from sdcore.protocol.kit import Event, Machine, ProtocolError, Row
from sdcore.protocol.kit_check import boundaries
from tests.property.c_machines import CLibrary

SWEEPS = 10
"""Over all rows, for each seed: rows that need two numbers to be equal are rare, and Hypothesis likes to draw a seed
again."""

PROFILE = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=20,
    stateful_step_count=12,
    phases=(Phase.generate,),
    print_blob=False,
    suppress_health_check=(HealthCheck.large_base_example,),
)
"""A table of many rows and registers draws much for each example; it is meant to. No shrinking: the rows of these
tables are short enough to be found by eye, and mutants need only be noticed."""


def deciding(machine: Machine, row: Row) -> list[Expr]:
    """What the guards read that decide between this row and its neighbours."""
    return [leaf for other in machine.groups[row.state, row.event] for leaf in other.if_.leaves()]


def agreement(machine: Machine, library: CLibrary, taken: set[Row]) -> type[RuleBasedStateMachine]:
    """A rule-based test of one machine; rows that Python takes are added to `taken`."""
    events = list(machine.Event)
    leaves = [leaf for row in machine.rows for leaf in row.if_.leaves()]
    numbers = st.sampled_from(boundaries(leaves, MASK))
    values = {
        (row, reg.name): boundaries(deciding(machine, row), reg.mask)
        for row in machine.rows
        for reg in machine.registers
    }
    limits = {row: boundaries(deciding(machine, row), MASK) for row in machine.rows}

    def arguments(row: Row, regs: dict[str, int]) -> list[int]:
        """Numbers at the boundaries of a row's guard, and beside the registers and their sums with its numbers."""
        near = {(value + limit) & MASK for value in regs.values() for limit in limits[row]}
        return sorted({*limits[row], *near})

    class Agrees(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.python = machine.start(trace=lambda step: taken.add(step.row))
            self.c = library.start(machine)
            self.compare()

        @rule(seed=st.integers(0, MASK))
        def sweep(self, seed: int) -> None:
            """Put both where each row begins, with drawn registers, and feed its event with a drawn number."""
            draw = Random(seed).choice  # Hypothesis takes longer for so many numbers than both machines
            for row in machine.rows * SWEEPS:
                self.python.state = row.state
                for reg in machine.registers:
                    self.python.regs[reg.name] = draw(values[row, reg.name])
                self.c.place(self.python.snapshot())
                self.feed(row.event, draw(arguments(row, self.python.regs)))

        @rule(event=st.sampled_from(events), arg=numbers)
        def number(self, event: Event, arg: int) -> None:
            """An event with a number that does not depend on the registers."""
            self.feed(event, arg)

        @rule(event=st.sampled_from(events), data=st.data(), near=st.sampled_from((-1, 0, 1)))
        def near(self, event: Event, data: st.DataObject, near: int) -> None:
            """An event with a number at a register's value, or beside it."""
            registers = list(self.python.regs.values()) or [0]
            self.feed(event, (data.draw(st.sampled_from(registers)) + near) & MASK)

        def feed(self, event: Event, arg: int) -> None:
            """Both take the step, or both refuse it; then both stand where they should."""
            expected: tuple[int, ...] | None
            try:
                expected = tuple(effect.number + 1 for effect in self.python.feed(event, arg))
            except ProtocolError:
                expected = None
            assert self.c.feed(event.number, arg) == expected
            self.compare()

        def compare(self) -> None:
            """State and registers are the same."""
            assert self.c.snapshot() == self.python.snapshot()

    return Agrees


def check_agreement(machine: Machine, library: CLibrary) -> set[Row]:
    """Run the test; the rows that were taken."""
    taken: set[Row] = set()
    run_state_machine_as_test(agreement(machine, library, taken), settings=PROFILE)
    return taken
