"""A monitor and a log for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.recording import RecordingHost
from tests.support.fixtures import processes

__all__ = ["processes", "recorded"]


@pytest.fixture
def recorded() -> Iterator[RecordingHost]:
    """A host whose programs are recorded, with a monitor."""
    host = RecordingHost()
    try:
        host.start_monitor()
        yield host
    finally:
        host.close()
