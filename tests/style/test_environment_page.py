"""The reference page of environment variables has those that the code reads, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from tests.style.sources import ROOT, c_files, python_files

PAGE = ROOT / "docs" / "reference" / "environment.md"
_READ = re.compile(r'"(SDCORE_[A-Z_]+)"')
_EXPLAINED = re.compile(r"^\| `(SDCORE_[A-Z_]+)` \|", re.MULTILINE)


def variables_read() -> set[str]:
    """Return the variables that stand in the code as strings of their own."""
    ours = [path for path in (*python_files("sdcore"), *c_files()) if Path(ROOT / "sdcore") in path.parents]
    return {name for path in ours for name in _READ.findall(path.read_text())}


def test_the_page_has_every_variable_and_no_other() -> None:
    read = variables_read()
    assert read
    assert set(_EXPLAINED.findall(PAGE.read_text())) == read
