"""Every scenario prints under the library what it prints on the kernel."""

from __future__ import annotations

from difflib import unified_diff
from functools import cache
from pathlib import Path

import pytest

from tests.semantics.scenarios import Scenario, Variant, run, scenarios, variants
from tests.support.host import Host, Sums
from tests.support.processes import Outcome, Processes

# What the checked and 64-bit names of libc could change: everything that moves bytes or waits.
FORTIFIED_FILES = {"transfer", "polling", "rawcalls"}

# What is known to differ, and stands in docs/reference/limitations.md: the tests insist that it still does.
KNOWN_TO_DIFFER = {"epoll_set_changed_by_a_child"}

CASES = [(scenario, variant) for scenario in scenarios() for variant in variants(scenario)]


@cache
def on_the_kernel(program: Path, scenario: Scenario, end: str, host: Host) -> Outcome:
    """The reference. On the kernel it makes no difference where the puppet is, so one run serves all variants."""
    plain = host.environment(shim=False)
    with Processes(program.parent) as processes:
        outcome = run(program, scenario, Variant(end, "other"), processes, env=plain)
    assert outcome.code == 0, f"the scenario fails on the kernel: {outcome}"
    assert outcome.output.endswith(f"end of {scenario.name}\n")
    return outcome


def difference(expected: Outcome, outcome: Outcome) -> str:
    """What a reader of the failure wants to see: the lines that differ, and how the program ended."""
    lines = unified_diff(
        expected.output.splitlines(), outcome.output.splitlines(), "kernel", "sdcore", lineterm="", n=2
    )
    ending = "killed after its time" if outcome.code is None else f"exit code {outcome.code}"
    return "\n".join(["not as on the kernel", *lines, ending, outcome.errors])


def check_transport(scenario: Scenario, variant: Variant, moved: Sums) -> None:
    """A scenario that passes only because its connection fell back to kernel TCP proves nothing."""
    if variant.puppet == "plain":
        return
    if scenario.transport != "ANY":
        assert moved.shm_bytes > 0, f"nothing went by shared memory: {moved}"
    if scenario.transport == "RING":
        assert moved.tcp_bytes == 0, f"some bytes went by kernel TCP: {moved}"


def check(program: Path, scenario: Scenario, variant: Variant, host: Host, processes: Processes) -> None:
    """Run a scenario on the kernel and under the library, and compare."""
    expected = on_the_kernel(program, scenario, variant.end, host)
    before = host.sums()
    shim = host.environment(shim=True)
    puppet_env = host.environment(shim=variant.puppet == "other")
    outcome = run(program, scenario, variant, processes, env=shim, puppet_env=puppet_env)
    if scenario.name in KNOWN_TO_DIFFER and variant.puppet != "plain":
        assert outcome.output != expected.output, "no longer differs: take it out of KNOWN_TO_DIFFER and the page"
        return
    if outcome.output != expected.output:
        pytest.fail(difference(expected, outcome), pytrace=False)
    assert (outcome.code, outcome.errors) == (0, "")
    host.wait_alone()
    check_transport(scenario, variant, host.sums().since(before))


@pytest.mark.parametrize(("scenario", "variant"), CASES, ids=str)
def test_as_on_the_kernel(
    scenario: Scenario, variant: Variant, program: Path, host: Host, processes: Processes
) -> None:
    check(program, scenario, variant, host, processes)


@pytest.mark.parametrize(
    "scenario", [scenario for scenario in scenarios(FORTIFIED_FILES) if not scenario.other_only], ids=str
)
def test_fortified_as_on_the_kernel(
    scenario: Scenario, fortified_program: Path, host: Host, processes: Processes
) -> None:
    check(fortified_program, scenario, Variant("accepted", "own"), host, processes)


def test_a_difference_is_seen(program: Path, host: Host, processes: Processes) -> None:
    names = {scenario.name: scenario for scenario in scenarios()}
    accepted = on_the_kernel(program, names["names_ipv4"], "accepted", host)
    assert accepted.output != on_the_kernel(program, names["names_ipv6"], "accepted", host).output
    with pytest.raises(AssertionError, match="nothing went by shared memory"):
        check_transport(names["names_ipv4"], Variant("accepted", "other"), Sums(0, 100, {}))
