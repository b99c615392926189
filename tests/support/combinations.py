"""The four ways to run a client and a server: each with and without the library."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.support.host import Host, Sums
from tests.support.processes import wait_until


@dataclass(frozen=True)
class Combination:
    """Which end runs under the library."""

    server: bool
    client: bool

    def __str__(self) -> str:
        return "-".join("sdcore" if shim else "kernel" for shim in (self.server, self.client))

    @property
    def accelerated(self) -> bool:
        """Whether connections must go by shared memory."""
        return self.server and self.client

    def check(self, moved: Sums, bytes_min: int = 1) -> None:
        """Fail unless the bytes went the way that this combination must take.

        With the library at both ends at least `bytes_min` bytes (each counted at both ends) went by shared memory, and
        more than by kernel TCP. With it at one end none did, and the kernel's were counted.
        """
        if self.accelerated:
            assert moved.shm_bytes >= bytes_min, f"fell back to kernel TCP: {moved}"
            assert moved.shm_bytes > moved.tcp_bytes, f"most bytes went by kernel TCP: {moved}"
        else:
            assert moved.shm_bytes == 0, f"shared memory with a program that lacks the library: {moved}"
        if self.server != self.client:
            assert moved.tcp_bytes > 0, f"no byte was counted: {moved}"


COMBINATIONS = tuple(Combination(server, client) for server in (False, True) for client in (False, True))
BOTH = Combination(server=True, client=True)
every_combination = pytest.mark.parametrize("combination", COMBINATIONS, ids=str)

# Where a test is slow: the library at both ends, and all four in the session `programs`.
main_combination = pytest.mark.parametrize(
    "combination", COMBINATIONS if os.environ.get("SDCORE_PROGRAMS") == "all" else (BOTH,), ids=str
)


class Meter:
    """Counts what moves between its making and `check`."""

    def __init__(self, host: Host, combination: Combination) -> None:
        self._host = host
        self._combination = combination
        self._before = host.sums()

    def check(self, bytes_min: int = 1) -> Sums:
        """Compare with what the combination demands; see `Combination.check`."""
        if self._combination.accelerated:  # what lives still counts its bytes when it is cheap, all at its end
            with suppress(AssertionError):
                wait_until(lambda: self._shm_bytes() >= bytes_min, "the bytes are counted", timeout_s=3, pause_s=0.2)
        moved = self._host.printed_sums().since(self._before)
        self._combination.check(moved, bytes_min)
        return moved

    def _shm_bytes(self) -> int:
        return self._host.sums().since(self._before).shm_bytes
