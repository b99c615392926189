"""Python's multiprocessing over TCP: managers, pools of processes, connections lent to children."""

from __future__ import annotations

import sys

import pytest

from tests.programs.needs import SCRIPTS
from tests.support.combinations import Combination, main_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening

SCRIPT = str(SCRIPTS / "multiprocessing_tcp.py")
MANAGER_BYTES = 6 * 2 * 300_000


def run(combination: Combination, method: str, host: Host, processes: Processes) -> None:
    """Run server and client; check where the bytes went."""
    before = host.sums()
    port = free_port()
    words = [sys.executable, SCRIPT, "server", str(port)]
    wait_listening(port, processes.start(words, host.environment(combination.server)))
    client = [sys.executable, SCRIPT, "client", str(port), method]
    assert processes.check(client, host.environment(combination.client)) == "done\n"
    moved = host.printed_sums().since(before)
    if combination.accelerated:
        assert moved.shm_bytes >= 2 * MANAGER_BYTES, moved
    elif combination.client:  # the client's processes talk to each other, too
        assert moved.shm_bytes > 0, moved
        assert moved.tcp_bytes >= MANAGER_BYTES, moved
    else:
        combination.check(moved)


@main_combination
def test_forked_pool(combination: Combination, host: Host, processes: Processes) -> None:
    run(combination, "fork", host, processes)


@main_combination
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_pool_of_new_programs(combination: Combination, method: str, host: Host, processes: Processes) -> None:
    """The lent connection goes to the child by SCM_RIGHTS here."""
    run(combination, method, host, processes)
