"""How much of the host's memory some processes and their sockets take.

A sum of what the kernel counts apart, so that nothing is counted twice:

    Slab        sockets, buffers' heads, file objects, inodes (/proc/meminfo)
    Shmem       shared memory of everybody, so a segment that two processes map counts once (/proc/meminfo)
    PageTables  what it costs to map it (/proc/meminfo)
    TCP mem     pages held by TCP buffers (/proc/net/sockstat)
    RssAnon     private memory of the processes (/proc/PID/status)

The first four are the whole host's: other work on it is noise, so measure a thousand connections and the median of
several differences. The kernel keeps some freed slab pages, so a difference may be slightly too small.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

MEMINFO = ("Slab", "Shmem", "PageTables")


def used_bytes(pids: Iterable[int]) -> int:
    """The sum now, in bytes, with the private memory of `pids`.

    Raises:
        OSError: one of the processes is gone.
    """
    host = _sum_kib(Path("/proc/meminfo"), MEMINFO)
    private = sum(_sum_kib(Path(f"/proc/{pid}/status"), ("RssAnon",)) for pid in pids)
    return (host + private) * 1024 + _tcp_pages() * os.sysconf("SC_PAGESIZE")


def _sum_kib(path: Path, names: Iterable[str]) -> int:
    text = path.read_text("ascii", errors="replace")
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return sum(int(found[name]) for name in names)


def _tcp_pages() -> int:
    line = re.search(r"^TCP:.* mem (\d+)", Path("/proc/net/sockstat").read_text("ascii"), re.MULTILINE)
    return int(line[1]) if line else 0
