"""How much of the host's memory some processes and their sockets take.

A sum of what the kernel counts apart, so that nothing is counted twice:

    slab        sockets, buffers' heads, file objects, inodes: objects in use by /proc/slabinfo where it may be read
                (root), else whole slabs by /proc/meminfo
    Shmem       shared memory of everybody, so a segment that two processes map counts once (/proc/meminfo)
    PageTables  what it costs to map it (/proc/meminfo)
    TCP mem     pages held by TCP buffers (/proc/net/sockstat)
    RssAnon     private memory of the processes (/proc/PID/status)

All but the last are the whole host's: other work on it is noise, so measure a thousand connections and the median of
several differences. Whole slabs stay when their objects are freed, so without slabinfo the second transport that is
measured finds room left by the first and seems too cheap.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

SLABINFO = Path("/proc/slabinfo")
MEMINFO = Path("/proc/meminfo")
SLABINFO_HEADER_LINES = 2


def slab_source() -> Literal["slabinfo", "meminfo"]:
    """Which of the two this process may read."""
    return "slabinfo" if os.access(SLABINFO, os.R_OK) else "meminfo"


def used_bytes(pids: Iterable[int]) -> int:
    """The sum now, in bytes, with the private memory of `pids`.

    Raises:
        OSError: one of the processes is gone.
    """
    slab = _slab_objects() if slab_source() == "slabinfo" else _sum_kib(MEMINFO, ("Slab",)) * 1024
    shared = _sum_kib(MEMINFO, ("Shmem", "PageTables"))
    private = sum(_sum_kib(Path(f"/proc/{pid}/status"), ("RssAnon",)) for pid in pids)
    return slab + (shared + private) * 1024 + _tcp_pages() * os.sysconf("SC_PAGESIZE")


def _slab_objects() -> int:
    """Bytes of all slab objects in use: the second and the fourth column."""
    lines = SLABINFO.read_text("ascii").splitlines()[SLABINFO_HEADER_LINES:]
    columns = (line.split() for line in lines)
    return sum(int(words[1]) * int(words[3]) for words in columns)


def _sum_kib(path: Path, names: Iterable[str]) -> int:
    text = path.read_text("ascii", errors="replace")
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return sum(int(found[name]) for name in names)


def _tcp_pages() -> int:
    line = re.search(r"^TCP:.* mem (\d+)", Path("/proc/net/sockstat").read_text("ascii"), re.MULTILINE)
    return int(line[1]) if line else 0
