"""Who sleeps looks by himself now and then: a ring may not reach him, and he must not sleep for good."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.faults.parts import script
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening, wait_until

root = pytest.mark.skipif(os.geteuid() != 0, reason="making a network namespace takes root")


@root
@pytest.mark.parametrize("how", ["recv", "poll", "epoll"])
def test_a_thread_in_another_network_namespace_does_not_sleep_for_good(
    how: str, host: Host, processes: Processes
) -> None:
    before, port = host.sums(), free_port()
    server = processes.start(script("late_server.py", str(port), "127.0.0.1"), host.environment(True))
    wait_listening(port, server)
    asker = processes.start(script("elsewhere.py", str(port), how), host.environment(True))
    assert asker.wait(30) == 0, processes.log(asker)
    assert server.wait(5) == 0, processes.log(server)
    host.wait_alone()
    assert host.sums().since(before).tcp_bytes == 0


def inside(holder: subprocess.Popen[bytes], *words: str) -> list[str]:
    """A command in the network namespace that a process holds open."""
    return ["nsenter", f"--net=/proc/{holder.pid}/ns/net", *words]


def is_apart(holder: subprocess.Popen[bytes]) -> bool:
    """Whether it has a network namespace of its own by now."""
    return os.stat(f"/proc/{holder.pid}/ns/net").st_ino != os.stat("/proc/self/ns/net").st_ino


@pytest.fixture
def namespaces(processes: Processes) -> list[subprocess.Popen[bytes]]:
    """Who holds two of them, with a cable in between; the first has the address 10.213.0.1."""
    if shutil.which("ip") is None:
        pytest.skip("ip is not installed (package iproute2)")
    holders = [processes.start(["unshare", "--net", "sleep", "100"], dict(os.environ)) for _ in range(2)]
    wait_until(lambda: all(map(is_apart, holders)), "the namespaces are there")
    cable = ["link", "add", "sd0", "type", "veth", "peer", "name", "sd0", "netns", str(holders[1].pid)]
    subprocess.run(inside(holders[0], "ip", *cable), check=True)
    for number, holder in enumerate(holders, 1):
        subprocess.run(inside(holder, "ip", "addr", "add", f"10.213.0.{number}/24", "dev", "sd0"), check=True)
        subprocess.run(inside(holder, "ip", "link", "set", "sd0", "up"), check=True)
    return holders


@root
@pytest.mark.parametrize("joined", [True, False], ids=["joined", "strangers"])
def test_namespaces_share_memory_if_the_policy_joins_them_and_else_never(
    joined: bool, namespaces: list[subprocess.Popen[bytes]], processes: Processes
) -> None:
    host = Host(config=f"[policy]\nallow_namespaces = {str(joined).lower()}\n")
    try:
        host.start_monitor()
        env = host.environment(True)
        late_server = script("late_server.py", "7400", "10.213.0.1")
        server = processes.start(inside(namespaces[0], *late_server), env)
        wait_until(lambda: host.status()["listeners"] == 1, "the monitor knows the listener")
        asker = processes.start(inside(namespaces[1], *script("late_asker.py", "7400", "10.213.0.1")), env)
        assert asker.wait(30) == 0, processes.log(asker)
        assert server.wait(5) == 0, processes.log(server)
        host.wait_alone()
        moved = host.sums()
        assert (moved.shm_bytes, moved.tcp_bytes) == ((12, 0) if joined else (0, 12))
    finally:
        host.close()
