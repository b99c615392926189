"""Install the programs and headers that a job needs from the system: `python tools/system_packages.py GROUP...`.

A thing that is already there, from wherever, is not installed. As root on a system with apt the rest is installed; else
this stops with the one line to type, exit status 1. Servers are installed, never started. Only the standard library is
used, since this runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
TURNS = Path("/run/lock/sdcore-system-packages")
APT_WAITS = ("-o", "DPkg::Lock::Timeout=300")  # in seconds, for programs that take no turns here
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def program(name: str) -> Callable[[], bool]:
    """Tell whether a program of this name can be started."""
    return lambda: shutil.which(name, path=SEARCH_PATH) is not None


def found(pattern: str) -> Callable[[], bool]:
    """Tell whether any file has a path of this pattern, which is absolute."""
    return lambda: any(Path("/").glob(pattern.lstrip("/")))


def header(path: Path) -> Callable[[], bool]:
    """Tell whether this header file exists."""
    return path.is_file


@dataclass(frozen=True)
class Need:
    """A Debian package and the test that tells whether what we want of it is there."""

    package: str
    present: Callable[[], bool]


BUILD = (
    Need("gcc", program("gcc")),
    Need("libc6-dev", header(Path("/usr/include/stdio.h"))),
    Need("linux-libc-dev", header(Path("/usr/include/linux/membarrier.h"))),
    Need("python3-dev", header(Path(sysconfig.get_path("include"), "Python.h"))),
)
REDIS = (Need("redis-server", program("redis-server")), Need("redis-tools", program("redis-benchmark")))

GROUPS: dict[str, tuple[Need, ...]] = {
    "build": BUILD,
    "demo": REDIS,
    "programs": (
        *REDIS,
        Need("apache2-bin", program("apache2")),
        Need("apache2-utils", program("ab")),
        Need("curl", program("curl")),
        Need("default-jdk-headless", program("javac")),
        Need("gdb", program("gdb")),
        Need("gunicorn", program("gunicorn")),
        Need("haproxy", program("haproxy")),
        Need("iperf3", program("iperf3")),
        Need("mariadb-client-core", program("mariadb")),
        Need("mariadb-server-core", program("mariadbd")),
        Need("memcached", program("memcached")),
        Need("nginx-light", program("nginx")),
        Need("nodejs", program("node")),
        Need("openssh-server", program("sshd")),
        Need("openssl", program("openssl")),
        Need("postgresql", found("/usr/lib/postgresql/*/bin/initdb")),
        Need("socat", program("socat")),
        Need("strace", program("strace")),
        Need("wrk", program("wrk")),
    ),
    "tests": (
        Need("git", program("git")),
        Need("iproute2", program("ip")),
        Need("make", program("make")),
        Need("valgrind", program("valgrind")),
    ),
    "docs": (Need("graphviz", program("dot")),),
    "package": (Need("git", program("git")),),
}


def missing(groups: list[str]) -> list[str]:
    """Return the packages, sorted, that the groups need and this system lacks."""
    return sorted({need.package for group in groups for need in GROUPS[group] if not need.present()})


@contextmanager
def services_stay_stopped() -> Iterator[None]:
    """Keep the packages installed meanwhile from starting their servers."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def install(packages: list[str]) -> None:
    """Install with apt; raises CalledProcessError with apt's own words on the terminal.

    Waits for others that install: sessions may run side by side, and apt itself fails where another one is at work.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *APT_WAITS, *packages]
    TURNS.parent.mkdir(parents=True, exist_ok=True)
    with TURNS.open("w") as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)
        with services_stay_stopped():
            subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def main(groups: list[str]) -> int:
    """Install what the groups need, or say what to type."""
    unknown = [group for group in groups if group not in GROUPS]
    if unknown or not groups:
        print(f"usage: system_packages.py GROUP...  ({', '.join(GROUPS)})", file=sys.stderr)
        return 2
    packages = missing(groups)
    if not packages:
        return 0
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"missing software; type this first: sudo apt-get install -y {' '.join(packages)}", file=sys.stderr)
        return 1
    print(f"installing {' '.join(packages)}", flush=True)
    install(packages)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
