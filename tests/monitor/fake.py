"""A process as the monitor sees it, in Python: speaks the protocol over a real socket, maps what it gets."""

from __future__ import annotations

import fcntl
import mmap
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

from sdcore.monitor import kernel, wire
from sdcore.monitor.identity import Address
from sdcore.protocol import layout, messages
from sdcore.protocol.struct_kit import View

ROOT = Path(__file__).parents[2]
SOCKET_OFFSET = 4096
SOCKETS = 8
REGION_BYTES = SOCKET_OFFSET + SOCKETS * layout.SOCKET.size


@dataclass
class Reply:
    """A reply, taken apart. The descriptors are the holder's to close."""

    status: int
    reason: int
    seq: int
    body: SimpleNamespace | None
    descriptors: tuple[int, ...]


REPLIES = {
    messages.MSG_HELLO: messages.WELCOME,
    messages.MSG_LISTEN: messages.LISTENER,
    messages.MSG_LEASE: messages.LEASE,
    messages.MSG_LEASES_OF: messages.LEASE,
    messages.MSG_JOIN: messages.LEASE,
}


def make_region(*, seals: int = kernel.F_SEAL_SHRINK, size: int = REGION_BYTES, **head: int) -> int:
    """Return the memfd of a region with `SOCKETS` socket objects; `head` replaces what its head says."""
    fd = os.memfd_create("test-region", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.ftruncate(fd, size)
    usual = {
        "magic": layout.REGION_MAGIC,
        "version": layout.LAYOUT_VERSION,
        "socket_offset": SOCKET_OFFSET,
        "socket_stride": layout.SOCKET.size,
        "socket_high": SOCKETS,
    }
    os.pwrite(fd, layout.REGION.pack(**(usual | head))[:size], 0)
    fcntl.fcntl(fd, kernel.F_ADD_SEALS, seals)
    return fd


class Client:
    """One control connection and what came through it. Use as a context manager."""

    def __init__(self, path: Path, region: int | None = None) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(5)
        self.socket.connect(str(path))
        self.region = make_region() if region is None else region
        self.region_map = mmap.mmap(self.region, REGION_BYTES) if os.fstat(self.region).st_size else None
        self.process_id = 0
        self.status: View | None = None
        self._seq = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()
        os.close(self.region)

    def send(self, data: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send one packet as it is."""
        wire.send(self.socket, data, descriptors)

    def receive(self) -> Reply:
        """Receive one reply."""
        packet = wire.receive(self.socket)
        assert packet.data, "the monitor closed the connection"
        assert not packet.truncated
        head = messages.HEADER.unpack(packet.data[: messages.HEADER.size])
        rest = packet.data[messages.HEADER.size :]
        body = REPLIES[head.type].unpack(rest) if rest else None
        return Reply(head.status, head.reason, head.seq, body, packet.descriptors)

    def ask(self, kind: int, body: bytes = b"", descriptors: Sequence[int] = ()) -> Reply:
        """Send one request and receive its reply."""
        self._seq += 1
        self.send(wire.format_packet(kind, self._seq, body), descriptors)
        reply = self.receive()
        assert reply.seq == self._seq
        return reply

    def ends(self) -> bool:
        """Whether the monitor closes the connection."""
        return self.socket.recv(1) == b""

    def hello(self, **fields: int) -> Reply:
        """Attach; keeps the number and maps the status page."""
        usual = {"version": layout.LAYOUT_VERSION, "capabilities": messages.HELLO_MEMBARRIER}
        reply = self.ask(messages.MSG_HELLO, messages.HELLO.pack(**(usual | fields)), [self.region])
        if reply.status == messages.STATUS_OK:
            assert reply.body is not None
            self.process_id = reply.body.process_id
            (page,) = reply.descriptors
            self.status = layout.STATUS.view(mmap.mmap(page, layout.STATUS.size, prot=mmap.PROT_READ))
            os.close(page)
        return reply

    def listen(self, listener: socket.socket) -> int:
        """Register a listening socket; returns the listener's number."""
        reply = self.ask(messages.MSG_LISTEN, b"", [listener.fileno()])
        assert reply.status == messages.STATUS_OK
        assert reply.body is not None
        return int(reply.body.listener_id)

    def lease(self, sock: socket.socket, host: str, port: int, full_lease: int = 0) -> Reply:
        """Ask for a lease."""
        body = messages.DESTINATION.pack(ip=Address.parse(host, port).ip, port=port, full_lease=full_lease)
        return self.ask(messages.MSG_LEASE, body, [sock.fileno()])

    def unix_lease(self, sock: socket.socket, *, file: str = "", name: bytes = b"") -> Reply:
        """Ask for a lease at a Unix socket: by its file, or its abstract name."""
        place = os.stat(file) if file else None
        key = place.st_dev.to_bytes(8, sys.byteorder) + place.st_ino.to_bytes(8, sys.byteorder) if place else bytes(16)
        body = messages.DESTINATION.pack(
            ip=key, port=1, family=socket.AF_UNIX, name_bytes=len(name), name=name.ljust(108, b"\0")
        )
        return self.ask(messages.MSG_LEASE, body, [sock.fileno()])

    def leases_of(self, listener: socket.socket, after: int = 0) -> Reply:
        """Ask for the next lease of a listener."""
        return self.ask(messages.MSG_LEASES_OF, messages.AFTER.pack(lease_id=after), [listener.fileno()])

    def all_leases_of(self, listener: socket.socket) -> list[int]:
        """Every lease of a listener, in order."""
        numbers = [0]
        while True:
            reply = self.leases_of(listener, numbers[-1])
            assert reply.body is not None
            wire.close_all(reply.descriptors)
            if reply.body.lease_id == 0:
                return numbers[1:]
            numbers.append(reply.body.lease_id)

    def record(self, index: int) -> View:
        """Look at a socket object of the region."""
        return layout.SOCKET.view(self.region_map, SOCKET_OFFSET + index * layout.SOCKET.size)

    def head(self) -> View:
        """Look at the head of the region."""
        return layout.REGION.view(self.region_map)


def map_slab(reply: Reply) -> View:
    """Map the slab of a granted lease, close its descriptor, and return a view of its head."""
    assert reply.status == messages.STATUS_OK
    (fd,) = reply.descriptors
    assert os.fstat(fd).st_size == layout.SLAB_BYTES
    mapping = mmap.mmap(fd, layout.RINGS_OFFSET)
    os.close(fd)
    return layout.SLAB.view(mapping)


def loopback_listener(family: int = socket.AF_INET, host: str = "127.0.0.1", **options: Any) -> socket.socket:
    """Listen on a free port."""
    return socket.create_server((host, 0), family=family, **options)


def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


class MonitorProcess:
    """A real monitor in a runtime directory of its own."""

    def __init__(self, directory: Path, **environ: str) -> None:
        self.directory = directory
        self.path = directory / "monitor.sock"
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": str(ROOT)} | environ
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start and wait until it serves."""
        command = [sys.executable, "-m", "sdcore.monitor", "--dir", str(self.directory)]
        with open(self.directory / "test.log", "ab") as log:
            self.process = subprocess.Popen(command, env=self.environ, stderr=log)
        with Watch(self.process):
            assert eventually(self.serves, 10), (self.directory / "test.log").read_text()
            with Client(self.path) as probe:  # its socket takes connections before it has all its descriptors
                probe.ask(messages.MSG_STATUS)
        return self.process

    def serves(self) -> bool:
        """Whether it accepts connections."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
            return probe.connect_ex(str(self.path)) == 0

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """End it in order; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


class Watch:
    """Notices that a process ends while we wait for something else."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        assert self.process.poll() is None, f"the monitor ended with {self.process.returncode}"


class Other:
    """Another process, forked, that plays a part: `part(pipe, *args)`. Killed at the end if it still lives."""

    def __init__(self, part: Callable[..., None], *args: Any) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_play, args=(part, theirs, args), daemon=True)
        self.process.start()
        theirs.close()

    def __enter__(self) -> Other:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.pipe.close()

    def says(self) -> Any:
        """What it sends next."""
        assert self.pipe.poll(5), "the other process says nothing"
        return self.pipe.recv()

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.join()


def _play(part: Callable[..., None], pipe: Connection, args: Sequence[Any]) -> None:
    part(pipe, *args)
    pipe.send("done")
    pipe.recv()
