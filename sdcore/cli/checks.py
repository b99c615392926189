"""What a host must have for sdcore, and what makes it fast: one function for each fact, tried and not guessed.

`ok`: as good as can be. `slow`: works, and the advice says what would be better. `missing`: connections would use
kernel TCP until it is there.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import resource
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sdcore.monitor import kernel, memory, paths
from sdcore.protocol import layout

Verdict = Literal["ok", "slow", "missing"]

MEMBARRIER_NUMBER = {"x86_64": 324, "aarch64": 283, "riscv64": 283, "ppc64le": 365, "s390x": 356}
MEMBARRIER_GLOBAL_EXPEDITED = 1 << 1
MEMBARRIER_REGISTER_GLOBAL_EXPEDITED = 1 << 2
TCP_SAVE_SYN = 27
KERNEL_LEAST = (5, 14)
DESCRIPTORS_GOOD = 4096
MIB = 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check.
        verdict: ok, slow or missing.
        found: the fact, in a few words.
        advice: what would make it better; empty if nothing would.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def kernel_version() -> Finding:
    """Socket and namespace cookies came with Linux 5.14."""
    release = platform.release()
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers >= KERNEL_LEAST:
        return Finding("kernel", "ok", f"Linux {release}")
    return Finding("kernel", "missing", f"Linux {release}", "use Linux 5.14 or later, for SO_NETNS_COOKIE")


def membarrier() -> Finding:
    """Without membarrier each publish in a ring needs a full fence."""
    number = MEMBARRIER_NUMBER.get(platform.machine())
    commands = ctypes.CDLL(None, use_errno=True).syscall(number, 0, 0) if number else -1
    wanted = MEMBARRIER_GLOBAL_EXPEDITED | MEMBARRIER_REGISTER_GLOBAL_EXPEDITED
    if commands >= 0 and commands & wanted == wanted:
        return Finding("membarrier", "ok", "global expedited")
    return Finding("membarrier", "slow", "not available", "use Linux 4.16 or later and let seccomp pass membarrier")


def memfd() -> Finding:
    """Sealed memory is what processes share."""
    try:
        os.close(memory.make("sdcore-doctor", mmap.PAGESIZE, b""))
    except OSError as error:
        return Finding("memfd", "missing", f"sealing failed: {error.strerror}", "let seccomp pass memfd_create")
    return Finding("memfd", "ok", "sealing works")


def slab() -> Finding:
    """A slab must fit the limits on address space and file size."""
    advice = f"allow {layout.SLAB_BYTES // MIB} MiB: ulimit -v unlimited; ulimit -f unlimited"
    try:
        trial = memory.Slab(0, 0, heavy_fence=False)
    except OSError as error:
        return Finding("slab", "missing", f"cannot be made: {error.strerror}", advice)
    try:
        mmap.mmap(trial.fd, layout.SLAB_BYTES).close()
    except OSError as error:
        return Finding("slab", "missing", f"cannot be mapped: {error.strerror}", advice)
    finally:
        trial.close()
    return Finding("slab", "ok", f"{layout.SLAB_BYTES // MIB} MiB made and mapped, committed as used")


def pidfd() -> Finding:
    """The monitor learns from a pidfd that a process died."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError) as error:
        return Finding("pidfd", "missing", f"not available: {error}", "use Linux 5.3 or later")
    return Finding("pidfd", "ok", "available")


def saved_syn() -> Finding:
    """A server sees in the saved SYN that a client will offer shared memory."""
    with socket.socket() as listener:
        try:
            listener.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
        except OSError as error:
            return Finding("TCP_SAVE_SYN", "missing", f"refused: {error.strerror}", "use Linux 4.3 or later")
    return Finding("TCP_SAVE_SYN", "ok", "available")


def cookies() -> Finding:
    """Cookies tell the monitor which socket and which network namespace it was shown."""
    with socket.socket() as sock:
        try:
            kernel.identify_socket(sock.fileno())
        except kernel.WrongDescriptor as error:
            return Finding("cookies", "missing", str(error), "use Linux 5.14 or later")
    return Finding("cookies", "ok", "sockets and namespaces can be told apart")


def descriptors() -> Finding:
    """Companions, doorbells and slabs are descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= DESCRIPTORS_GOOD:
        return Finding("descriptors", "ok", f"{soft} allowed")
    return Finding("descriptors", "slow", f"{soft} allowed", f"for many connections: ulimit -n {min(65536, hard)}")


def processors() -> Finding:
    """Two processes that spin on two cores are the fastest case."""
    count = len(os.sched_getaffinity(0))
    if count > 1:
        return Finding("processors", "ok", f"{count} usable")
    return Finding("processors", "slow", "1 usable", "with a second core, two programs need not take turns")


def congestion_control() -> Finding:
    """Concerns what stays on kernel TCP."""
    name = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text("ascii").strip()
    if name != "bbr":
        return Finding("kernel TCP", "ok", f"congestion control {name}")
    advice = "connections on loopback that stay on kernel TCP stream faster with cubic"
    return Finding("kernel TCP", "slow", "congestion control bbr", advice)


def monitor() -> Finding:
    """`sdcore run` starts a monitor, if its directory can be used."""
    try:
        runtime = paths.find(os.environ, os.getuid())
        if paths.serves(runtime):
            return Finding("monitor", "ok", f"serves at {runtime.socket}")
        paths.examine(runtime)
    except paths.RuntimeDirError as error:
        return Finding("monitor", "missing", str(error), "set SDCORE_RUNTIME_DIR to a directory of your own, mode 0700")
    return Finding("monitor", "ok", "none serves; sdcore run starts one")


def configuration() -> Finding:
    """A configuration that is wrong keeps the monitor from starting."""
    from sdcore import config

    try:
        config.load()
    except config.ConfigError as error:
        return Finding("configuration", "missing", str(error), "correct that line")
    return Finding("configuration", "ok", "valid")


def library() -> Finding:
    """The library must be there, and the dynamic loader must take it."""
    from sdcore.native import LibraryNotFoundError, library_path

    try:
        path = library_path()
    except LibraryNotFoundError as error:
        return Finding("library", "missing", str(error).partition(";")[0], "install socksdirect again")
    environ = {**os.environ, "LD_PRELOAD": str(path), "SDCORE_DISABLE": "1"}
    trial = subprocess.run(["/bin/true"], env=environ, capture_output=True, text=True, timeout=10, check=False)
    if trial.returncode != 0 or trial.stderr:
        fault = (trial.stderr.strip().splitlines() or [f"/bin/true ended with {trial.returncode}"])[0]
        return Finding("library", "missing", fault, "build the library on this host")
    return Finding("library", "ok", str(path))


def privileges() -> Finding:
    """The dynamic loader drops our preload where a program gains rights by being executed."""
    with open("/proc/self/status", "rb") as status:
        no_new = b"NoNewPrivs:\t1" in status.read()
    found = "no program here gains rights" if no_new else "setuid programs ignore the preload and use kernel TCP"
    return Finding("setuid", "ok", found)


CHECKS: tuple[Callable[[], Finding], ...] = (
    kernel_version,
    membarrier,
    memfd,
    slab,
    pidfd,
    saved_syn,
    cookies,
    descriptors,
    processors,
    congestion_control,
    configuration,
    monitor,
    library,
    privileges,
)


def all_findings() -> Iterator[Finding]:
    """Every check, in order. Takes about a tenth of a second."""
    return (check() for check in CHECKS)
