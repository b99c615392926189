"""A real monitor process for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.monitor.fake import Client, MonitorProcess


@pytest.fixture
def monitor(runtime_dir: Path) -> Iterator[MonitorProcess]:
    """Serve in a directory of the test's own; it must end in order, whatever was done to it."""
    process = MonitorProcess(runtime_dir)
    yield process
    assert process.terminate() == 0


@pytest.fixture
def client(monitor: MonitorProcess) -> Iterator[Client]:
    """Return an attached client; one process has but one."""
    with Client(monitor.path) as attached:
        attached.hello()
        yield attached
