"""Processes in a row, pipelines and proxies: on one host, between hosts, on kernel TCP, and when one is killed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sdsim.run import Run, run
from sdsim.scenario import Scenario
from sdsim.scenario_file import load

LONG = "workload.count=1000"
"""A source that is done before its connection is accepted takes the offer back, and kernel TCP carries the rest."""


def play(kind: str, *changes: str, faults: Sequence[dict[str, object]] = (), seed: int = 1) -> Run:
    """Run a bundled chain."""
    scenario = load(kind, ["workload.count=40", *changes])
    content = scenario.model_dump(mode="json") | {"fault": list(faults)}
    return run(Scenario.model_validate(content, strict=False), seed=seed)


@pytest.mark.parametrize("hosts", [1, 3])
def test_every_message_passes_every_stage_of_a_pipeline(hosts: int) -> None:
    done = play("pipeline", "workload.stages=5", f"site.hosts={hosts}", LONG)
    assert (done.result.messages, done.result.modes, done.result.faults) == (1000, {"ring": 4}, {})
    assert len(done.result.latencies_ps) == 1000


def test_a_slow_stage_sets_the_pace_of_a_pipeline() -> None:
    done = play("pipeline", "workload.work_ns=2000", "workload.count=400")
    assert done.result.messages_per_second == pytest.approx(1e9 / 2000, rel=0.15)


@pytest.mark.parametrize("hosts", [1, 3])
def test_every_request_comes_back_through_the_chain_of_proxies(hosts: int) -> None:
    done = play("proxy-chain", f"site.hosts={hosts}", "workload.clients=3")
    assert (done.result.messages, done.result.faults) == (3 * 40 * 2, {})
    assert done.result.connections == 3 * 3


def test_each_server_of_a_chain_adds_the_same() -> None:
    one, two, three = (
        play("proxy-chain", "workload.clients=1", f"workload.servers={servers}").result.mean_us for servers in (1, 2, 3)
    )
    assert three - two == pytest.approx(two - one, rel=0.1)


@pytest.mark.parametrize("kind", ["pipeline", "proxy-chain"])
def test_chains_run_on_kernel_tcp_as_well_and_slower(kind: str) -> None:
    ours, kernel = play(kind, LONG).result, play(kind, LONG, "library.accelerated=false").result
    assert kernel.messages == ours.messages
    assert "ring" not in kernel.modes
    assert kernel.mean_us > 2 * ours.mean_us


@pytest.mark.parametrize("process", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["pipeline", "proxy-chain"])
def test_whichever_process_is_killed_no_law_is_broken_and_the_others_end(kind: str, process: int) -> None:
    whole = play(kind, "workload.work_ns=500", "workload.size=4096").result
    for at_us in (200, 255, 270, 300):
        fault = {"verb": "kill", "at_us": at_us, "process": process}
        done = play(kind, "workload.work_ns=500", "workload.size=4096", faults=[fault])
        assert done.result.messages <= whole.messages
