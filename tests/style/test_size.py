"""Functions and files stay small enough to read in one go."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.style.sources import c_files, name_of, python_files, tree_of

FUNCTION_LINES_MAX = 70
PYTHON_FILE_LINES_MAX = 600
C_FILE_LINES_MAX = 800

_C_NAME = re.compile(r"(\w+)\s*\(")


def python_functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield name and number of lines of every function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def c_functions(text: str) -> Iterator[tuple[str, int]]:
    """Yield name and number of lines of every function: its body stands between braces in the first column."""
    name, start, opened = "", 0, False
    for number, line in enumerate(text.splitlines(), 1):
        if not opened and line[:1].isalpha() and (found := _C_NAME.search(line)):
            name, start = found[1], number
        elif line == "{":
            opened = True
        elif opened and line == "}":
            yield name, number - start + 1
            opened = False


def test_no_python_function_is_long() -> None:
    long = [
        f"{name_of(path)}: {name} has {lines} lines"
        for path in python_files("sdcore", "sdsim", "tests", "tools", "examples", "docs")
        for name, lines in python_functions(tree_of(path))
        if lines > FUNCTION_LINES_MAX
    ]
    assert not long, "\n".join(long)


def test_no_c_function_is_long() -> None:
    long = [
        f"{name_of(path)}: {name} has {lines} lines"
        for path in c_files()
        for name, lines in c_functions(path.read_text())
        if lines > FUNCTION_LINES_MAX
    ]
    assert not long, "\n".join(long)


def test_no_file_is_long() -> None:
    limits = [(path, PYTHON_FILE_LINES_MAX) for path in python_files("sdcore", "sdsim", "tests", "tools", "examples")]
    limits += [(path, C_FILE_LINES_MAX) for path in c_files()]
    sizes = [(path, len(path.read_text().splitlines()), limit) for path, limit in limits]
    long = [f"{name_of(path)}: {lines} lines" for path, lines, limit in sizes if lines > limit]
    assert not long, "\n".join(long)


def test_lines_of_functions_are_counted() -> None:
    assert list(python_functions(ast.parse("def f():\n    a = 1\n    return a\n"))) == [("f", 3)]
    assert list(c_functions("static int f(int a,\n             int b)\n{\n    return a;\n}\n")) == [("f", 5)]
