"""Shared memory, leases and socket objects of the dead are given back."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.faults.parts import Client, Server
from tests.support.host import Host
from tests.support.processes import Processes, kill, wait_until

CLIENTS = 6


def shared_bytes(pid: int) -> tuple[int, int]:
    """How many memfds of ours a process holds open, and how many bytes they have committed."""
    count = committed = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if "memfd:" in os.readlink(entry):
                count += 1
                committed += entry.stat().st_blocks * 512
    return count, committed


def test_everything_comes_back_after_kills(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    assert own_host.monitor is not None
    monitor = own_host.monitor.pid
    server = Server(own_host, processes)
    with Client(own_host) as warm:  # the first lease may leave what every server keeps
        warm.must("open", "a", server.port)
        warm.must("echo", "a", 100_000)
    wait_until(lambda: own_host.status()["leases"] == 0, "the first lease is given back")
    wait_until(lambda: server_is_back(server, 0), "the server's first slab is unmapped")
    before, _ = shared_bytes(monitor)
    for _ in range(3):
        clients = [Client(own_host) for _ in range(CLIENTS)]
        for client in clients:
            client.must("open", "a", server.port)
            client.must("echo", "a", 100_000)
            client.must("open", "b", server.port)
            client.start("echo", "b", 50_000_000)
        assert own_host.status()["leases"] == CLIENTS
        assert shared_bytes(monitor)[0] > before
        for client in clients:
            client.process.send_signal(signal.SIGKILL)
            with client:
                pass
        wait_until(lambda: own_host.status()["leases"] == 0, "all leases are given back")
        wait_until(lambda: shared_bytes(monitor)[0] == before, "the monitor lets go of their memory")
    wait_until(lambda: server_is_back(server, 0), "the server lets go of their memory")
    with Client(own_host) as client:
        client.must("open", "a", server.port)
        client.must("echo", "a", 100_000)
    kill(server.process)
    own_host.wait_alone()
    wait_until(lambda: own_host.status()["listeners"] == 0, "the listener is given back")
    wait_until(lambda: shared_bytes(monitor)[0] <= 1, "only the status page is left")


def server_is_back(server: Server, slabs: int) -> bool:
    """Whether the server has unmapped all but so many slabs. A plain look: it may need a connection to notice."""
    assert server.process.poll() is None
    return server.slabs() <= slabs


def test_idle_connections_commit_little(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    assert own_host.monitor is not None
    server = Server(own_host, processes)
    with Client(own_host) as client:
        for number in range(100):
            client.must("open", f"c{number}", server.port)
            client.must("echo", f"c{number}", 1000)
        committed = shared_bytes(own_host.monitor.pid)[1]
        assert own_host.sums().tcp_bytes == 0
    assert committed < 100 * 32_768 + 8_000_000, f"{committed} bytes for 100 idle connections"


def test_connection_slots_are_used_again(own_host: Host, processes: Processes) -> None:
    """More connections than a lease has slots, one after the other, some dropped with bytes unread."""
    own_host.start_monitor()
    server = Server(own_host, processes)
    with Client(own_host) as client:
        for number in range(700):
            client.must("open", "a", server.port)
            client.must("send" if number % 3 == 0 else "echo", "a", 500)
            client.must("close", "a")
        wait_until(lambda: len(established(own_host)) == 0, "every socket object is given back")
    assert own_host.sums().reasons.get("no_slot", 0) == 0


def established(host: Host) -> list[object]:
    """Sockets that the monitor shows, listeners left out."""
    return [row for row in host.sockets() if row["state"] != "listening"]
