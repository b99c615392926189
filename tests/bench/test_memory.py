"""Memory of processes and of the host is counted in bytes."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys

import pytest

from sdcore.cli.bench import memory

MIB = 1 << 20
ROOM = 64 * MIB


def test_private_memory_counts_when_it_is_touched() -> None:
    before = memory.used_bytes([os.getpid()])
    with mmap.mmap(-1, ROOM, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        for page in range(0, ROOM, mmap.PAGESIZE):
            held[page] = 1
        grown = memory.used_bytes([os.getpid()]) - before
    assert ROOM * 0.8 < grown < ROOM * 1.5


def test_shared_memory_counts_once_for_two_processes() -> None:
    descriptor = os.memfd_create("test")
    os.truncate(descriptor, ROOM)
    before = memory.used_bytes([os.getpid()])
    with mmap.mmap(descriptor, ROOM) as held:
        for page in range(0, ROOM, mmap.PAGESIZE):
            held[page] = 1
        code = f"import mmap,sys; m=mmap.mmap({descriptor},{ROOM}); m.read(); print(1,flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[descriptor]
        ) as other:
            assert other.stdout is not None
            other.stdout.readline()
            grown = memory.used_bytes([os.getpid()]) - before
            other.communicate()
    os.close(descriptor)
    assert ROOM * 0.8 < grown < ROOM * 1.5


def test_a_process_that_is_gone_is_an_error() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with pytest.raises(OSError, match=str(gone.pid)):
        memory.used_bytes([gone.pid])
