"""A monitor for tests of the library's side: answers by the book unless a test makes it answer otherwise.

It runs in a thread of the test; every request that came is kept in `requests`, in order.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from sdcore.monitor import kernel, memory, wire
from sdcore.protocol import layout, messages


@dataclass(frozen=True)
class Reply:
    """One packet to send back, and descriptors beside it (closed afterwards)."""

    data: bytes
    descriptors: Sequence[int] = ()


Answer = Callable[[wire.Request, list[int]], Sequence[Reply]]
"""Zero, one or more packets for a request and the descriptors that came with it."""


@dataclass
class Book:
    """What a monitor knows, as far as these tests need it."""

    next_id: int = 1
    listeners: dict[tuple[int, int], int] = field(default_factory=dict)
    leases: dict[int, memory.Slab] = field(default_factory=dict)
    listener_of: dict[int, int] = field(default_factory=dict)

    def take_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1


class FakeMonitor:
    """Serves at `$runtime/monitor.sock` until `stop`. `answers` replaces the answer of single request types."""

    def __init__(self, runtime: Path, first_id: int = 1) -> None:
        self.page = memory.StatusPage()
        self.page.set_alive(True)
        self.book = Book(next_id=first_id)
        self.requests: list[tuple[int, SimpleNamespace | None]] = []
        self.answers: dict[int, Answer] = {}
        self._path = runtime / "monitor.sock"
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(self._path))
        self._listener.listen(16)
        self._wake, self._woken = socket.socketpair()
        self._clients: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Die: connections break, nothing is said, the socket's name stays behind."""
        self._wake.close()
        self._thread.join()
        for sock in (self._listener, self._woken, *self._clients):
            sock.close()

    def kinds(self) -> list[int]:
        """The types of all requests so far."""
        return [kind for kind, _ in self.requests]

    def disconnect(self) -> None:
        """Break the connections of all clients, and go on serving."""
        for sock in self._clients:
            sock.shutdown(socket.SHUT_RDWR)

    def new_lease(self, listener_id: int) -> int:
        """A lease that the next LEASES_OF of its listener will show."""
        lease_id = self.book.take_id()
        self.book.leases[lease_id] = memory.Slab(lease_id, listener_id, heavy_fence=False)
        self.book.listener_of[lease_id] = listener_id
        self.page.move_leases()
        return lease_id

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._woken, self._listener, *self._clients], [], [])
            if self._woken in ready:
                return
            for sock in ready:
                if sock is self._listener:
                    self._clients.append(sock.accept()[0])
                elif not self._serve_one(sock):
                    self._clients.remove(sock)
                    sock.close()

    def _serve_one(self, sock: socket.socket) -> bool:
        packet = wire.receive(sock)
        if not packet.data:
            return False
        request = wire.parse(packet)
        self.requests.append((request.type, request.body))
        answer = self.answers.get(request.type, self.by_the_book)
        try:
            for reply in answer(request, list(packet.descriptors)):
                wire.send(sock, reply.data, reply.descriptors)
                wire.close_all(reply.descriptors)
        finally:
            wire.close_all(packet.descriptors)
        return True

    # Answers by the book ----------------------------------------------------------------------------------------------

    def by_the_book(self, request: wire.Request, descriptors: list[int]) -> Sequence[Reply]:
        """What a monitor would answer."""
        make = {
            messages.MSG_HELLO: self._hello,
            messages.MSG_LISTEN: self._listen,
            messages.MSG_UNLISTEN: self._unlisten,
            messages.MSG_LEASE: self._lease,
            messages.MSG_LEASES_OF: self._leases_of,
        }[request.type]
        return [make(request, descriptors)]

    def _hello(self, request: wire.Request, descriptors: list[int]) -> Reply:
        kernel.identify_memory(descriptors[0])
        return ok(request, messages.WELCOME.pack(process_id=self.book.take_id()), [os.dup(self.page.fd)])

    def _listen(self, request: wire.Request, descriptors: list[int]) -> Reply:
        identity = kernel.identify_socket(descriptors[0])
        assert identity.listening
        listener_id = self.book.listeners.setdefault((identity.cookie, identity.local.port), self.book.take_id())
        self.page.move_listeners()
        return ok(request, messages.LISTENER.pack(listener_id=listener_id))

    def _unlisten(self, request: wire.Request, descriptors: list[int]) -> Reply:
        assert request.body is not None
        gone = request.body.listener_id
        self.book.listeners = {key: value for key, value in self.book.listeners.items() if value != gone}
        return ok(request)

    def _lease(self, request: wire.Request, descriptors: list[int]) -> Reply:
        kernel.identify_socket(descriptors[0])
        assert request.body is not None
        found = [value for (_, port), value in self.book.listeners.items() if port == request.body.port]
        if not found:
            return denied(request, layout.REASON_PEER_PLAIN)
        known = [k for k, v in self.book.listener_of.items() if v == found[0] and k != request.body.full_lease]
        return self.show(request, known[0] if known else self.new_lease(found[0]))

    def _leases_of(self, request: wire.Request, descriptors: list[int]) -> Reply:
        assert request.body is not None
        identity = kernel.identify_socket(descriptors[0])
        listener_id = self.book.listeners[identity.cookie, identity.local.port]
        later = [k for k, v in self.book.listener_of.items() if v == listener_id and k > request.body.lease_id]
        if later:
            return self.show(request, min(later))
        return ok(request, messages.LEASE.pack(lease_id=0, listener_id=listener_id))

    def show(self, request: wire.Request, lease_id: int) -> Reply:
        """The reply that hands out a lease."""
        body = messages.LEASE.pack(lease_id=lease_id, listener_id=self.book.listener_of[lease_id])
        return ok(request, body, [os.dup(self.book.leases[lease_id].fd)])


def ok(request: wire.Request, body: bytes = b"", descriptors: Sequence[int] = ()) -> Reply:
    """An affirmative reply."""
    return Reply(wire.format_packet(request.type, request.seq, body), descriptors)


def denied(request: wire.Request, reason: int) -> Reply:
    """A denial."""
    return Reply(wire.format_packet(request.type, request.seq, status=messages.STATUS_DENIED, reason=reason))
