"""Build the scenarios once, with the warnings of the project, and once more fortified."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.fixtures import host, processes

__all__ = ["fortified_program", "host", "processes", "program"]

SOURCES = Path(__file__).parent / "c"
FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-g", "-Wall", "-Wextra", "-Werror", "-pthread")


def build(target: Path, *more: str) -> Path:
    """Compile all scenarios into one program."""
    words = ["cc", *FLAGS, *more, *sorted(map(str, SOURCES.glob("*.c"))), "-o", str(target)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenarios, compiled plainly."""
    return build(tmp_path_factory.mktemp("semantics") / "semantics", "-O1")


@pytest.fixture(scope="session")
def fortified_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenarios, compiled as distributions do: checked variants of libc's functions, 64-bit offsets."""
    flags = ("-O2", "-D_FORTIFY_SOURCE=2", "-D_FILE_OFFSET_BITS=64", "-Wno-error=unused-result", "-Wno-unused-result")
    return build(tmp_path_factory.mktemp("semantics") / "semantics-fortified", *flags)
