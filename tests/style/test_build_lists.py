"""The build knows every C file, once."""

from __future__ import annotations

import re

import pytest

from tests.style.sources import NATIVE, c_files

LISTS = {"core": "core_sources", "shim": "shim_sources"}


def listed(name: str) -> list[str]:
    """Return the files in one list of the build description."""
    text = (NATIVE / "meson.build").read_text()
    block = re.search(rf"^{name} = files\((.*?)^\)", text, re.MULTILINE | re.DOTALL)
    assert block is not None, f"meson.build has no list {name}"
    return re.findall(r"'([^']+)'", block[1])


@pytest.mark.parametrize("folder", LISTS)
def test_every_c_file_is_listed_once_in_order(folder: str) -> None:
    there = sorted(
        str(path.relative_to(NATIVE)) for path in c_files() if path.parent == NATIVE / folder and path.suffix == ".c"
    )
    assert listed(LISTS[folder]) == there
