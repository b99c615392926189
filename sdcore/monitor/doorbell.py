"""Ringing the doorbells of processes that sleep.

A doorbell is an abstract Unix datagram socket. The names come from memory that peers write, so the worst that a false
one does is to wake a thread for nothing. Ringing never blocks: a full doorbell has been rung already.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable


class Ringer:
    """Rings doorbells in the monitor's network namespace, to which abstract names belong. Owns one socket."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)

    def close(self) -> None:
        """Ring no more."""
        self._socket.close()

    def ring(self, names: Iterable[int]) -> int:
        """Ring each; returns how many could be rung. One that is gone or full needs no ring."""
        return sum(self._ring_one(name) for name in names)

    def _ring_one(self, name: int) -> bool:
        try:
            self._socket.sendto(b"\x01", f"\0sdcore-{name:08x}")
        except OSError:
            return False
        return True
