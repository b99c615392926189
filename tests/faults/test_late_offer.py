"""A client that is stopped within connect() makes its offer late; its server has accepted, and does other things."""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening, wait_until

END_S = 30
STOPPED_US = 400_000
SERVER = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
connection, _ = listener.accept()
time.sleep(3)
assert connection.recv(3, socket.MSG_WAITALL) == b"abc"
connection.sendall(b"def")
assert connection.recv(3) == b""
"""
CLIENT = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(b"abc")
assert connection.recv(3, socket.MSG_WAITALL) == b"def"
"""


def test_a_busy_server_that_accepted_first_keeps_shared_memory(own_host: Host, processes: Processes) -> None:
    strace = shutil.which("strace")
    if strace is None or processes.run([strace, "-o", "/dev/null", "true"], own_host.environment(False)).code != 0:
        pytest.skip("no strace, or no right to trace")
    own_host.start_monitor()
    port, env = str(free_port()), own_host.environment(True)
    server = processes.start([sys.executable, "-c", SERVER, port], env)
    wait_listening(int(port), server)
    wait_until(lambda: own_host.status()["listeners"] == 1, "the monitor knows the listener")
    slowly = [strace, "-f", "-o", "/dev/null", "-e", "trace=connect", "-e", f"inject=connect:delay_exit={STOPPED_US}"]
    client = processes.start([*slowly, sys.executable, "-c", CLIENT, port], env)
    assert client.wait(END_S) == 0, processes.log(client)
    assert server.wait(END_S) == 0, processes.log(server)
    sums = own_host.sums()
    assert (sums.shm_bytes, sums.tcp_bytes) == (12, 0)
