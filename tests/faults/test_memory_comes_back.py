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


def memfds(pid: int) -> dict[str, int]:
    """The memfds that a process holds open, by name and inode, with the bytes that each has committed."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            name = os.readlink(entry)
            if name.startswith("/memfd:"):
                about = entry.stat()
                found[f"{name} {about.st_ino}"] = about.st_blocks * 512
    return found


def regions_and_slabs(pid: int) -> set[str]:
    """The names of those that hold connections; what the monitor answers requests with passes by."""
    return {name for name in memfds(pid) if "region" in name or "slab" in name}


def test_everything_comes_back_after_kills(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    assert own_host.monitor is not None
    monitor = own_host.monitor.pid
    server = Server(own_host, processes)
    with Client(own_host) as warm:  # the first lease may leave what every server keeps
        warm.must("open", "a", server.port)
        warm.must("echo", "a", 100_000)
    wait_until(lambda: alone_with(own_host, 1), "the first client is forgotten")
    before = regions_and_slabs(monitor)
    for _ in range(3):
        clients = [Client(own_host) for _ in range(CLIENTS)]
        for client in clients:
            client.must("open", "a", server.port)
            client.must("echo", "a", 100_000)
            client.must("open", "b", server.port)
            client.start("echo", "b", 50_000_000)
        assert own_host.status()["leases"] == CLIENTS
        assert len(regions_and_slabs(monitor)) == len(before) + 2 * CLIENTS
        for client in clients:
            client.process.send_signal(signal.SIGKILL)
            with client:
                pass
        wait_until(lambda: alone_with(own_host, 1), "all clients are forgotten")
        assert regions_and_slabs(monitor) == before, "the monitor keeps memory of the dead"
    with Client(own_host) as client:  # the server looks through its leases when it takes a connection
        client.must("open", "a", server.port)
        client.must("echo", "a", 100_000)
        assert server.slabs() <= 2, "the server keeps the memory of the dead"
    kill(server.process)
    own_host.wait_alone()
    wait_until(lambda: own_host.status()["listeners"] == 0, "the listener is given back")
    assert not regions_and_slabs(monitor)


def alone_with(host: Host, processes: int) -> bool:
    """Whether the monitor knows so many processes, and no lease."""
    status = host.status()
    return bool(status["processes"] == processes and status["leases"] == 0)


def test_idle_connections_commit_little(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    assert own_host.monitor is not None
    server = Server(own_host, processes)
    with Client(own_host) as client:
        for number in range(100):
            client.must("open", f"c{number}", server.port)
            client.must("echo", f"c{number}", 1000)
        committed = sum(memfds(own_host.monitor.pid).values())
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
