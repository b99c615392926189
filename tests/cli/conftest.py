"""A runtime directory, whose monitor is stopped however the test ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdcore.monitor.control import Control, NoMonitor
from sdcore.monitor.paths import RuntimeDir

NOBODY = 65534


@pytest.fixture
def runtime(runtime_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RuntimeDir]:
    """Give the commands a directory and a configuration of their own."""
    config = runtime_dir / "config.toml"
    config.write_text("")
    monkeypatch.setenv("SDCORE_CONFIG", str(config))
    runtime = RuntimeDir(runtime_dir)
    yield runtime
    try:
        with Control(runtime) as control:
            control.stop()
            control.wait_closed()
    except NoMonitor:
        pass


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """Give the name of a folder in one that this process may not enter; root is somebody else for the time."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    yield closed / "inside"
    os.seteuid(before)
    closed.chmod(0o700)
