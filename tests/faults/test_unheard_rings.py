"""Who sleeps looks by himself now and then: a ring may not reach him, and he must not sleep for good."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

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


def ip(*words: str) -> None:
    """Run `ip`; it must succeed."""
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def namespaces() -> Iterator[tuple[str, str]]:
    """Two, with a cable between them; the first has the address 10.213.0.1."""
    if shutil.which("ip") is None:
        pytest.skip("ip is not installed (package iproute2)")
    names = (f"sd-{os.getpid()}-one", f"sd-{os.getpid()}-two")
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", "sd0", "netns", names[0], "type", "veth", "peer", "sd0", "netns", names[1])
        for number, name in enumerate(names, 1):
            ip("-n", name, "addr", "add", f"10.213.0.{number}/24", "dev", "sd0")
            ip("-n", name, "link", "set", "sd0", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False)


@root
@pytest.mark.parametrize("joined", [True, False], ids=["joined", "strangers"])
def test_namespaces_share_memory_if_the_policy_joins_them_and_else_never(
    joined: bool, namespaces: tuple[str, str], processes: Processes
) -> None:
    host = Host(config=f"[policy]\nallow_namespaces = {str(joined).lower()}\n")
    try:
        host.start_monitor()
        inside = [["ip", "netns", "exec", name] for name in namespaces]
        server = processes.start([*inside[0], *script("late_server.py", "7400", "10.213.0.1")], host.environment(True))
        wait_until(lambda: host.status()["listeners"] == 1, "the monitor knows the listener")
        asker = processes.start([*inside[1], *script("late_asker.py", "7400", "10.213.0.1")], host.environment(True))
        assert asker.wait(30) == 0, processes.log(asker)
        assert server.wait(5) == 0, processes.log(server)
        host.wait_alone()
        moved = host.sums()
        assert (moved.shm_bytes, moved.tcp_bytes) == ((12, 0) if joined else (0, 12))
    finally:
        host.close()
