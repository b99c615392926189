"""`sdcore ss` shows what waits in the kernel for a socket on kernel TCP."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from sdcore.cli import queues
from sdcore.monitor.identity import Address
from sdcore.monitor.paths import RuntimeDir
from tests.cli.support import sdcore
from tests.monitor.fake import Client
from tests.monitor.test_report import TCP, show

GONE = 2**22 + 1
"""No process: above the largest number that Linux gives."""


@contextmanager
def connection(family: socket.AddressFamily, host: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and a server end."""
    with ExitStack() as stack:
        both = family is socket.AF_INET6
        server = socket.create_server(("::" if both else host, 0), family=family, dualstack_ipv6=both)
        listener = stack.enter_context(server)
        client = stack.enter_context(socket.create_connection((host, listener.getsockname()[1])))
        yield client, stack.enter_context(listener.accept()[0])


def fill_up(sender: socket.socket) -> None:
    """Send until neither end has room."""
    sender.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            sender.send(bytes(65536))


def row(sock: socket.socket, pid: int | str = "self", transport: str = "tcp") -> dict[str, Any]:
    """A socket as the monitor tells of it."""
    local, peer = (str(Address.parse(*name[:2])) for name in (sock.getsockname(), sock.getpeername()))
    unknown = {"send_queue_bytes": None, "receive_queue_bytes": None}
    return {"pid": pid, "transport": transport, "local": local, "peer": peer} | unknown


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::ffff:127.0.0.1")]
)
def test_bytes_that_nobody_has_read_are_in_a_queue(family: socket.AddressFamily, host: str) -> None:
    with connection(family, host) as (client, server):
        client.send(b"hello")
        rows = [row(server), row(client)]
        queues.fill(rows)
        assert [one["receive_queue_bytes"] for one in rows] == [5, 0]
        fill_up(client)
        queues.fill(rows)
        assert rows[1]["send_queue_bytes"] > 0
        assert rows[0]["receive_queue_bytes"] > 5
        assert rows[0]["send_queue_bytes"] == 0


def test_what_is_not_on_kernel_tcp_or_is_gone_has_no_queue() -> None:
    with connection(socket.AF_INET, "127.0.0.1") as (client, server):
        rows = [row(client, transport="shm"), row(client, transport="none"), row(client, pid=GONE), row(server)]
        rows[3]["peer"] = "127.0.0.1:0"
        queues.fill(rows)
        assert [one["receive_queue_bytes"] for one in rows] == [None] * 4


def test_ss_shows_the_kernels_queues(runtime: RuntimeDir) -> None:
    assert sdcore("monitor", "start").returncode == 0
    with Client(runtime.socket) as program, connection(socket.AF_INET, "127.0.0.1") as (client, server):
        client.send(b"unread")
        program.hello()
        show(program, 0, transport=TCP)
        record = program.record(0)
        for place, name in ((record.local, server.getsockname()), (record.peer, server.getpeername())):
            place.ip, place.port = Address.parse(*name).ip, name[1]
        (shown,) = json.loads(sdcore("ss", "--json").stdout)["sockets"]
        assert (shown["receive_queue_bytes"], shown["send_queue_bytes"]) == (6, 0)
        assert sdcore("ss").stdout.splitlines()[1].split()[5:7] == ["6", "0"]
