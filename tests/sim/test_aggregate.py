"""The aggregate mode: what it reckons is what simulating every message gives."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from sdsim.aggregate import NotAggregate, total_of
from sdsim.cli import main
from sdsim.run import run
from sdsim.scenario_file import bundled, load

WITHIN = 0.05
LONG = {
    "ping-pong": ("workload.count=20000",),
    "ping-pong-rdma": ("workload.count=8000",),
    "ping-pong-linux": ("workload.count=8000",),
    "stream": ("workload.count=30000", "workload.size=1024"),
    "stream between hosts": ("workload.count=30000", "workload.size=1024", "site.hosts=2"),
    "stream by kernel TCP": ("workload.count=20000", "workload.size=1024", "library.accelerated=false"),
    "many-connections": ("workload.count=200", "workload.connections=200"),
    "mesh": ("workload.count=1000", "workload.connections=4", "site.hosts=4"),
    "connection-storm": ("workload.count=1500",),
    "shared-socket": ("workload.count=8000", "workload.size=1024"),
}


@pytest.mark.parametrize("name", LONG)
def test_what_is_reckoned_is_what_is_simulated(name: str) -> None:
    scenario, changes = name.partition(" ")[0], LONG[name]
    detailed = run(load(scenario, changes))
    reckoned = run(load(scenario, [*changes, "aggregate=true"]))
    assert detailed.estimate is None
    assert reckoned.estimate is not None
    assert reckoned.estimate.messages < detailed.result.messages
    assert reckoned.result.messages == detailed.result.messages
    pairs = [
        (reckoned.ended_ps, detailed.ended_ps),
        (reckoned.result.messages_per_second, detailed.result.messages_per_second),
        (reckoned.result.gbit_per_second, detailed.result.gbit_per_second),
        (reckoned.result.connections, detailed.result.connections),
        (reckoned.result.mean_us, detailed.result.mean_us),
    ]
    for ours, theirs in pairs:
        assert ours == pytest.approx(theirs, rel=WITHIN)


def test_a_short_scenario_is_simulated_whole() -> None:
    done = run(load("ping-pong", ["workload.count=50", "aggregate=true"]))
    assert done.estimate is None
    assert done.result.messages == 100


@pytest.mark.parametrize("name", [name for name in bundled() if name not in ("hundred-million", "trace")])
def test_the_number_of_messages_is_known_beforehand(name: str) -> None:
    scenario = load(name, ["workload.count=3"])
    if scenario.fault or scenario.chaos:
        scenario = scenario.model_copy(update={"fault": (), "chaos": None})
    assert total_of(scenario) == run(scenario).result.messages


def test_a_hundred_million_messages_take_as_long_as_the_rate_needs_to_be_known() -> None:
    done = run(load("hundred-million"))
    assert done.result.messages == 100_000_000
    assert done.estimate is not None
    assert done.estimate.messages < 100_000
    assert done.result.mean_us * 1e6 * 6_250_000 == pytest.approx(done.ended_ps, rel=WITHIN)


def test_a_trace_has_no_rate_that_could_be_reckoned_on() -> None:
    with pytest.raises(NotAggregate, match="a trace has no rate"):
        run(load("trace", ["aggregate=true"]))


def test_faults_cannot_be_reckoned_on() -> None:
    result = CliRunner().invoke(main, ["run", "chaos", "--set", "aggregate=true"])
    assert result.exit_code == 2
    assert "faults" in result.output
