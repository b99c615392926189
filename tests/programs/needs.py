"""Find a program, or skip the test with the name of the package that has it."""

from __future__ import annotations

import os
import shutil
from glob import glob
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"
_PATH = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *glob("/usr/lib/postgresql/*/bin")]
)


def need(program: str, package: str) -> str:
    """The absolute path of a program.

    Servers live where ordinary users have no PATH; those places are searched, too.
    """
    found = shutil.which(program, path=_PATH)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return found
