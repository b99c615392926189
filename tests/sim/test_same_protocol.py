"""The simulator has no protocol of its own: it follows whatever the tables say, and its checkers see wrong ones."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.protocol.connection import CLIENT, ClientDo, ClientEvent, ClientState
from sdcore.protocol.kit import Machine, ProtocolError
from sdcore.protocol.machines import MACHINES
from sdcore.protocol.ring import RING_RX, RING_TX, RxEvent, TxEvent, TxState
from sdcore.protocol.teardown import TEARDOWN, TeardownDo, TeardownEvent, TeardownState
from sdsim.clock import Clock
from sdsim.costs import costs_of
from sdsim.journal import Journal
from sdsim.run import Failed, run
from sdsim.scenario_file import load
from sdsim.stepper import Recorded, compiled
from sdsim.tables import with_rows
from sdsim.world import TABLES, Settings
from tests.sim.changes import changed


@given(st.sampled_from(MACHINES), st.data())
def test_compiled_rows_are_the_interpreted_ones(machine: Machine, data: st.DataObject) -> None:
    slow, fast = machine.start(), compiled(machine).start("x")
    numbers = st.one_of(st.integers(0, 3), st.sampled_from([1 << 21, (1 << 64) - 1]))
    for _ in range(30):
        event = data.draw(st.sampled_from(list(machine.Event)))
        arg = data.draw(numbers)
        try:
            effects = slow.feed(event, arg)
        except ProtocolError as error:
            with pytest.raises(type(error)):
                fast.feed(event, arg)
        else:
            assert fast.feed(event, arg) == effects
        assert (fast.state, fast.regs) == (slow.state, slow.regs)


@given(st.sampled_from(MACHINES), st.data())
def test_feeding_often_is_feeding_one_by_one(machine: Machine, data: st.DataObject) -> None:
    numbers = {reg.name: data.draw(st.integers(0, 5)) for reg in machine.registers}
    one, many = (Recorded(compiled(machine), "x", {}, Journal(Clock(), frozenset(), 1, None)) for _ in range(2))
    one.regs.update(numbers)
    many.regs.update(numbers)
    idle = {effects for row in machine.rows if (effects := row.effects) and data.draw(st.booleans())}
    for _ in range(10):
        event, times = data.draw(st.sampled_from(list(machine.Event))), data.draw(st.integers(1, 8))
        fed, effects = 0, ()
        try:
            while fed < times and (not fed or effects in idle):
                effects = one.feed(event)
                fed += 1
        except ProtocolError as error:
            with pytest.raises(type(error)):
                many.feed_while(event, times, idle)
        else:
            assert many.feed_while(event, times, idle) == (effects, fed)
        assert (many.state, many.regs) == (one.state, one.regs)
    assert many.journal.rows == one.journal.rows


def run_with(*machines: Machine, scenario: str = "ping-pong", count: int = 30, seed: int = 1) -> dict[str, int]:
    """Run with some tables replaced; returns what carried the connections."""
    tables = {**TABLES, **{machine.name: machine for machine in machines}}
    settings = Settings(seed=seed, costs=costs_of("paper-2019"), tables=tables)
    return run(load(scenario, [f"workload.count={count}"]), settings=settings, command="again").result.modes


def test_a_changed_row_changes_what_the_simulator_does() -> None:
    refuses = changed(
        CLIENT, ClientState.CONNECTING, ClientEvent.KERNEL_OPEN,
        lambda row: dataclasses.replace(row, do=(ClientDo.FREE_SLOT, ClientDo.USE_KERNEL), next=ClientState.KERNEL),
    )  # fmt: skip
    assert run_with() == {"ring": 1}
    assert run_with(refuses) == {"kernel": 1}


WRONG = {
    "a byte is published twice as free": (
        changed(RING_TX, TxState.STARVED, TxEvent.CREDIT, lambda row: dataclasses.replace(row, set={})),
        "stream",
        3000,
        "credits conserved",
    ),
    "an event has no row": (
        with_rows(RING_RX, tuple(row for row in RING_RX.rows if row.event is not RxEvent.FIN)),
        "ping-pong",
        30,
        "FIN in state DRY",
    ),
    "a slot is not released": (
        changed(
            TEARDOWN, TeardownState.PEER_SHUT, TeardownEvent.CLOSE,
            lambda row: dataclasses.replace(row, do=tuple(e for e in row.effects if e is not TeardownDo.RELEASE_SLOT)),
        ),
        "ping-pong",
        30,
        "everything is released",
    ),
    "a companion stays open": (
        changed(
            TEARDOWN, TeardownState.PEER_SHUT, TeardownEvent.CLOSE,
            lambda row: dataclasses.replace(
                row, do=tuple(e for e in row.effects if e is not TeardownDo.CLOSE_COMPANION)
            ),
        ),
        "ping-pong",
        30,
        "everything is released",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_table_breaks_a_law(name: str) -> None:
    machine, scenario, count, law = WRONG[name]
    with pytest.raises(Failed) as failure:
        run_with(machine, scenario=scenario, count=count)
    text = str(failure.value)
    assert law in text
    assert "seed 1" in text
    assert "last transitions:" in text
    assert "repeat: again" in text


def test_a_run_that_comes_to_no_end_is_stopped_by_its_steps() -> None:
    """Where the length of a run is known, which rows it goes on with makes no difference."""
    settings = Settings(costs=costs_of("paper-2019"), steps_max=5000)
    with pytest.raises(Failed, match=r"progress: .* come to no end"):
        run(load("ping-pong", ["workload.count=2000"]), settings=settings)
    run(load("ping-pong", ["workload.count=20"]), settings=settings)
