"""Python and C take the same steps: every machine, every row; and any fault of the generator would be noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdcore.protocol import gen_machines
from sdcore.protocol.gen_machines import MachinePrinter
from sdcore.protocol.kit import Machine
from sdcore.protocol.machines import MACHINES
from tests.property.agreement import check_agreement
from tests.property.c_machines import CLibrary
from tests.property.mutants import MUTANTS
from tests.property.trial_machine import TRIAL

ALL = (*MACHINES, TRIAL)


def library_of(folder: Path, printer: type[MachinePrinter], *flags: str) -> CLibrary:
    """Compile what a printer makes of all machines."""
    header = folder / "machines.h"
    header.write_text(gen_machines.header(ALL, printer))
    return CLibrary(header, folder, ALL, printer, flags)


def is_noticed(machine: Machine, library: CLibrary) -> bool:
    """Whether the agreement test fails."""
    try:
        check_agreement(machine, library)
    except AssertionError:
        return True
    return False


def printed(machine: Machine, printer: type[MachinePrinter]) -> str:
    """The C text of one machine."""
    return gen_machines.header([machine], printer)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_python_and_committed_c_take_the_same_steps_in_every_row(machine: Machine, committed: CLibrary) -> None:
    taken = check_agreement(machine, committed)
    assert [row for row in machine.rows if row not in taken] == []


def test_python_and_c_agree_on_everything_the_kit_can_say(tmp_path: Path) -> None:
    taken = check_agreement(TRIAL, library_of(tmp_path, MachinePrinter, "-O2", "-Wall", "-Wextra", "-Werror"))
    assert [row for row in TRIAL.rows if row not in taken] == []


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_tables_of_names_follow_the_numbers(machine: Machine, committed: CLibrary) -> None:
    assert committed.names(f"sd_{machine.name}_state_name", len(machine.State)) == [s.name for s in machine.State]
    assert committed.names(f"sd_{machine.name}_event_name", len(machine.Event)) == [e.name for e in machine.Event]
    effects = committed.names(f"sd_{machine.name}_effect_name", len(machine.Do) + 1)
    assert effects == ["", *(d.name for d in machine.Do)]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_fault_of_the_generator_is_noticed_in_every_machine_that_it_changes(
    mutant: type[MachinePrinter], tmp_path: Path
) -> None:
    changed = [machine for machine in ALL if printed(machine, mutant) != printed(machine, MachinePrinter)]
    meant = [machine for machine in changed if not getattr(mutant, "harmless", {}).get(machine.name)]
    assert meant, "the mutant changes nothing"
    library = library_of(tmp_path, mutant, "-w")
    for machine in meant:
        assert is_noticed(machine, library), f"not noticed in {machine.name}"


def test_what_is_no_event_or_no_state_has_no_row(committed: CLibrary) -> None:
    for machine in MACHINES:
        c = committed.start(machine)
        before = c.snapshot()
        for event in (len(machine.Event), len(machine.Event) + 1, 0xFFFFFFFF):
            assert c.feed(event, 0) is None
        assert c.snapshot() == before
        c.place({"state": len(machine.State)})
        assert [c.feed(event.number, 1) for event in machine.Event] == [None] * len(machine.Event)
