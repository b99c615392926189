"""What moves the bytes of a socket.

mode NEW       nothing decided yet         mode OFFERED   client: bytes go into the ring, not accepted yet
mode RING      the rings move the bytes    mode PENDING   server: hinted, the offer is not found yet
mode KERNEL    kernel TCP moves them
"""

from __future__ import annotations

from enum import Enum


class Mode(Enum):
    """What moves the bytes."""

    NEW = "new"
    OFFERED = "offered"
    PENDING = "pending"
    RING = "ring"
    KERNEL = "kernel"
    CLOSED = "closed"
