"""Compile the C programs of the tests: each source once, however many processes and sessions of tests want it.

An object stays in build/ under the digest of all that it is made of: the source after the preprocessor, the flags and
the compiler. So whatever changes, also a header, makes another object, and there is nothing to declare stale.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = ROOT / "build" / "test-objects"
UNUSED_S = 86_400.0
COMPILER = "gcc"
COMPILING_S = 120


def call(*words: str) -> bytes:
    """Run the compiler; what it printed. An error of a program's source fails the test with the compiler's words."""
    done = subprocess.run(words, capture_output=True, cwd=ROOT, timeout=COMPILING_S, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@cache
def compiler_version() -> bytes:
    """What tells one compiler from another."""
    return call(COMPILER, "--version")


def build_program(target: Path, sources: Sequence[Path], flags: Sequence[str], link: Sequence[str] = ()) -> Path:
    """Compile the sources, as far as their objects are not there yet, and link them; `link` is for the linker alone."""
    OBJECTS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda source: compiled(source, flags), sources))
    call(COMPILER, *flags, "-o", str(target), *map(str, objects), *link)
    return target


def compiled(source: Path, flags: Sequence[str]) -> Path:
    """The object of one source."""
    digest = hashlib.sha256(compiler_version())
    digest.update("\0".join(flags).encode())
    digest.update(call(COMPILER, *flags, "-E", str(source)))
    kept = OBJECTS / f"{digest.hexdigest()}.o"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who wants the same one waits for it
        if not kept.exists():
            forget_unused()
            made = kept.with_suffix(".new")
            call(COMPILER, *flags, "-c", str(source), "-o", str(made))
            made.replace(kept)
        os.utime(kept)
    return kept


def forget_unused() -> None:
    """Remove the objects that no test has wanted for a day."""
    for path in OBJECTS.iterdir():
        with suppress(FileNotFoundError):  # others forget too
            if path.stat().st_mtime < time.time() - UNUSED_S:
                path.unlink()
