"""What libsd.so shows is what the reference page says, and what the table of calls needs."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "interposed.md"
SHIM = ROOT / "sdcore" / "native" / "shim"
OURS = {"sd_version"}

_ROW = re.compile(r"^\| `(\w+)` \| (.+) \|$", re.MULTILINE)


def shown(library: Path) -> set[str]:
    """Return the names that the dynamic linker finds in the library."""
    command = ("nm", "--dynamic", "--defined-only", str(library))
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1] for line in lines}


def rows(heading: str) -> dict[str, str]:
    """Return function and reason of each row below a heading of the page."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(_ROW.findall(section))


def test_the_page_lists_what_the_library_shows(library: Path) -> None:
    assert set(rows("Interposed")) == shown(library)


def test_nothing_is_both_interposed_and_left_alone() -> None:
    assert not set(rows("Interposed")) & set(rows("Left alone"))


def test_reasons_refer_to_functions_of_the_same_table() -> None:
    for heading in ("Interposed", "Left alone"):
        table = rows(heading)
        referred = {match[1] for reason in table.values() if (match := re.search(r"^as `(\w+)`", reason))}
        assert referred <= set(table), heading


def test_symbols_have_no_version(library: Path) -> None:
    """A program asks for read@GLIBC_2.2.5; a symbol of ours with another version would not be found."""
    command = ("nm", "--dynamic", "--defined-only", "--with-symbol-versions", str(library))
    assert "@" not in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_every_original_has_an_entry_point(library: Path) -> None:
    calls = re.findall(r"^[XV]\([^,]+, (\w+),", (SHIM / "calls.def").read_text(), re.MULTILINE)
    assert len(calls) > 50, "calls.def was not understood"
    assert len(calls) == len(set(calls))
    assert set(calls) <= shown(library)


NUMBERS_ALONE = {"clone", "clone3", "exit_group", "io_uring_setup", "pselect6"}
"""Calls that libc has under another name or in another form, or not at all."""


def test_every_call_of_the_page_is_routed_by_its_number_too() -> None:
    command = ("cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null")
    macros = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    numbers = set(re.findall(r"#define SYS_(\w+) ", macros))
    routed = set(re.findall(r"^R\((\w+),", (SHIM / "routes.def").read_text(), re.MULTILINE))
    assert len(numbers) > 200, "the headers of the kernel were not understood"
    assert routed == (set(rows("Interposed")) & numbers) | NUMBERS_ALONE


def test_libc_has_every_function_of_the_page() -> None:
    """A name that no libc has ever had would be a slip of the pen."""
    libc = ctypes.CDLL(None)
    named = (set(rows("Interposed")) | set(rows("Left alone"))) - OURS
    assert not {name for name in named if not hasattr(libc, name)}
