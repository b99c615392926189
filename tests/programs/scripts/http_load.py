"""Requests without a pause until SIGTERM; tells of every one that was refused, cut or answered wrong.

Usage: http_load.py PORT WAYS NAME=FILE...
WAYS is a list like fresh,kept,slow with one thread for each word:
  fresh  every request on a connection of its own;
  kept   requests on one connection for as long as the server keeps it. A server may close a connection that has no
         request; a request that meets this end gets no byte of an answer, and is sent again on a new connection. That
         is HTTP's own rule, not a failure; it must not happen twice to the same request;
  slow   every request on a connection of its own, its answer read with pauses, so that it takes half a second.
The answer at path /NAME must be what FILE holds. Prints the number of good answers now and then, one a line, and at the
end a JSON object: answers, reopened, failures.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
from pathlib import Path

SLOW_S = 0.5
REPORT_EVERY = 50
FAILURES_MAX = 10


class Cut(Exception):
    """The server ended a connection before the answer was complete."""


class Client:
    """One thread: its connection and its way to read."""

    def __init__(self, load: Load, way: str) -> None:
        self.load = load
        self.way = way
        self.socket: socket.socket | None = None
        self.buffer = b""

    def run(self) -> None:
        """Request one file after the other until the load ends."""
        turn = 0
        while not self.load.ended.is_set():
            name, expected = self.load.files[turn % len(self.load.files)]
            turn += 1
            try:
                right = self.fetch(name) == expected
            except (OSError, Cut) as error:
                self.load.failed(f"{self.way} {name}: {error!r}")
                self.close()
            else:
                self.load.answered() if right else self.load.failed(f"{self.way} {name}: wrong bytes")
        self.close()

    def fetch(self, name: str) -> bytes:
        """One request and its answer."""
        reused = self.socket is not None
        try:
            return self.ask(name)
        except (OSError, Cut):
            if not reused or self.buffer:
                raise
            self.close()
            self.load.reopen()
        return self.ask(name)

    def ask(self, name: str) -> bytes:
        """Send the request on the connection there is, else on a new one; return the body."""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.load.port), timeout=20)
        ending = "keep-alive" if self.way == "kept" else "close"
        self.buffer = b""
        self.socket.sendall(f"GET /{name} HTTP/1.1\r\nHost: localhost\r\nConnection: {ending}\r\n\r\n".encode())
        return self.answer(self.socket)

    def answer(self, source: socket.socket) -> bytes:
        """Read one answer to its end."""
        while b"\r\n\r\n" not in self.buffer:
            self.more(source)
        head, _, body = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        if lines[0].split()[1] != "200":
            raise Cut(lines[0])
        (length,) = (int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
        self.buffer = body
        pause_s = SLOW_S / (length / 100_000 + 1)
        while len(self.buffer) < length:
            if self.way == "slow":
                time.sleep(pause_s)
            self.more(source)
        if "connection: close" in lines:
            self.close()
        return self.buffer

    def more(self, source: socket.socket) -> None:
        """Read what comes next."""
        data = source.recv(100_000)
        if not data:
            raise Cut(f"end after {len(self.buffer)} bytes")
        self.buffer += data

    def close(self) -> None:
        """Close the connection if there is one."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None


class Load:
    """All threads and what they count."""

    def __init__(self, port: int, files: list[tuple[str, bytes]]) -> None:
        self.port = port
        self.files = files
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.answers = 0
        self.reopened = 0
        self.failures: list[str] = []

    def answered(self) -> None:
        """Count a good answer."""
        with self.lock:
            self.answers += 1
            if self.answers % REPORT_EVERY == 0:
                print(self.answers, flush=True)

    def failed(self, what: str) -> None:
        """Keep a failure; after some of them there is nothing to learn from more."""
        with self.lock:
            self.failures.append(what)
            if len(self.failures) >= FAILURES_MAX:
                self.ended.set()

    def reopen(self) -> None:
        """Count an idle connection that the server closed."""
        with self.lock:
            self.reopened += 1


def main(port: str, ways: str, *files: str) -> None:
    """Run until SIGTERM."""
    pairs = [argument.split("=", 1) for argument in files]
    load = Load(int(port), [(name, Path(path).read_bytes()) for name, path in pairs])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    threads = [threading.Thread(target=Client(load, way).run) for way in ways.split(",")]
    for thread in threads:
        thread.start()
    signal.sigwait([signal.SIGTERM])
    load.ended.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"answers": load.answers, "reopened": load.reopened, "failures": load.failures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
