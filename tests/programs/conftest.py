"""Real programs, each in all four combinations of with and without the library at server and client."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fixtures import host, processes
from tests.support.host import Host

__all__ = ["host", "processes", "shared_host"]


@pytest.fixture(scope="session")
def shared_host() -> Iterator[Host]:
    """A monitor for all users, since the server is not ours; with a library that its user may read."""
    host = Host(system=os.geteuid() == 0)
    try:
        host.start_monitor()
        host.library = Path(shutil.copy(host.library, host.directory / "libsd.so"))
        host.library.chmod(0o755)
        yield host
    finally:
        host.close()
