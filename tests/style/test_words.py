"""No text of the project promises later work or speaks of a machine it was written on."""

from __future__ import annotations

import re
from pathlib import Path

from tests.style.sources import kept_files, name_of

# Written in halves, so that this file may be read by its own test.
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")
_UNFINISHED = re.compile(r"\b(" + "|".join(UNFINISHED) + r")\b")
_SOMEONES_HOME = re.compile(r"/(?:home|Users)/[a-z]\w+/|/ro" + "ot/")
TEXT = {".py", ".c", ".h", ".def", ".map", ".md", ".toml", ".build", ".txt", ".cfg", ".sh", ""}


def found(pattern: re.Pattern[str]) -> list[str]:
    """Return file, line and word for every match in the project's texts."""
    return [
        f"{name_of(path)}:{number}: {match[0]}"
        for path in kept_files()
        if path.suffix in TEXT
        for number, line in enumerate(_lines(path), 1)
        if (match := pattern.search(line))
    ]


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines()


def test_no_unfinished_work() -> None:
    assert not found(_UNFINISHED), "\n".join(found(_UNFINISHED))


def test_no_paths_of_one_machine() -> None:
    assert not found(_SOMEONES_HOME), "\n".join(found(_SOMEONES_HOME))


def test_the_words_are_seen() -> None:
    assert all(_UNFINISHED.search(f"/* {word}: later */") for word in UNFINISHED)
    assert _SOMEONES_HOME.search("" + "/home" + "/alice/src")
