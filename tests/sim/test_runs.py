"""Runs: the same seed gives the same bytes, every bundled scenario keeps the laws, and what is expected comes out."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from sdcore.protocol.ring import RxEvent, RxState
from sdsim.run import run
from sdsim.scenario import Scenario
from sdsim.scenario_file import bundled, load

SMALL = {
    "many-connections": ["workload.connections=40", "workload.count=2"],
    "crowded-core": ["workload.count=20"],
    "incast": ["workload.connections=15", "workload.count=2"],
    "stream": ["workload.count=300"],
}


def traced(scenario: Scenario, seed: int) -> str:
    """Return the whole trace of a run."""
    out = io.StringIO()
    run(scenario, seed=seed, trace=out)
    return out.getvalue()


@pytest.mark.parametrize("name", bundled())
def test_every_bundled_scenario_keeps_the_laws(name: str) -> None:
    done = run(load(name, SMALL.get(name, ["workload.count=30"])))
    assert done.result.messages > 0
    assert done.result.connections > 0


@pytest.mark.parametrize("name", ["ping-pong", "chaos"])
def test_one_seed_gives_the_same_trace_byte_for_byte(name: str) -> None:
    scenario = load(name, ["workload.count=20"])
    assert traced(scenario, 5) == traced(scenario, 5)


def test_traces_are_the_same_in_two_interpreters() -> None:
    program = "import sys; from sdsim.run import run; from sdsim.scenario_file import load;"
    program += "run(load('chaos', ['workload.count=10']), seed=3, trace=sys.stdout)"
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_other_seeds_give_other_traces() -> None:
    scenario = load("chaos", ["workload.count=20"])
    assert traced(scenario, 1).splitlines()[1:] != traced(scenario, 2).splitlines()[1:]


def test_a_trace_begins_with_the_seed_and_every_option() -> None:
    head = traced(load("ping-pong", ["workload.count=1"]), 9).splitlines()[0]
    assert head.startswith("# sdsim seed=9 profile=paper-2019 ")
    assert "workload.size=8" in head
    assert "library.accelerated=True" in head


def test_chaos_of_many_seeds_breaks_no_law() -> None:
    scenario = load("chaos", ["workload.count=30"])
    faults = 0
    for seed in range(40):
        faults += sum(run(scenario, seed=seed).result.faults.values())
    assert faults > 0


def test_chaos_in_an_epoll_server_breaks_no_law() -> None:
    content = {
        "description": "x",
        "workload": {"kind": "many", "connections": 12, "clients": 3, "count": 20},
        "chaos": {"count": 3, "from_us": 20, "until_us": 400},
    }
    scenario = Scenario.model_validate(content)
    for seed in range(20):
        run(scenario, seed=seed)


def test_without_a_monitor_connections_use_the_kernel() -> None:
    crash = ["workload.count=20", "fault=[{verb='crash-monitor', at_us=0}]"]
    assert run(load("connection-storm", crash)).result.modes == {"kernel": 80}


def test_with_a_monitor_every_connection_uses_the_rings() -> None:
    assert run(load("connection-storm", ["workload.count=20"])).result.modes == {"ring": 80}


def test_the_rings_are_an_order_of_magnitude_faster_than_the_kernel() -> None:
    ring = run(load("ping-pong", ["workload.count=50"])).result.mean_us
    kernel = run(load("ping-pong-linux", ["workload.count=50"])).result.mean_us
    assert kernel > 10 * ring


def test_a_direction_that_moves_keeps_its_bytes_in_order() -> None:
    moves = "fault=[{verb='move', at_us=120, process=1}, {verb='move', at_us=150, process=2}]"
    done = run(load("ping-pong", ["workload.count=300", moves]))
    taken = {(row.state, row.event) for row in done.world.rows}
    assert (RxState.DRY, RxEvent.MOVED) in taken
    assert done.result.messages == 600
    assert not done.result.faults
