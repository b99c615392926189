"""Whatever a process sends, it costs itself an answer or its connection, and the monitor nothing."""

from __future__ import annotations

import os
import random
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from sdcore.monitor import kernel, wire
from sdcore.monitor.control import Control
from sdcore.monitor.identity import Address
from sdcore.monitor.paths import RuntimeDir
from sdcore.monitor.region import Region
from sdcore.protocol import layout, messages
from tests.monitor.fake import (
    REGION_BYTES,
    Client,
    MonitorProcess,
    Other,
    eventually,
    loopback_listener,
    make_region,
)

KINDS = sorted(wire.BODIES)


def faults(monitor: MonitorProcess) -> dict[str, int]:
    """What the monitor counted."""
    with Control(RuntimeDir(monitor.directory)) as control:
        counted: dict[str, int] = control.status()["faults"]
        return counted


def open_descriptors(monitor: MonitorProcess) -> int:
    """How many descriptors the monitor has."""
    return len(os.listdir(f"/proc/{monitor.process.pid}/fd"))


@pytest.fixture
def wrong_descriptors() -> Iterator[dict[str, int]]:
    """Give one descriptor of each wrong kind."""
    with ExitStack() as stack:
        file = stack.enter_context(open("/etc/passwd", "rb"))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        pipe = os.pipe()
        kinds = {
            "file": file.fileno(),
            "directory": os.open("/", os.O_RDONLY),
            "udp": udp.fileno(),
            "unix": unix.fileno(),
            "pipe": pipe[0],
            "memfd": os.memfd_create("plain"),
            "path": os.open("/etc/passwd", os.O_PATH),
        }
        yield kinds
        for name in ("directory", "memfd", "path"):
            os.close(kinds[name])
        os.close(pipe[0])
        os.close(pipe[1])


def test_each_malformed_packet_gets_a_bad_reply(monitor: MonitorProcess, client: Client) -> None:
    packets = [b"x", b"\0" * 15, wire.format_packet(0, 1), wire.format_packet(99, 1), b"\xff" * 16, b"\xff" * 200]
    for kind in KINDS:
        shape = wire.BODIES[kind]
        size = shape.size if shape else 0
        packets += [wire.format_packet(kind, 1, b"\0" * wrong) for wrong in {size + 1, max(1, size - 1)} - {size}]
    for packet in packets:
        client.send(packet)
        assert client.receive().status == messages.STATUS_BAD
    assert faults(monitor)["malformed_packets"] == len(packets)


def test_missing_and_surplus_descriptors_are_malformed(client: Client) -> None:
    with socket.socket() as sock:
        for kind in KINDS:
            shape = wire.BODIES[kind]
            body = b"\0" * shape.size if shape else b""
            for count in {0, 1, 3} - {*wire.DESCRIPTORS.get(kind, (0,))}:
                assert client.ask(kind, body, [sock.fileno()] * count).status == messages.STATUS_BAD


def test_too_many_descriptors_are_closed(monitor: MonitorProcess, client: Client) -> None:
    before = open_descriptors(monitor)
    with socket.socket() as sock:
        for _ in range(20):
            client.send(wire.format_packet(messages.MSG_LISTEN, 1), [sock.fileno()] * 60)
            assert client.receive().status == messages.STATUS_DENIED
    assert eventually(lambda: open_descriptors(monitor) <= before)


def test_random_packets_never_end_the_monitor(monitor: MonitorProcess) -> None:
    dice = random.Random(3)
    kinds = [kind for kind in range(10) if kind != messages.MSG_STOP]
    with socket.socket() as sock:
        for _ in range(300):
            with Client(monitor.path) as client:
                head = messages.HEADER.pack(type=dice.choice(kinds), seq=dice.getrandbits(32))
                client.send(head + dice.randbytes(dice.randrange(60)), [sock.fileno()] * dice.randrange(3))
    assert "defects" not in faults(monitor)


def test_a_descriptor_of_the_wrong_kind_is_refused(client: Client, wrong_descriptors: dict[str, int]) -> None:
    destination = messages.DESTINATION.pack(port=80)
    for fd in wrong_descriptors.values():
        assert client.ask(messages.MSG_LISTEN, b"", [fd]).status == messages.STATUS_BAD
        assert client.ask(messages.MSG_LEASE, destination, [fd]).status == messages.STATUS_BAD
        assert client.ask(messages.MSG_LEASES_OF, messages.AFTER.pack(), [fd]).status == messages.STATUS_BAD
    with socket.socket() as idle:
        assert client.ask(messages.MSG_LISTEN, b"", [idle.fileno()]).status == messages.STATUS_BAD


def test_a_region_of_the_wrong_kind_is_refused(monitor: MonitorProcess, wrong_descriptors: dict[str, int]) -> None:
    wrong = {
        "unsealed": make_region(seals=kernel.F_SEAL_GROW),
        "small": make_region(size=100),
        "magic": make_region(magic=1),
    }
    hello = messages.HELLO.pack(version=layout.LAYOUT_VERSION)
    with Client(monitor.path) as client:
        for fd in (wrong_descriptors | wrong).values():
            assert client.ask(messages.MSG_HELLO, hello, [fd]).status == messages.STATUS_BAD
        assert client.hello().status == messages.STATUS_OK
    wire.close_all(tuple(wrong.values()))


def test_another_version_is_denied_for_its_version(monitor: MonitorProcess) -> None:
    with Client(monitor.path) as client:
        reply = client.hello(version=layout.LAYOUT_VERSION + 1)
        assert (reply.status, reply.reason) == (messages.STATUS_DENIED, layout.REASON_VERSION)
        assert client.ends()
    with Client(monitor.path, make_region(version=layout.LAYOUT_VERSION + 1)) as client:
        assert client.hello().reason == layout.REASON_VERSION


def test_nothing_is_answered_before_the_hello(monitor: MonitorProcess) -> None:
    with Client(monitor.path) as client, loopback_listener() as listener, socket.socket() as sock:
        assert client.ask(messages.MSG_LISTEN, b"", [listener.fileno()]).status == messages.STATUS_BAD
        assert client.lease(sock, *listener.getsockname()).status == messages.STATUS_BAD
        assert client.leases_of(listener).status == messages.STATUS_BAD
        assert client.ask(messages.MSG_UNLISTEN, messages.LISTENER.pack()).status == messages.STATUS_BAD


def test_a_listener_of_somebody_else_cannot_be_given_up(client: Client) -> None:
    with loopback_listener() as listener:
        number = client.listen(listener)
        wrong = client.ask(messages.MSG_UNLISTEN, messages.LISTENER.pack(listener_id=number + 1))
        assert wrong.status == messages.STATUS_BAD


@pytest.mark.parametrize(
    "head",
    [
        {"socket_offset": 0xFFFFFFFF},
        {"socket_stride": 0},
        {"socket_stride": 1},
        {"socket_stride": 0xFFFFFFFF},
        {"socket_high": 0xFFFFFFFF},
        {"socket_high": layout.SOCKETS},
        {"socket_offset": REGION_BYTES - 1},
    ],
)
def test_a_lying_region_shows_no_sockets(monitor: MonitorProcess, head: dict[str, int]) -> None:
    with Client(monitor.path, make_region(**head)) as client, Control(RuntimeDir(monitor.directory)) as control:
        assert client.hello().status == messages.STATUS_OK
        assert control.sockets()["sockets"] == []


def test_a_region_of_giant_objects_is_not_read_as_a_whole(monitor: MonitorProcess) -> None:
    def most_kib() -> int:
        words = Path(f"/proc/{monitor.process.pid}/status").read_text().split()
        return int(words[words.index("VmHWM:") + 1])

    giant = 2**26
    with Client(monitor.path, make_region(size=9 * giant, socket_stride=giant)) as client:
        assert client.hello().status == messages.STATUS_OK
        before = most_kib()
        with Control(RuntimeDir(monitor.directory)) as control:
            assert control.sockets()["sockets"] == []
        assert most_kib() - before < 2**15


def test_the_head_of_a_region_is_read_once_for_a_search() -> None:
    """What the search believes of it must be what the bytes were read by: its owner may change it in between."""
    heads = 0

    def counted(fd: int, size: int, offset: int) -> bytes:
        nonlocal heads
        heads += offset == 0
        return pread(fd, size, offset)

    pread, end = os.pread, Address(bytes(16), 7)
    region = Region(make_region())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pread", counted)
        assert list(region.with_ends(end, end)) == []
        assert list(region.sockets()) == []
    region.close()
    assert heads == 2


def test_garbage_in_a_region_is_shown_as_nothing_known(monitor: MonitorProcess, client: Client) -> None:
    assert client.region_map is not None
    with Control(RuntimeDir(monitor.directory)) as control:
        for seed in range(20):
            client.region_map[layout.REGION.offsets["total"] :] = random.Random(seed).randbytes(
                REGION_BYTES - layout.REGION.offsets["total"]
            )
            rows = control.sockets()["sockets"]
            assert all(row["state"] in (*layout.SOCK_STATES, "unknown") for row in rows)
    assert "defects" not in faults(monitor)


def test_garbage_in_a_slab_does_not_stop_a_sweep(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener:
        client.listen(listener)
        with Other(_scribbles, monitor.path, *listener.getsockname()) as other:
            other.says()
            other.kill()
        with Control(RuntimeDir(monitor.directory)) as control:
            assert eventually(lambda: control.status()["processes"] == 1)
            client.ask(messages.MSG_UNLISTEN, messages.LISTENER.pack(listener_id=client.listen(listener)))
            assert eventually(lambda: control.status()["leases"] == 0)


def _scribbles(pipe: Connection, path: Path, host: str, port: int) -> None:
    """Take a lease and write nonsense over all of it."""
    with Client(path) as client, socket.socket() as sock:
        client.hello()
        (slab,) = client.lease(sock, host, port).descriptors
        os.pwrite(slab, random.Random(1).randbytes(layout.RINGS_OFFSET), 0)
        pipe.send("scribbled")
        pipe.recv()


def test_who_does_not_read_loses_the_connection(monitor: MonitorProcess, client: Client) -> None:
    with Client(monitor.path) as lazy:
        lazy.socket.setblocking(False)
        with pytest.raises(ConnectionError):
            flood(lazy, meanwhile=client)
    assert faults(monitor)["unread_replies"] == 1


def flood(lazy: Client, meanwhile: Client) -> None:
    """Ask and never read; the other client is served all the while."""
    while True:
        try:
            lazy.send(wire.format_packet(messages.MSG_UNLISTEN, 1, b"\0" * messages.LISTENER.size))
        except BlockingIOError:
            assert meanwhile.hello().status == messages.STATUS_OK


def test_without_descriptors_a_connection_is_turned_away_at_once(monitor: MonitorProcess, client: Client) -> None:
    pid, limit = monitor.process.pid, open_descriptors(monitor)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
    with Client(monitor.path) as late:
        assert late.ends()
    with socket.socket() as sock, loopback_listener() as listener:
        # Its own descriptor finds no room either; the client is told, and uses kernel TCP.
        reply = client.lease(sock, *listener.getsockname())
        assert (reply.status, reply.reason) == (messages.STATUS_DENIED, layout.REASON_NO_MEMORY)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert faults(monitor)["failed_accepts"] == 1


def test_a_slab_that_cannot_be_made_is_a_denial(runtime_dir: Path) -> None:
    (runtime_dir / "config.toml").write_text("[monitor]\nmax_leases = 1\n")
    process = MonitorProcess(runtime_dir, SDCORE_CONFIG=str(runtime_dir / "config.toml"))
    with Client(process.path) as client, loopback_listener() as listener, socket.socket() as sock:
        client.hello()
        client.listen(listener)
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        assert client.lease(sock, *listener.getsockname()).reason == layout.REASON_NO_MEMORY
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        first = client.lease(sock, *listener.getsockname())
        assert first.status == messages.STATUS_OK
        assert first.body is not None
        more = client.lease(sock, *listener.getsockname(), full_lease=first.body.lease_id)
        assert (more.status, more.reason) == (messages.STATUS_DENIED, layout.REASON_NO_SLOT)
        wire.close_all(first.descriptors)
    assert process.terminate() == 0


def test_a_client_that_dies_in_the_middle_of_a_request_leaves_nothing(monitor: MonitorProcess) -> None:
    before = open_descriptors(monitor)
    for _ in range(20):
        with Other(_dies, monitor.path) as other:
            other.process.join(5)
    assert eventually(lambda: open_descriptors(monitor) <= before)


def _dies(pipe: Connection, path: Path) -> None:
    """Say hello and die before the answer."""
    client = Client(path)
    hello = messages.HELLO.pack(version=layout.LAYOUT_VERSION)
    client.send(wire.format_packet(messages.MSG_HELLO, 1, hello), [client.region])
    os._exit(0)
