"""A process under test: the harness, driven line by line."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SANITIZED_BADLY = "ERROR: AddressSanitizer", "runtime error:"


@dataclass(frozen=True)
class Lease:
    """What the library knows of a lease.

    Attributes:
        place: address at which its slab is mapped.
    """

    lease_id: int
    listener_id: int
    place: str


@dataclass(frozen=True)
class Listening:
    """A listening socket of the process. `listener_id` is 0 if no monitor knows it."""

    listener_id: int
    fd: int
    port: int


class Driven:
    """Use as a context manager; leaving it checks that the process ended well."""

    def __init__(self, harness: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [harness], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Driven:
        return self

    def __exit__(self, *exc: object) -> None:
        _, errors = self._process.communicate(timeout=20)
        if exc[0] is None:
            assert not any(word in errors for word in SANITIZED_BADLY), errors
            assert self._process.returncode == 0, errors

    def ask(self, command: str) -> str:
        """Send one command, return its line of answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer, f"the process ended at {command!r}: {self._process.communicate()[1]}"
        return answer

    def lease(self, port: int, *, ip: str = "127.0.0.1", full: Lease | None = None) -> Lease | str:
        """Ask for a lease; a string is the reason for having none."""
        command = f"further {ip} {port} {full.lease_id}" if full else f"lease {ip} {port}"
        word, *rest = self.ask(command).split()
        return rest[0] if word == "none" else Lease(int(rest[0]), int(rest[1]), rest[2])

    def granted(self, port: int, full: Lease | None = None) -> Lease:
        """Ask for a lease and get one."""
        lease = self.lease(port, full=full)
        assert isinstance(lease, Lease), lease
        return lease

    def listen(self, port: int = 0) -> Listening:
        """Listen on a new socket."""
        _, listener_id, _, fd, _, bound = self.ask(f"listen {port}").split()
        return Listening(int(listener_id), int(fd), int(bound))

    def leases(self, listening: Listening, *, refresh: bool = True) -> list[int]:
        """The leases of a listener, newest first."""
        return [int(word) for word in self.ask(f"{'leases' if refresh else 'known'} {listening.fd}").split()[1:]]

    def listener_id(self, listening: Listening) -> int:
        """The number that the monitor gave, as it stands in the socket object now."""
        return int(self.ask(f"listener {listening.fd}").split()[1])

    def process_id(self) -> int:
        """The monitor's number for the process, 0 if it is not attached."""
        return int(self.ask("process").split()[1])

    def counts(self) -> tuple[int, int]:
        """Open descriptors, mapped slabs."""
        _, fds, _, maps = self.ask("fds").split()
        return int(fds), int(maps)

    def sleep(self, seconds: float) -> None:
        """Let the process sleep."""
        self.ask(f"sleep {int(seconds * 1000)}")

    def fork(self) -> None:
        """From now on the forked child answers, until `end_child`."""
        assert self.ask("fork") == "forked"

    def end_child(self) -> None:
        """The child ends; its parent answers again."""
        assert self.ask("exit") == "child 0"
