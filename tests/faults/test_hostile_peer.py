"""A peer that writes garbage into shared memory costs itself the connection, and nobody else anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.parts import Client, Server, project_environment
from tests.support.host import ROOT, Host
from tests.support.processes import Processes, free_port, wait_until

SECONDS = 2.0
BYTES = 200_000
ANSWER_S = 10.0
HELD_UP_S = 0.5
SEEDS = (0, 1)


def hostile(
    host: Host, processes: Processes, role: str, port: int, seed: int, *, last: float = SECONDS
) -> subprocess.Popen[bytes]:
    """Start the attacker."""
    words = [sys.executable, "-m", "tests.faults.hostile", role, str(port), str(seed), str(last)]
    return processes.start(words, project_environment(host), cwd=ROOT)


def cpu_seconds(pid: int) -> float:
    """Time that a process has used until now."""
    columns = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(columns[11]) + int(columns[12])) / 100


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["echo_server.py", "threaded_server.py"])
def test_server_survives_a_hostile_client(kind: str, seed: int, own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    server = Server(own_host, processes, kind)
    with Client(own_host) as honest:
        honest.must("open", "long", server.port)
        attacker = hostile(own_host, processes, "client", server.port, seed)
        turns = 0
        while attacker.poll() is None:
            honest.must("echo", "long", BYTES)
            honest.must("open", "short", server.port)
            honest.must("echo", "short", 1000)
            honest.must("close", "short")
            turns += 1
            assert server.process.poll() is None, f"the server died: {server.process.returncode}"
        assert attacker.returncode == 0
        accelerated = re.findall(r"accelerated (\d+)", processes.log(attacker))
        assert accelerated, processes.log(attacker)
        assert int(accelerated[0]) > 0, "the attack did not reach shared memory"
        assert turns > 3
        before = own_host.sums().shm_bytes
        honest.must("echo", "long", BYTES)
        honest.must("open", "new", server.port)
        honest.must("echo", "new", BYTES)
        honest.must("close", "new")
        wait_until(lambda: own_host.sums().shm_bytes - before >= 2 * BYTES, "new connections are accelerated")
    used = cpu_seconds(server.process.pid)
    time.sleep(1)
    assert cpu_seconds(server.process.pid) - used < 0.2, "the server spins"


def test_no_word_alone_leaves_a_thread_behind(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    server = Server(own_host, processes, "threaded_server.py")
    attacker = hostile(own_host, processes, "words", server.port, 1, last=server.process.pid)
    assert attacker.wait(60) == 0, processes.log(attacker)
    *stuck, last = processes.log(attacker).splitlines()
    assert not stuck, "\n".join(stuck)
    assert int(last.split()[1]) > 500, "the attack did not reach shared memory"
    assert server.process.poll() is None


def test_a_peer_that_forwards_for_ever_delays_nobody(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    server = Server(own_host, processes)
    with Client(own_host) as honest:
        honest.must("open", "long", server.port)
        attacker = hostile(own_host, processes, "hold", server.port, 1, last=20)
        longest = 0.0
        while attacker.poll() is None:
            before = time.monotonic()
            honest.must("echo", "long", 1000)
            longest = max(longest, time.monotonic() - before)
        assert processes.log(attacker).split() == ["accelerated", "20"]
        assert longest < HELD_UP_S


def test_a_peer_that_never_reads_its_bells_delays_nobody(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    server = Server(own_host, processes)
    with Client(own_host) as honest:
        honest.must("open", "long", server.port)
        attacker = hostile(own_host, processes, "deaf", server.port, 1, last=300)
        longest = 0.0
        while attacker.poll() is None:
            before = time.monotonic()
            honest.must("echo", "long", 1000)
            longest = max(longest, time.monotonic() - before)
            time.sleep(0.01)  # the next one wakes the server
        _, answered, _, accelerated = processes.log(attacker).split()
        assert (accelerated, int(answered) > 200) == ("1", True)
        assert longest < HELD_UP_S
    descriptors = os.listdir(f"/proc/{server.process.pid}/fd")
    assert len(descriptors) < 30


def test_bytes_go_to_no_descriptor_that_a_peer_names(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    server = Server(own_host, processes, "passing_server.py")
    with Client(own_host) as honest:
        honest.must("open", "good", server.port)
        honest.must("echo", "good", 1000)
        attacker = hostile(own_host, processes, "liar", server.port, 1, last=server.process.pid)
        assert attacker.wait(30) == 0, processes.log(attacker)
        assert int(processes.log(attacker).split()[1]) > 3
        for _ in range(3):
            honest.must("echo", "good", 1000)  # compares what comes back
    assert server.process.poll() is None


@pytest.mark.parametrize("seed", SEEDS)
def test_client_survives_a_hostile_server(seed: int, own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    server = Server(own_host, processes)
    port = free_port()
    attacker = hostile(own_host, processes, "server", port, seed)
    wait_until(lambda: "listening" in processes.log(attacker), "the attacker listens")
    with Client(own_host) as honest:
        honest.must("open", "good", server.port)
        while attacker.poll() is None:
            honest.start("open", "bad", port)
            if honest.answer(ANSWER_S) == "ok":
                honest.start("echo", "bad", 20_000)
                honest.answer(ANSWER_S)  # whatever it is, it comes
                honest.must("close", "bad")
            honest.must("echo", "good", BYTES)
            assert honest.process.poll() is None
        accelerated = re.findall(r"accelerated (\d+)", processes.log(attacker))
        assert accelerated, processes.log(attacker)
        assert int(accelerated[0]) > 0, "the attack did not reach shared memory"
        honest.must("echo", "good", BYTES)
