"""What goes wrong on purpose: deaths, no monitor, no memory, peers that write garbage."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.semantics.scenarios import build
from tests.support.fixtures import host, own_host, processes

__all__ = ["host", "own_host", "processes", "program"]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenarios of tests/semantics."""
    return build(tmp_path_factory.mktemp("faults") / "semantics", "-O1")
