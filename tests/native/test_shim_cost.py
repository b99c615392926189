"""What calls cost, ours and others, counted in instructions: time says little on a busy machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sdcore.native import library_path, recording_library_path
from tests.native.shim_programs import build
from tests.support.host import Host
from tests.support.processes import wait_until

CALLS = 20_000
INSTRUCTIONS_MAX = 20
NEEDS_VALGRIND = pytest.mark.skipif(
    shutil.which("valgrind") is None, reason="valgrind counts instructions; it is not installed"
)


def instructions(words: tuple[str, ...], environ: dict[str, str], folder: Path) -> int:
    """Count the instructions of a run, by callgrind."""
    words = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'callgrind.out'}", *words)
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=100, check=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1])


def functions(library: Path) -> str:
    """Return the names of what was compiled into a library."""
    return subprocess.run(("nm", str(library)), capture_output=True, text=True, check=True).stdout


@NEEDS_VALGRIND
def test_a_call_that_is_not_ours_costs_few_instructions(tmp_path: Path, own_host: Host) -> None:
    program = build("reads", tmp_path)

    def per_call(environ: dict[str, str]) -> float:
        few, many = (instructions((str(program), str(calls)), environ, tmp_path) for calls in (CALLS, 2 * CALLS))
        return (many - few) / CALLS

    extra = per_call(own_host.environment(shim=True)) - per_call(own_host.environment(shim=False))
    assert 0 < extra <= INSTRUCTIONS_MAX


@NEEDS_VALGRIND
@pytest.mark.parametrize(
    ("what", "times", "most"),
    [("transfer", 5000, 245), ("echo", 2000, 1640), ("connect", 200, 5700), ("shared", 2000, 790)],
)
def test_a_call_that_is_ours_costs_few_instructions(
    what: str, times: int, most: int, tmp_path: Path, own_host: Host
) -> None:
    own_host.start_monitor()
    program = build("ours", tmp_path)
    environ = own_host.environment(shim=True)
    few, many = (instructions((str(program), what, str(n)), environ, tmp_path) for n in (times, 2 * times))
    wait_until(lambda: own_host.sums().shm_bytes > 0, "the bytes are counted")
    assert own_host.sums().tcp_bytes == 0, "measured the kernel"
    assert 0 < (many - few) / times <= most


def test_the_ordinary_library_has_nothing_of_the_recorder() -> None:
    ordinary, recording = library_path(), recording_library_path()
    assert b"SDCORE_RECORD" in recording.read_bytes()
    assert b"SDCORE_RECORD" not in ordinary.read_bytes()
    assert "sd_record" in functions(recording)
    assert "sd_record" not in functions(ordinary)  # the names of functions that vanished stand in what debuggers read
