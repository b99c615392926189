"""The laws of the core's transfers, tokens, moves and ends, in C, alone and under the sanitizers.

Both ends of every connection live in one process, joined by a slab of the test's own; see ../epoll/pair.h. Each law is
a function in one of the C files here, named as it is here.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.compiler import build_program

HERE = Path(__file__).parent
PAIRS = HERE.parent / "epoll"
NATIVE = HERE.parents[2] / "sdcore" / "native"
LAWS = [
    law
    for name in ("streams", "tokens", "hostile", "moves", "ends", "offers")
    for law in re.findall(r'^    \{"(\w+)",\s+\w+\},$', (HERE / f"{name}.c").read_text(), re.MULTILINE)
]
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
# What pair.c wraps, and what the tests here do: they act in the moment between two steps of the core.
WRAPPED = ("set_announce", "arm", "watch_room", "fence_sleeper", "attend", "release_slot", "leases_of")
WRAP = "-Wl," + ",".join(f"--wrap=sd_{name}" for name in WRAPPED)
VARIANTS = {
    "plain": (),
    "address": ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
    # The thread sanitizer does not know fences; no test counts on one alone.
    "thread": ("-fsanitize=thread", "-Wno-tsan"),
}


@pytest.fixture(scope="module", params=VARIANTS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests, compiled with the whole core."""
    target = tmp_path_factory.mktemp("core") / f"core-{request.param}"
    sources = [*sorted((NATIVE / "core").glob("*.c")), *sorted(HERE.glob("*.c")), PAIRS / "pair.c"]
    return build_program(target, sources, (*FLAGS, *VARIANTS[request.param]), (WRAP, "-lpthread"))


def run(program: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the program with no preload: the sanitizers are linked in."""
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"} | {
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
        "TSAN_OPTIONS": "halt_on_error=1",
    }
    return subprocess.run(
        [str(program), *args], check=False, env=environment, capture_output=True, text=True, timeout=90
    )


def test_every_law_is_run(program: Path) -> None:
    assert run(program).stdout.split() == LAWS


@pytest.mark.parametrize("law", LAWS)
def test_core(program: Path, law: str) -> None:
    outcome = run(program, law)
    assert outcome.returncode == 0, outcome.stderr
