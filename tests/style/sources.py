"""The source files that the style tests look at, and how to look at them. Only files that git would keep are seen."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "sdcore" / "native"
GENERATED = NATIVE / "generated"

Function = ast.FunctionDef | ast.AsyncFunctionDef

_COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)


@cache
def kept_files() -> tuple[Path, ...]:
    """Return every file that is committed or would be: not ignored by git, and still there."""
    # A container's root may look at a tree that belongs to somebody else.
    command = ("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return tuple(path for path in (ROOT / name for name in sorted(names) if name) if path.is_file())


def python_files(*folders: str) -> Iterator[Path]:
    """Yield the Python files below these folders of the project."""
    for path in kept_files():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders:
            yield path


def c_files(*, generated: bool = False) -> Iterator[Path]:
    """Yield the C files and headers; those printed by the generator only if asked for."""
    for path in kept_files():
        if path.suffix in {".c", ".h", ".def"} and (generated or path.parent != GENERATED):
            yield path


def name_of(path: Path) -> str:
    """Return the path as messages show it."""
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    """Return the dotted name of the module in a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text(), filename=name_of(path))


def without_comments(text: str) -> str:
    """Return C text with comments and strings emptied; the number of lines stays."""
    return _COMMENT_OR_STRING.sub(lambda match: '""' + "\n" * match[0].count("\n"), text)
