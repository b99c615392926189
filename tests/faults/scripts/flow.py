"""One end of a connection whose other end will be killed.

Usage: flow.py listen|connect PORT send|receive|idle|both block|poll|epoll PROGRESS

Bytes follow a pattern by their position. PROGRESS is a file of eight bytes with the number of bytes that were sent or
received until now; it outlives a kill. At the end one line of JSON says how many bytes moved, how many were damaged,
how it ended (eof, or the name of the error) and when (CLOCK_MONOTONIC, which is the same for all processes).
"""

from __future__ import annotations

import errno
import json
import mmap
import select
import socket
import sys
import threading
import time
from collections.abc import Callable

PATTERN = bytes(range(251)) * 800
PERIOD = 251
PIECE = 65_536


def connection(role: str, port: int) -> socket.socket:
    """Make the connection."""
    if role == "connect":
        deadline = time.monotonic() + 10
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port))
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    with socket.create_server(("127.0.0.1", port)) as listener:
        return listener.accept()[0]


def waiter(sock: socket.socket, how: str, event: int) -> Callable[[], object]:
    """What to do before each call: nothing, or wait until the socket is ready."""
    if how == "block":
        return lambda: None
    sock.setblocking(False)
    if how == "poll":
        poller = select.poll()
        poller.register(sock, event)
        return lambda: poller.poll(10_000)
    edge = select.epoll()
    edge.register(sock, event)
    return lambda: edge.poll(10)


class Flow:
    """What moved in one direction."""

    def __init__(self, progress: memoryview) -> None:
        self.progress = progress
        self.moved = self.damaged = 0
        self.end = ""
        self.at = 0.0

    def run(self, step: Callable[[], int]) -> None:
        """Step until the end, then note how it came."""
        try:
            while step():
                self.progress[0] = self.moved
            self.end = "eof"
        except OSError as error:
            self.end = errno.errorcode[error.errno or 0]
        self.at = time.monotonic()


def send(sock: socket.socket, how: str, flow: Flow) -> None:
    """Send until the peer is gone."""
    wait = waiter(sock, how, select.POLLOUT)

    def step() -> int:
        wait()
        start = flow.moved % PERIOD
        try:
            flow.moved += sock.send(PATTERN[start : start + PIECE])
        except BlockingIOError:
            return 1
        return 1

    flow.run(step)


def receive(sock: socket.socket, how: str, flow: Flow) -> None:
    """Receive until the peer is gone."""
    wait = waiter(sock, how, select.POLLIN)

    def step() -> int:
        wait()
        try:
            data = sock.recv(PIECE)
        except BlockingIOError:
            return 1
        start = flow.moved % PERIOD
        flow.damaged += data != PATTERN[start : start + len(data)]
        flow.moved += len(data)
        return len(data)

    flow.run(step)


def main() -> None:
    """Play the part that the command line says."""
    role, port, part, how, path = sys.argv[1:]
    sock = connection(role, int(port))
    with open(path, "r+b") as file:
        progress = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
    flow = Flow(progress)
    print("connected", flush=True)
    if part == "both":
        threading.Thread(
            target=send, args=(sock, "block", Flow(memoryview(bytearray(8)).cast("Q"))), daemon=True
        ).start()
    if part == "send":
        send(sock, how, flow)
    else:
        receive(sock, how, flow)
    report = {"moved": flow.moved, "damaged": flow.damaged, "end": flow.end, "at": flow.at}
    print(json.dumps(report), flush=True)


main()
