"""A runtime directory, whose monitor is stopped however the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sdcore.monitor.control import Control, NoMonitor
from sdcore.monitor.paths import RuntimeDir


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
