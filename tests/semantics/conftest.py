"""Build the scenarios once plainly, and once as distributions do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.semantics.scenarios import build
from tests.support.fixtures import host, own_host, processes

__all__ = ["fortified_program", "host", "own_host", "processes", "program"]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenarios, compiled plainly."""
    return build(tmp_path_factory.mktemp("semantics") / "semantics", "-O1")


@pytest.fixture(scope="session")
def fortified_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenarios with checked variants of libc's functions and 64-bit offsets."""
    flags = ("-O2", "-D_FORTIFY_SOURCE=2", "-D_FILE_OFFSET_BITS=64", "-Wno-unused-result")
    return build(tmp_path_factory.mktemp("semantics") / "semantics-fortified", *flags)
