"""How a call waits, told by its system calls and not by the clock: see shim/waits.c.

A yield that takes longer than a millisecond gave the core to others for a whole slice. The waits after it do without
for as long as it took, after the next one in a row for twice as long, up to 32 times; the sleep that they begin with is
a nap, one futex call.
"""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.native.shim_programs import build
from tests.support.host import Host

LOST_MS = 3
LOST_NS = LOST_MS * 1_000_000
TIMES_MOST = 32
"""YIELD_LOST_PAUSE in core/wait.c."""


class Wait(NamedTuple):
    """The system calls of one wait."""

    began_ns: int
    yielded_ns: int
    yields: int
    futexes: int
    polls: int


def waits(count: int, delay_ms: int, host: Host, folder: Path) -> list[Wait]:
    """Wait so often for nothing, a millisecond each."""
    host.start_monitor()
    words = (str(build("waits", folder)), str(count), str(delay_ms))
    done = subprocess.run(
        words, env=host.environment(shim=True), capture_output=True, text=True, timeout=60, check=True
    )
    assert host.sums().tcp_bytes == 0, "measured the kernel"
    return [Wait(*map(int, line.split())) for line in done.stdout.splitlines()]


def test_after_a_lost_yield_waits_do_without_for_a_while(own_host: Host, tmp_path: Path) -> None:
    lost = [wait for wait in waits(600, LOST_MS, own_host, tmp_path) if wait.yields]
    assert len(lost) > 6, "never tried a yield again"
    assert all(wait.yields < 10 for wait in lost), "went on yielding after one was lost"
    for number, (wait, following) in enumerate(pairwise(lost)):
        assert following.began_ns >= wait.yielded_ns + min(2**number, TIMES_MOST) * LOST_NS


def test_a_short_wait_naps(own_host: Host, tmp_path: Path) -> None:
    seen = waits(10, 0, own_host, tmp_path)
    assert all(wait.futexes for wait in seen)
    assert sum(wait.polls for wait in seen) < len(seen)
