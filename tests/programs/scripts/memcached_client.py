"""A client of memcached's text protocol: several threads, values of many sizes.

Usage: memcached_client.py PORT, or the path of a Unix socket.
"""

from __future__ import annotations

import socket
import sys
import threading

SIZES = (0, 1, 100, 1023, 4096, 70_000, 500_000)
ROUNDS = 20
THREADS = 8


def value(key: str, size: int) -> bytes:
    """What is stored at a key."""
    return (key.encode() * (size // len(key) + 1))[:size]


class Client:
    """One connection."""

    def __init__(self, place: str) -> None:
        if place.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(10)
            self.socket.connect(place)
        else:
            self.socket = socket.create_connection(("127.0.0.1", int(place)), timeout=10)
        self.file = self.socket.makefile("rb")

    def ask(self, command: bytes) -> bytes:
        """Send a command, return the first line of the answer."""
        self.socket.sendall(command)
        return self.file.readline()

    def set(self, key: str, data: bytes) -> None:
        """Store a value."""
        assert self.ask(b"set %s 0 0 %d\r\n%s\r\n" % (key.encode(), len(data), data)) == b"STORED\r\n"

    def get(self, keys: list[str]) -> dict[str, bytes]:
        """Fetch several values at once."""
        found = {}
        line = self.ask(b"get %s\r\n" % " ".join(keys).encode())
        while line != b"END\r\n":
            _, key, _, size = line.split()
            found[key.decode()] = self.file.read(int(size))
            assert self.file.read(2) == b"\r\n"
            line = self.file.readline()
        return found


def work(place: str, number: int, failures: list[str]) -> None:
    """One thread's share."""
    client = Client(place)
    for turn in range(ROUNDS):
        expected = {f"k{number}-{turn}-{size}": value(f"k{number}", size) for size in SIZES}
        for key, data in expected.items():
            client.set(key, data)
        if client.get(list(expected)) != expected:
            failures.append(f"thread {number}, turn {turn}")
        for key in expected:
            assert client.ask(b"delete %s\r\n" % key.encode()) == b"DELETED\r\n"
    assert client.ask(b"version\r\n").startswith(b"VERSION")


def main() -> int:
    """Run all threads; the exit code says whether every value came back."""
    failures: list[str] = []
    threads = [threading.Thread(target=work, args=(sys.argv[1], n, failures)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = Client(sys.argv[1]).ask(b"stats\r\n")
    print(f"{len(failures)} failures, {stats!r}")
    return 1 if failures else 0


sys.exit(main())
