"""What must be known of a machine to read its numbers."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from sdcore.cli.bench.memory import slab_source
from sdcore.cli.bench.model import Machine

CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
CPUINFO = Path("/proc/cpuinfo")


def describe() -> Machine:
    """Read it from the kernel. Blocks only on /proc."""
    cpuinfo = CPUINFO.read_text("utf-8", errors="replace")
    return Machine(
        cpu=_model(cpuinfo),
        cores=cores(),
        hypervisor=" hypervisor" in cpuinfo,
        kernel=platform.release(),
        congestion_control=CONGESTION.read_text("ascii").strip(),
        slab_source=slab_source(),
        load_before=os.getloadavg()[0],
    )


def cores() -> tuple[int, ...]:
    """Cores that this process may use, in order."""
    return tuple(sorted(os.sched_getaffinity(0)))


def pair() -> tuple[int, int]:
    """Two cores to measure on, the last ones: the first often serve interrupts. The same one twice if there is one."""
    usable = cores()
    return usable[-2] if len(usable) > 1 else usable[0], usable[-1]


def _model(cpuinfo: str) -> str:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "CPU part"):
            return value.strip()
    return platform.machine()
