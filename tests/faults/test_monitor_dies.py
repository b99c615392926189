"""The monitor is killed, stopped, or does not answer: connections live on, new ones use kernel TCP, all comes back."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import suppress

import pytest

from tests.faults.parts import Client, Server
from tests.support.host import COMMAND, ROOT, Host
from tests.support.processes import Processes, wait_until

BYTES = 300_000
ANSWER_S = 5.0


def kill(host: Host) -> None:
    """kill -9 of the monitor."""
    host.kill_monitor()


def stop(host: Host) -> None:
    """An orderly end, as users ask for it."""
    assert host.monitor is not None
    words = (*COMMAND, "monitor", "stop", "--monitor-dir", str(host.directory))
    subprocess.run(
        words, env=host.environment(False, PYTHONPATH=str(ROOT)), check=True, capture_output=True, timeout=20
    )
    host.monitor.wait(10)
    host.monitor = None


def shm_bytes(host: Host) -> int:
    """Bytes by shared memory of all connections that the monitor sees."""
    return host.sums().shm_bytes


def accelerates(host: Host, client: Client, port: int) -> bool:
    """Whether a new connection goes by shared memory."""
    before = shm_bytes(host)
    client.must("open", "probe", port)
    client.must("echo", "probe", BYTES)
    client.must("close", "probe")
    end = time.monotonic() + 1
    while time.monotonic() < end:
        if shm_bytes(host) - before >= 2 * BYTES:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("end", [kill, stop], ids=["killed", "stopped"])
def test_connections_outlive_the_monitor(end: object, own_host: Host, processes: Processes) -> None:
    assert callable(end)
    own_host.start_monitor()
    server = Server(own_host, processes)
    with Client(own_host) as client:
        assert accelerates(own_host, client, server.port)
        client.must("open", "old", server.port)
        client.must("echo", "old", BYTES)
        end(own_host)
        client.must("echo", "old", 10 * BYTES)
        client.must("open", "new", server.port)
        client.must("echo", "new", BYTES)
        with Client(own_host) as late:  # a process that starts without a monitor
            late.must("open", "late", server.port)
            late.must("echo", "late", BYTES)
        own_host.start_monitor()
        for name in ("old", "new"):
            client.must("echo", name, BYTES)
        wait_until(lambda: accelerates(own_host, client, server.port), "new connections are accelerated again")
        for name in ("old", "new"):
            client.must("echo", name, BYTES)
            client.must("close", name)
    assert server.process.poll() is None


def test_deaths_are_noticed_without_a_monitor(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    server = Server(own_host, processes)
    with Client(own_host) as client:
        client.must("open", "old", server.port)
        client.must("echo", "old", BYTES)
        own_host.kill_monitor()
        server.process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        assert client.ask("echo", "old", 100_000) in {"ECONNRESET", "EPIPE"}
        assert time.monotonic() - killed < 1


def test_monitor_comes_first_time_after_the_programs(own_host: Host, processes: Processes) -> None:
    server = Server(own_host, processes)
    with Client(own_host) as client:
        client.must("open", "early", server.port)
        client.must("echo", "early", BYTES)
        own_host.start_monitor()
        client.must("echo", "early", BYTES)
        wait_until(lambda: accelerates(own_host, client, server.port), "new connections are accelerated")


def test_a_frozen_monitor_delays_and_does_not_hang(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    server = Server(own_host, processes)
    assert own_host.monitor is not None
    with Client(own_host) as client:
        client.must("open", "old", server.port)
        client.must("echo", "old", BYTES)
        own_host.monitor.send_signal(signal.SIGSTOP)
        try:
            with Client(own_host) as other:
                client.must("echo", "old", BYTES)
                other.start("open", "new", server.port)
                assert other.answer(ANSWER_S) == "ok"
                other.start("echo", "new", BYTES)
                assert other.answer(ANSWER_S) == "ok"
        finally:
            own_host.monitor.send_signal(signal.SIGCONT)
        client.must("echo", "old", BYTES)


def test_something_else_at_the_monitors_address(own_host: Host, processes: Processes) -> None:
    """A listener that accepts and says nothing, and then one that answers nonsense."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as impostor:
        impostor.bind(str(own_host.directory / "monitor.sock"))
        impostor.listen(16)
        server = Server(own_host, processes)
        with Client(own_host) as client:
            client.start("open", "a", server.port)
            assert client.answer(ANSWER_S) == "ok"
            client.must("echo", "a", BYTES)
        impostor.settimeout(0.1)
        with suppress(TimeoutError, BrokenPipeError), impostor.accept()[0] as taken:
            taken.sendall(b"\xff" * 200)
        with Client(own_host) as client:
            client.start("open", "b", server.port)
            assert client.answer(ANSWER_S) == "ok"
            client.must("echo", "b", BYTES)
