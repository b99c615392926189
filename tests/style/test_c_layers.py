"""C depends one way, generated <- core <- shim, and what only one place may do is done in one place."""

from __future__ import annotations

import re
from pathlib import Path

from tests.style.sources import NATIVE, c_files, name_of, without_comments

MAY_INCLUDE = {
    "generated": {"generated"},
    "core": {"generated", "core"},
    "shim": {"generated", "core", "shim"},
}
_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
_SETS_ERRNO = re.compile(r"(?<![\w.>])errno\s*=(?!=)")
_LOOKS_UP = re.compile(r"\bdlv?sym\s*\(")
_EXPORTED = re.compile(r"^\s*([A-Za-z_]\w*)\s*;", re.MULTILINE)


def native_files() -> list[Path]:
    """Return the C files of the library."""
    return [path for path in c_files(generated=True) if NATIVE in path.parents]


def wrong_includes(layer: str, text: str) -> list[str]:
    """Return the quoted includes that point up, or do not begin with a layer."""
    return [name for name in _INCLUDE.findall(text) if name.split("/")[0] not in MAY_INCLUDE[layer]]


def files_that_match(pattern: re.Pattern[str]) -> list[str]:
    """Return the native files whose code, comments aside, matches."""
    return [name_of(path) for path in native_files() if pattern.search(without_comments(path.read_text()))]


def defined_functions(text: str) -> set[str]:
    """Return the names of the functions with external linkage that a C file defines in the usual manner."""
    heads = re.findall(r"^(?!static\b)[A-Za-z_][^;{}#=]*?\b(\w+)\([^;{}]*\)\s*\n\{", text, re.MULTILINE)
    return set(heads)


def test_includes_point_one_way() -> None:
    wrong = [
        f'{name_of(path)} includes "{name}"'
        for path in native_files()
        for name in wrong_includes(path.relative_to(NATIVE).parts[0], path.read_text())
    ]
    assert not wrong, "\n".join(wrong)


def test_one_file_looks_up_the_originals() -> None:
    assert len(files_that_match(_LOOKS_UP)) <= 1, files_that_match(_LOOKS_UP)


def test_one_file_sets_errno() -> None:
    assert len(files_that_match(_SETS_ERRNO)) <= 1, files_that_match(_SETS_ERRNO)


def test_only_the_shim_defines_what_programs_see() -> None:
    exports = set(_EXPORTED.findall(without_comments((NATIVE / "shim" / "exports.map").read_text())))
    assert "send" in exports, "exports.map was not understood"
    core = [path for path in native_files() if path.parent.name == "core"]
    clash = {name_of(path): defined_functions(path.read_text()) & exports for path in core}
    assert not {path: names for path, names in clash.items() if names}


def test_wrong_c_is_seen() -> None:
    assert wrong_includes("core", '#include "shim/calls.h"\n') == ["shim/calls.h"]
    assert wrong_includes("core", '#include "state.h"\n') == ["state.h"]
    assert _SETS_ERRNO.search("    errno = EINTR;")
    assert not _SETS_ERRNO.search("if (errno == EINTR)")
    assert not _SETS_ERRNO.search("saved.errno = 1; saved_errno = 2;")
    assert not _SETS_ERRNO.search(without_comments("/* errno = 1 */ // errno = 2\n"))
    assert _LOOKS_UP.search('p = dlsym(RTLD_NEXT, "send");')
    assert defined_functions("ssize_t send(int fd,\n    int n)\n{\n") == {"send"}
