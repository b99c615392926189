"""Every scenario prints under the library what it prints on the kernel."""

from __future__ import annotations

from dataclasses import replace
from difflib import unified_diff
from functools import cache
from pathlib import Path

import pytest

from tests.semantics.scenarios import Scenario, Variant, run, scenarios, unix_variants, variants
from tests.support.host import Host, Sums
from tests.support.processes import Outcome, Processes

# What the checked and 64-bit names of libc could change: everything that moves bytes or waits.
FORTIFIED_FILES = {"transfer", "polling", "rawcalls"}

# What is known to differ, and stands in docs/reference/limitations.md: the tests insist that it still does.
KNOWN_TO_DIFFER = {"epoll_set_changed_by_a_child"}

# What makes its connections itself, or asks for what TCP alone has: nothing of it would go over AF_UNIX.
TCP_FILES = {"connecting", "info"}

# What does not come to its end over AF_UNIX on the kernel: it sends more than a Unix connection holds before anybody
# reads, or meets an end, or a flag, that means something else there.
TCP_ONLY = {
    "a_megabyte_to_oneself",
    "a_quarter_megabyte_to_oneself",
    "address_arguments_of_a_stream",
    "bytes_after_we_shut_both_ways_reset",
    "bytes_from_before_we_shut_both_ways_are_read",
    "drained_with_bytes_unread",
    "drained_with_bytes_unread_at_both_ends",
    "drained_with_the_last_bytes_of_a_closed_peer",
    "error_queue_is_empty",
    "put_there_before_the_close_for_a_late_reader",
    "reading_shut_first_refuses_as_well",
    "send_buffer_made_small_while_full",
    "sendfile_to_a_peer_that_shut_both_ways",
    "sent_again_after_the_close_for_a_late_reader",
    "sent_again_after_the_end_was_said",
    "sent_again_before_the_close",
    "sent_again_before_the_end",
    "shutdown_read",
    "unread_bytes_and_the_end_follow_at_once",
    "unread_bytes_of_a_peer_that_has_closed",
    "unread_bytes_of_a_peer_that_was_killed",
}

# As on the limitations page: what SIOCOUTQ counts, how much is under way, and memory that is not the program's. And how
# often the kernel tells an edge of room there is chance: once for each packet that the reader takes.
UNIX_DIFFERS = {
    "bytes_that_the_peer_could_take_are_not_unsent",
    "epoll_edge_out_after_drain",
    "nobody_reads_until_full",
    "trunc_throws_away",
}

# What an option moves to the kernel there.
UNIX_MOVES = {
    "blocked_recv_waits_for_the_mark",
    "end_and_timeout_come_before_the_mark",
    "epoll_knows_the_mark",
    "look_waits_for_the_mark",
    "low_water_mark",
    "mark_set_while_bytes_are_known",
    "recv_of_less_than_the_mark_waits_for_what_it_asks",
    "timeout_gives_what_came_while_it_waited_for_the_mark",
}

UNIX_FILES = {"unixes"}

UNIX_CASES = [
    (scenario, variant)
    for scenario in scenarios()
    if scenario.file not in TCP_FILES and scenario.name not in TCP_ONLY | UNIX_DIFFERS
    for variant in unix_variants(scenario)
]

CASES = [
    (scenario, variant) for scenario in scenarios() if scenario.file not in UNIX_FILES for variant in variants(scenario)
]


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


def check(program: Path, scenario: Scenario, variant: Variant, host: Host, processes: Processes) -> Sums:
    """Run a scenario on the kernel and under the library, and compare. Returns what it moved there."""
    expected = on_the_kernel(program, scenario, variant.end, host)
    before = host.sums()
    shim = host.environment(shim=True)
    puppet_env = host.environment(shim=variant.puppet == "other")
    outcome = run(program, scenario, variant, processes, env=shim, puppet_env=puppet_env)
    if scenario.name in KNOWN_TO_DIFFER and variant.puppet != "plain":
        assert outcome.output != expected.output, "no longer differs: take it out of KNOWN_TO_DIFFER and the page"
        return host.sums().since(before)
    if outcome.output != expected.output:
        pytest.fail(difference(expected, outcome), pytrace=False)
    assert (outcome.code, outcome.errors) == (0, "")
    host.wait_alone()
    moved = host.sums().since(before)
    check_transport(scenario, variant, moved)
    return moved


@pytest.mark.parametrize(("scenario", "variant"), CASES, ids=str)
def test_as_on_the_kernel(
    scenario: Scenario, variant: Variant, program: Path, host: Host, processes: Processes
) -> None:
    check(program, scenario, variant, host, processes)


@pytest.mark.parametrize(("scenario", "variant"), UNIX_CASES, ids=str)
def test_over_unix_as_on_the_kernel(
    scenario: Scenario, variant: Variant, program: Path, host: Host, processes: Processes
) -> None:
    moves = scenario.name in UNIX_MOVES
    moved = check(program, replace(scenario, transport="ANY") if moves else scenario, variant, host, processes)
    assert not moves or "moved_option" in moved.reasons, f"it was never in shared memory: {moved}"


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
