"""What every test may use. Tests of one part have their own fixtures beside them; helpers live in tests/support."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from sdcore.native import library_path

# Machines that run these tests are small and shared: time says nothing about a property.
SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("ordinary", deadline=None, max_examples=100, suppress_health_check=SLOW_IS_FINE)
settings.register_profile("thorough", deadline=None, max_examples=1000, suppress_health_check=SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ordinary"))


@pytest.fixture(scope="session")
def library() -> Path:
    """Return the path of the libsd.so that this run tests."""
    return library_path()


@pytest.fixture
def runtime_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the test a monitor of its own: SDCORE_RUNTIME_DIR names a new, short folder that goes away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sd-"))
    monkeypatch.setenv("SDCORE_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
