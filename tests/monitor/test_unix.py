"""Leases at Unix sockets: a listener is what the kernel says that it is."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sdcore.monitor import kernel, unix_files
from sdcore.monitor.decisions import Monitor
from sdcore.monitor.events import Attach, Denied, Leased, Listen, WantLease
from sdcore.monitor.identity import NO_ADDRESS, ProcessId, SocketId, UnixName
from sdcore.monitor.policy import Policy
from sdcore.protocol import layout, messages
from tests.monitor.fake import Client, map_slab

ABSTRACT = b"\0of a test of sdcore"


@contextmanager
def listening(place: str | bytes) -> Iterator[socket.socket]:
    """A Unix socket that listens."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(place)
        sock.listen(5)
        yield sock


@contextmanager
def stream() -> Iterator[socket.socket]:
    """One that is about to connect."""
    with socket.socket(socket.AF_UNIX) as sock:
        yield sock


def test_both_sides_of_a_file_map_the_same_slab(client: Client, tmp_path: Path) -> None:
    file = str(tmp_path / "s")
    with listening(file) as listener, stream() as sock:
        number = client.listen(listener)
        one, other = map_slab(client.unix_lease(sock, file=file)), map_slab(client.leases_of(listener))
        assert one.lease_id == other.lease_id != 0
        assert one.listener_id == number


def test_every_path_to_the_file_leads_to_its_listener(client: Client, tmp_path: Path) -> None:
    file, moved, linked = (str(tmp_path / name) for name in ("s", "moved", "linked"))
    with listening(file) as listener, stream() as sock:
        client.listen(listener)
        os.rename(file, moved)
        os.symlink(moved, linked)
        lease = map_slab(client.unix_lease(sock, file=moved)).lease_id
        assert map_slab(client.unix_lease(sock, file=linked)).lease_id == lease


def test_another_file_at_the_path_is_another_listener(client: Client, tmp_path: Path) -> None:
    file = str(tmp_path / "s")
    with listening(file) as first, stream() as sock:
        client.listen(first)
        os.unlink(file)
        with listening(file) as second:
            assert client.unix_lease(sock, file=file).reason == layout.REASON_PEER_PLAIN
            number = client.listen(second)
            assert map_slab(client.unix_lease(sock, file=file)).listener_id == number


def test_abstract_names_are_told_apart_to_the_last_byte(client: Client) -> None:
    with listening(ABSTRACT) as listener, stream() as sock:
        number = client.listen(listener)
        assert map_slab(client.unix_lease(sock, name=ABSTRACT[1:])).listener_id == number
        for other in (ABSTRACT[1:-1], ABSTRACT[1:] + b"\0", ABSTRACT[1:].upper()):
            assert client.unix_lease(sock, name=other).reason == layout.REASON_PEER_PLAIN


def test_a_name_is_no_file_and_a_file_no_name(client: Client, tmp_path: Path) -> None:
    file = str(tmp_path / "s")
    with listening(file) as listener, stream() as sock:
        client.listen(listener)
        assert client.unix_lease(sock, name=file.encode()).reason == layout.REASON_PEER_PLAIN


@pytest.mark.parametrize("kind", [socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
def test_only_a_stream_is_taken(client: Client, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as sock:
        sock.bind("")
        if kind == socket.SOCK_SEQPACKET:
            sock.listen(1)
        assert client.ask(messages.MSG_LISTEN, b"", [sock.fileno()]).status == messages.STATUS_BAD
        assert client.unix_lease(sock, name=b"somebody").status == messages.STATUS_BAD


def test_a_name_longer_than_its_field_is_cut_and_harms_nobody(client: Client) -> None:
    body = messages.DESTINATION.pack(port=1, family=socket.AF_UNIX, name_bytes=65535, name=b"x" * 108)
    with stream() as sock:
        reply = client.ask(messages.MSG_LEASE, body, [sock.fileno()])
        assert (reply.status, reply.reason) == (messages.STATUS_DENIED, layout.REASON_PEER_PLAIN)


def test_a_unix_connection_cannot_join(client: Client) -> None:
    one, other = socket.socketpair()
    with one, other:
        reply = client.ask(messages.MSG_JOIN, messages.JOIN.pack(index=0), [one.fileno()])
        assert reply.status == messages.STATUS_BAD


def test_the_kernel_names_the_file_that_a_listener_has_left(tmp_path: Path) -> None:
    file = str(tmp_path / "s")
    with listening(file) as listener:
        place = os.stat(file)
        os.unlink(file)
        assert unix_files.bound_to(os.fstat(listener.fileno()).st_ino) == (place.st_dev, place.st_ino)
        assert kernel.identify_socket(listener.fileno()).name == UnixName(device=place.st_dev, inode=place.st_ino)


def test_the_kernel_names_no_file_of_a_socket_without_one() -> None:
    with listening(ABSTRACT) as listener:
        assert unix_files.bound_to(os.fstat(listener.fileno()).st_ino) is None
    assert unix_files.bound_to(0) is None


def test_a_client_of_another_network_namespace_is_never_matched_by_its_name() -> None:
    """Whatever the policy says: the names by which clients are known are unique in their own namespace only."""
    monitor = Monitor(Policy(namespaces=True))
    name = UnixName(abstract=b"name")
    for number in (1, 2):
        attach = Attach(ProcessId(number, 0, number), True, layout.LAYOUT_VERSION, 0, 0, 0)
        monitor.handle(attach, 0)
    monitor.handle(Listen(1, SocketId(1, 7, NO_ADDRESS, True, name=name)), 0)

    def asked(netns: int) -> type:
        client = SocketId(2, netns, NO_ADDRESS, name=UnixName())
        return type(monitor.handle(WantLease(2, client, name, 0), 0)[-1])

    assert asked(8) is Denied
    assert asked(7) is Leased
