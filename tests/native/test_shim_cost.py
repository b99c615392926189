"""What a call costs that is not ours, counted in instructions: time says little on a busy machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.native.shim_programs import build
from tests.support.host import Host

CALLS = 20_000
INSTRUCTIONS_MAX = 20


def instructions(program: Path, calls: int, environ: dict[str, str], folder: Path) -> int:
    """Count the instructions of a run, by callgrind."""
    words = (
        "valgrind",
        "--tool=callgrind",
        f"--callgrind-out-file={folder / 'callgrind.out'}",
        str(program),
        str(calls),
    )
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=100, check=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1])


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind counts instructions; it is not installed")
def test_a_call_that_is_not_ours_costs_few_instructions(tmp_path: Path, own_host: Host) -> None:
    program = build("reads", tmp_path)

    def per_call(environ: dict[str, str]) -> float:
        few, many = (instructions(program, calls, environ, tmp_path) for calls in (CALLS, 2 * CALLS))
        return (many - few) / CALLS

    extra = per_call(own_host.environment(shim=True)) - per_call(own_host.environment(shim=False))
    assert 0 < extra <= INSTRUCTIONS_MAX
