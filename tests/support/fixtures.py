"""Fixtures of the tests that run programs. A conftest.py imports those that its folder needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.host import Host
from tests.support.processes import Processes


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """A monitor for the whole run of a folder."""
    shared = Host()
    try:
        shared.start_monitor()
        yield shared
    finally:
        shared.close()


@pytest.fixture
def own_host() -> Iterator[Host]:
    """A monitor for one test alone, which may kill it. Not started yet."""
    private = Host()
    yield private
    private.close()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Programs of one test; what still runs at its end is killed."""
    with Processes(tmp_path) as group:
        yield group
