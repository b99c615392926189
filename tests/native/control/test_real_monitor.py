"""The library's control plane and the monitor of this project, together."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdcore.monitor import launch
from sdcore.monitor.control import Control, NoMonitor
from sdcore.monitor.paths import RuntimeDir
from tests.native.control.driven import Driven

LOOK_S = 1.1


class RealMonitor:
    """A monitor in a process of its own."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = RuntimeDir(runtime)
        self._process = subprocess.Popen(
            launch.command(self._runtime, detach=False), env=launch.environment({}), stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                Control(self._runtime).__exit__()
            except NoMonitor:
                assert time.monotonic() < deadline
                assert self._process.poll() is None
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()


@pytest.fixture
def start_real(runtime_dir: Path) -> Iterator[Callable[[], RealMonitor]]:
    """Start monitors; all are killed at the end."""
    started: list[RealMonitor] = []

    def start() -> RealMonitor:
        started.append(RealMonitor(runtime_dir))
        return started[-1]

    yield start
    for monitor in started:
        monitor.kill()


def until(condition: Callable[[], bool], process: Driven, seconds: float = 5) -> None:
    """Look now and then until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        process.sleep(0.1)
        process.ask("look")


def test_client_and_server_meet_in_one_slab(
    start_real: Callable[[], RealMonitor], server: Driven, process: Driven
) -> None:
    start_real()
    assert process.lease(7) == "peer_plain"
    listening = server.listen()
    assert listening.listener_id != 0
    lease = process.granted(listening.port)
    assert lease.listener_id == listening.listener_id
    assert server.leases(listening) == [lease.lease_id]
    further = process.granted(listening.port, full=lease)
    assert server.leases(listening) == [further.lease_id, lease.lease_id]


def test_a_refusal_ends_when_the_listener_comes(
    start_real: Callable[[], RealMonitor], server: Driven, process: Driven
) -> None:
    start_real()
    first = server.listen()
    server.ask(f"unlisten {first.fd}")
    assert process.lease(first.port) == "peer_plain"
    second = server.listen(first.port)
    assert process.granted(first.port).listener_id == second.listener_id


def test_the_death_of_a_client_gives_its_slab_back(
    start_real: Callable[[], RealMonitor], harness: Path, environment: dict[str, str], server: Driven
) -> None:
    start_real()
    listening = server.listen()
    with Driven(harness, environment) as client:
        lease = client.granted(listening.port)
        assert server.leases(listening) == [lease.lease_id]
    until(lambda: server.leases(listening) == [], server, seconds=8)
    assert server.counts()[1] == 0


def test_a_client_finds_a_listener_that_moved_to_a_new_monitor(
    start_real: Callable[[], RealMonitor], server: Driven, process: Driven
) -> None:
    first = start_real()
    listening = server.listen()
    lease = process.granted(listening.port)
    first.kill()
    assert process.granted(listening.port) == lease, "what was granted goes on"
    start_real()
    for each in (process, server):
        each.sleep(LOOK_S)
        each.ask("look")
        assert each.process_id() == 0, "it noticed that the monitor is gone"
        until(lambda each=each: each.process_id() != 0, each)  # type: ignore[misc]
    assert process.granted(listening.port) == lease
    fresh = process.granted(server.listen().port)
    assert fresh.place != lease.place


def test_a_forked_server_serves_by_itself(
    start_real: Callable[[], RealMonitor], server: Driven, process: Driven
) -> None:
    start_real()
    listening = server.listen()
    server.fork()
    lease = process.granted(listening.port)
    assert server.leases(listening) == [lease.lease_id]
    server.end_child()
    assert server.leases(listening) == [lease.lease_id]
