"""What the monitor tells about sockets, of the living and of the dead."""

from __future__ import annotations

import os
import socket
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sdcore.monitor.control import Control
from sdcore.monitor.identity import Address
from sdcore.monitor.paths import RuntimeDir
from sdcore.protocol import layout
from tests.monitor.fake import Client, MonitorProcess, Other, eventually, loopback_listener, map_slab

ESTABLISHED = layout.SOCK_STATES.index("established")
SHM = layout.TRANSPORTS.index("shm")
TCP = layout.TRANSPORTS.index("tcp")


def sockets(monitor: MonitorProcess) -> dict[str, Any]:
    """What the monitor shows."""
    with Control(RuntimeDir(monitor.directory)) as control:
        return control.sockets()


def show(client: Client, index: int, **fields: int) -> None:
    """Make a socket object visible."""
    record = client.record(index)
    record.pid, record.fd, record.state = os.getpid(), 10 + index, ESTABLISHED
    for name, value in fields.items():
        setattr(record, name, value)
    record.local.ip, record.local.port = Address.parse("127.0.0.1", 0).ip, 1000 + index
    record.peer.ip, record.peer.port = Address.parse("::1", 0).ip, 2000 + index
    record.refs = 1


def test_a_kernel_socket_is_shown_with_its_reason(monitor: MonitorProcess, client: Client) -> None:
    show(client, 2, transport=TCP, reason=layout.REASON_PEER_PLAIN, kernel_sent_bytes=5, kernel_received_bytes=7)
    (row,) = sockets(monitor)["sockets"]
    assert row["state"] == "established"
    assert (row["local"], row["peer"]) == ("127.0.0.1:1002", "[::1]:2002")
    assert (row["pid"], row["fd"], row["uid"], row["transport"]) == (os.getpid(), 12, os.getuid(), "tcp")
    assert (row["reason"], row["reason_text"]) == layout.REASONS[layout.REASON_PEER_PLAIN]
    assert (row["sent_bytes"], row["received_bytes"]) == (5, 7)
    assert row["program"] == Path("/proc/self/comm").read_text().strip()
    assert row["send_queue_bytes"] is None


def test_both_sides_of_a_ring_show_what_is_queued(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener, socket.socket() as sock:
        client.listen(listener)
        slab = map_slab(client.lease(sock, *listener.getsockname()))
        map_slab(client.leases_of(listener))
        there, back = slab.slot[9].dir
        there.p.tail, there.c.head, back.p.tail, back.c.head = 100, 60, 8, 8
        for side in (0, 1):
            show(client, side, transport=SHM, side=side, slot=9, lease_id=slab.lease_id, kernel_sent_bytes=1)
        first, second = sockets(monitor)["sockets"]
        assert (first["side"], first["sent_bytes"], first["send_queue_bytes"]) == ("client", 101, 40)
        assert (first["received_bytes"], first["receive_queue_bytes"]) == (8, 0)
        assert (second["side"], second["received_bytes"], second["receive_queue_bytes"]) == ("server", 60, 40)
        assert (second["sent_bytes"], second["send_queue_bytes"]) == (9, 0)


def test_a_slab_of_others_is_not_looked_at(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener:
        client.listen(listener)
        with Other(_leases, monitor.path, *listener.getsockname()) as other:
            show(client, 0, transport=SHM, side=0, slot=0, lease_id=other.says())
            (row,) = sockets(monitor)["sockets"]
            assert row["send_queue_bytes"] is None


def _leases(pipe: Connection, path: Path, host: str, port: int) -> None:
    """Take a lease, and wait."""
    with Client(path) as client, socket.socket() as sock:
        client.hello()
        pipe.send(map_slab(client.lease(sock, host, port)).lease_id)
        pipe.recv()


def _counts(pipe: Connection, path: Path) -> None:
    """Count something in the region, have one socket open, and wait."""
    with Client(path) as client:
        client.hello()
        head = client.head()
        head.total[SHM].connections, head.total[SHM].sent_bytes, head.total[TCP].received_bytes = 3, 1000, 50
        head.reason[layout.REASON_POLICY] = 2
        show(client, 0, transport=SHM, ring_sent_bytes=24, kernel_received_bytes=1)
        pipe.send("counted")
        pipe.recv()


def test_totals_outlive_their_process(monitor: MonitorProcess) -> None:
    with Other(_counts, monitor.path) as other:
        assert other.says() == "counted"
        living = sockets(monitor)
        assert len(living["sockets"]) == 1
        other.kill()
        assert eventually(lambda: sockets(monitor)["sockets"] == [])
    assert sockets(monitor)["totals"] == living["totals"]
    assert living["totals"]["transports"]["shm"] == {"connections": 4, "sent_bytes": 1024, "received_bytes": 0}
    assert living["totals"]["transports"]["tcp"] == {"connections": 0, "sent_bytes": 0, "received_bytes": 51}
    assert living["totals"]["reasons"] == {"policy": {"count": 2, "text": dict(layout.REASONS)["policy"]}}


def _moves_and_waits(pipe: Connection, path: Path, host: str, port: int) -> None:
    """Move bytes through the rings of both directions, write none of it into the record, and wait."""
    with Client(path) as client, socket.socket() as sock:
        client.hello()
        slab = map_slab(client.lease(sock, host, port))
        there, back = slab.slot[3].dir
        there.p.tail, back.c.head = 1000, 70
        show(client, 0, transport=SHM, slot=3, lease_id=slab.lease_id)
        pipe.send("moved")
        pipe.recv()


def test_what_rings_carried_is_counted_when_nobody_could_close_them(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener:
        client.listen(listener)
        with Other(_moves_and_waits, monitor.path, *listener.getsockname()) as other:
            assert other.says() == "moved"
            living = sockets(monitor)["totals"]["transports"]["shm"]
            other.kill()
            assert eventually(lambda: sockets(monitor)["sockets"] == [])
    assert sockets(monitor)["totals"]["transports"]["shm"] == living
    assert living == {"connections": 1, "sent_bytes": 1000, "received_bytes": 70}


def test_a_family_is_counted_once(monitor: MonitorProcess, client: Client) -> None:
    client.head().total[SHM].connections = 5
    with Other(_attaches, monitor.path, os.dup(client.region)) as other:
        assert other.says() == "attached"
        assert sockets(monitor)["totals"]["transports"]["shm"]["connections"] == 5
        other.kill()
        with Control(RuntimeDir(monitor.directory)) as control:
            assert eventually(lambda: control.status()["processes"] == 1)
    assert sockets(monitor)["totals"]["transports"]["shm"]["connections"] == 5


def _attaches(pipe: Connection, path: Path, region: int) -> None:
    """Attach with the family's region, and wait."""
    with Client(path, region) as client:
        client.hello()
        pipe.send("attached")
        pipe.recv()
