"""The committed C machines, compiled once in a run."""

from __future__ import annotations

import pytest

from sdcore.protocol.gen import GENERATED, ROOT
from sdcore.protocol.machines import MACHINES
from tests.property.c_machines import CLibrary


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> CLibrary:
    """Return the machines of the committed header."""
    header = ROOT / GENERATED / "machines.h"
    return CLibrary(header, tmp_path_factory.mktemp("machines"), MACHINES)
