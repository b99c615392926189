"""One monitor for each runtime directory, for as long as its process lives.

The lock is `flock` on a file that is never removed: it goes with the process however that ends, and no order of
starting, stopping and unlinking lets two processes hold it. Who holds it may remove a stale socket.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class AlreadyServed(Exception):
    """Another monitor holds the lock."""


def acquire(path: Path) -> int:
    """Take the lock; the descriptor must stay open. Does not block.

    Raises:
        AlreadyServed: somebody has it.
        OSError: the file cannot be opened.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise AlreadyServed(f"{path}: another monitor serves here") from None
    return lock


def write_pid(lock: int) -> None:
    """Write who serves into the lock's file, for people."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
