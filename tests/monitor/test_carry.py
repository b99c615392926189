"""Bytes of a ring that the monitor sends for a process: all, in order, however late the reader; to nobody else."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from sdcore.monitor.memory import ring_pieces
from sdcore.protocol import layout, messages
from tests.monitor.fake import Client, MonitorProcess, Other, Reply, loopback_listener

SLOT, DIRECTION = 3, 1
BYTES = bytes(range(251)) * 4000
SMALL = 20000


class Ring:
    """A lease of the client's, and bytes in one of its rings."""

    def __init__(self, client: Client, listener: socket.socket) -> None:
        self.client = client
        with socket.socket() as sock:
            reply = client.lease(sock, *listener.getsockname())
        assert reply.body is not None
        (self.slab,) = reply.descriptors
        self.lease_id = reply.body.lease_id

    def put(self, data: bytes, begin: int, base: int) -> None:
        """Lay bytes into the ring as a producer does."""
        rest = data
        for offset, length in ring_pieces(2 * SLOT + DIRECTION, (begin - base) % layout.RING_BYTES, len(data)):
            os.pwrite(self.slab, rest[:length], offset)
            rest = rest[length:]

    def ask(self, *connections: socket.socket, **fields: int) -> Reply:
        """Ask the monitor to carry."""
        usual = {"lease_id": self.lease_id, "slot": SLOT, "direction": DIRECTION, "end": 10}
        body = messages.CARRY.pack(**(usual | fields))
        return self.client.ask(messages.MSG_CARRY, body, [one.fileno() for one in connections])


@pytest.fixture
def ring(client: Client) -> Iterator[Ring]:
    """Return a ring of a lease of the client's own."""
    with loopback_listener() as listener:
        client.listen(listener)
        made = Ring(client, listener)
        yield made
        os.close(made.slab)


def connected(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection with small buffers."""
    with loopback_listener() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        one = stack.enter_context(socket.socket())
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        one.connect(listener.getsockname())
        other = stack.enter_context(listener.accept()[0])
    other.settimeout(10)
    return one, other


def read_all(connection: socket.socket) -> bytes:
    """Read until the end of the stream."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_every_byte_is_sent_and_then_the_end_though_the_process_is_gone(ring: Ring) -> None:
    with ExitStack() as stack:
        ours, reader = connected(stack)
        begin = 2**64 - 7  # positions wrap, and so does the ring
        ring.put(BYTES, begin, base=begin - 1500000)
        end, base = (begin + len(BYTES)) % 2**64, begin - 1500000
        assert ring.ask(ours, begin=begin, end=end, base=base).status == messages.STATUS_OK
        ours.close()
        ring.put(bytes(len(BYTES)), begin, base)  # the slot is another connection's by now
        assert read_all(reader) == BYTES


def test_between_two_connections_what_either_brings_goes_on_behind_the_bytes(ring: Ring) -> None:
    with ExitStack() as stack:
        outer, program = connected(stack)
        companion, peer = connected(stack)
        peer.sendall(b"behind")
        ring.put(b"0123456789", 0, 0)
        assert ring.ask(outer, companion).status == messages.STATUS_OK
        outer.close()
        companion.close()
        program.sendall(b"answer")
        program.shutdown(socket.SHUT_WR)
        assert read_all(peer) == b"answer"
        peer.sendall(b", and more")
        peer.close()
        assert read_all(program) == b"0123456789behind, and more"


def test_a_program_that_is_gone_costs_its_peer_the_connection(ring: Ring) -> None:
    with ExitStack() as stack:
        outer, program = connected(stack)
        companion, peer = connected(stack)
        assert ring.ask(outer, companion).status == messages.STATUS_OK
        outer.close()
        companion.close()
        program.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        program.close()
        with pytest.raises(ConnectionResetError):
            peer.recv(1)


def test_a_peer_that_has_closed_resets_who_sends_on(ring: Ring) -> None:
    with ExitStack() as stack:
        outer, program = connected(stack)
        companion, peer = connected(stack)
        assert ring.ask(outer, companion).status == messages.STATUS_OK
        outer.close()
        companion.close()
        peer.close()
        assert read_all(program) == bytes(10)
        program.sendall(b"refused")
        broken = select.poll()
        broken.register(program, 0)
        assert broken.poll(10000)


@pytest.mark.parametrize(
    "fields",
    [{"slot": layout.SLOTS}, {"direction": 2}, {"end": layout.RING_BYTES + 1}, {"begin": 11}],
    ids=lambda fields: next(iter(fields)),
)
def test_what_no_ring_has_is_not_carried(ring: Ring, fields: dict[str, int]) -> None:
    with ExitStack() as stack:
        ours, reader = connected(stack)
        assert ring.ask(ours, **fields).status == messages.STATUS_BAD
        ours.close()
        assert read_all(reader) == b""


def test_nothing_is_sent_to_what_is_no_connection(ring: Ring) -> None:
    with loopback_listener() as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        assert ring.ask(listener).status == messages.STATUS_BAD
        assert ring.ask(other).status == messages.STATUS_BAD
    assert ring.client.ask(messages.MSG_CARRY, messages.CARRY.pack()).status == messages.STATUS_BAD


def test_a_stranger_to_the_lease_gets_nothing(monitor: MonitorProcess, ring: Ring) -> None:
    with Other(_asks_for, monitor.path, ring.lease_id) as stranger:
        assert stranger.says() == (messages.STATUS_DENIED, layout.REASON_POLICY)
    with ExitStack() as stack:
        ours, _ = connected(stack)
        reply = ring.ask(ours, lease_id=ring.lease_id + 1)
        assert (reply.status, reply.reason) == (messages.STATUS_DENIED, layout.REASON_POLICY)


def _asks_for(pipe: Connection, path: Path, lease_id: int) -> None:
    with Client(path) as client, ExitStack() as stack:
        client.hello()
        ours, _ = connected(stack)
        body = messages.CARRY.pack(lease_id=lease_id, end=10)
        reply = client.ask(messages.MSG_CARRY, body, [ours.fileno()])
        pipe.send((reply.status, reply.reason))


def test_it_holds_no_more_than_so_much(ring: Ring) -> None:
    with ExitStack() as stack:
        answers = []
        while len(answers) < 40:
            ours, _ = connected(stack)
            answers.append(ring.ask(ours, end=layout.RING_BYTES))
        statuses = [answer.status for answer in answers]
        assert statuses == sorted(statuses)
        assert statuses[0] == messages.STATUS_OK
        assert (answers[-1].status, answers[-1].reason) == (messages.STATUS_DENIED, layout.REASON_NO_MEMORY)
