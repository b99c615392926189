"""The monitor's life, step by step: what carries connections while it is gone, and what it remembers of the dead."""

from __future__ import annotations

import pytest

from sdcore.protocol.attach import ATTACH, AttachEvent, AttachState
from sdsim.costs import costs_of
from sdsim.mutate import EQUIVALENT, mutants_of
from sdsim.scenes import SCENES, play
from sdsim.world import TABLES, Settings, Violation

COSTS = costs_of("paper-2019")

NOTES = {
    # an old lease goes on, a new destination does not; then all attach again, and listeners are known again
    "monitor_returns": ["ring", "ring", *3 * ["kernel"], *6 * ["ring"], "4 processes, 2 listeners, 5 slabs, 5 leases"],
    "client_dies": [
        "ring", "1 processes, 1 listeners, 0 slabs, 0 leases",
        "1 processes, 1 listeners, 1 slabs, 1 leases", "1 bytes of the dead",
        "1 processes, 1 listeners, 0 slabs, 0 leases",
    ],
    "monitor_dies_while_listeners_come_back": ["ring", "ring"],
    "more_is_asked_for_than_there_is": ["1 of 10", "2 of 2", "1 of 10", "2 of 2", "3 of 9"],
    "more_than_a_slab": ["512 of 515 by rings", "ring"],
    "slow_server": ["1 byte, ring", "ring"],
    "stranger_accepts": 2 * ["kernel, kernel, kernel", "1 byte", "ring"],
}  # fmt: skip


@pytest.mark.parametrize("name", NOTES)
def test_a_scene_ends_as_it_must(name: str) -> None:
    assert play(name, Settings(costs=COSTS)).notes == NOTES[name]


@pytest.mark.parametrize("name", SCENES)
def test_every_scene_comes_to_its_end(name: str) -> None:
    assert "not over" not in play(name, Settings(costs=COSTS)).notes


def test_who_is_not_attached_must_not_ask() -> None:
    row = next(row for row in ATTACH.rows if (row.state, row.event) == (AttachState.LOST, AttachEvent.NEED))
    (dropped,) = (mutant for mutant in mutants_of(ATTACH) if mutant.row is row and mutant.kind == "effects dropped")
    with pytest.raises(Violation, match="only the attached ask"):
        play("monitor_returns", Settings(costs=COSTS, tables={**TABLES, "attach": dropped.table}))


def test_every_excuse_names_a_mutant() -> None:
    known = {(f"{name} {mutant.row}", mutant.kind) for name in TABLES for mutant in mutants_of(TABLES[name])}
    assert set(EQUIVALENT) <= known
