"""C programs of laws that are compiled together with the whole core, once plainly and once with each sanitizer."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.compiler import build_program

NATIVE = Path(__file__).parents[2] / "sdcore" / "native"
PAIRS = Path(__file__).parent / "epoll"
"""Where pair.c is: connections without a kernel, for all of these programs."""
VARIANTS = {
    "plain": (),
    "address": ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
    # The thread sanitizer does not know fences; no test counts on one alone.
    "thread": ("-fsanitize=thread", "-Wno-tsan"),
}
FLAGS = (
    "-std=gnu11",
    "-g",
    "-O1",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-D_GNU_SOURCE",
    "-fvisibility=hidden",
    f"-I{NATIVE}",
    f"-I{PAIRS}",
)
RUN_S = 90


def laws_of(folder: Path, names: Iterable[str]) -> list[str]:
    """The laws that some source files list, in order; an array of each file names them with their functions."""
    listed = re.compile(r'^    \{"(\w+)",\s+\w+\},$', re.MULTILINE)
    return [law for name in names for law in listed.findall((folder / f"{name}.c").read_text())]


def build(target: Path, variant: str, sources: Sequence[Path], wrapped: Sequence[str]) -> Path:
    """Compile sources with the core; calls of the `wrapped` functions sd_NAME go to the sources' own __wrap_sd_NAME."""
    everything = [*sorted((NATIVE / "core").glob("*.c")), *sources]
    wrap = "-Wl," + ",".join(f"--wrap=sd_{name}" for name in wrapped)
    return build_program(target, everything, (*FLAGS, *VARIANTS[variant]), (wrap, "-lpthread"))


def run(program: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the program with no preload: the sanitizers are linked in."""
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"} | {
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
        "TSAN_OPTIONS": "halt_on_error=1",
    }
    return subprocess.run(
        [str(program), *args], check=False, env=environment, capture_output=True, text=True, timeout=RUN_S
    )
