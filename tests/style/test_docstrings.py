"""Every public name of the packages says what it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.style.sources import name_of, python_files, tree_of


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Yield the public module, classes, functions and methods without a docstring, but not what is in functions."""
    if not ast.get_docstring(tree):
        yield "the module"
    for node in tree.body:
        yield from _undocumented_in(node, "")


def _undocumented_in(node: ast.stmt, owner: str) -> Iterator[str]:
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
        return
    if not ast.get_docstring(node) and not _is_overload(node):
        yield owner + node.name
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            yield from _undocumented_in(inner, f"{owner}{node.name}.")


def _is_overload(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(item, ast.Name) and item.id == "overload" for item in node.decorator_list)


def test_public_names_have_docstrings() -> None:
    missing = [
        f"{name_of(path)}: {name}"
        for path in python_files("sdcore", "sdsim", "tools")
        for name in undocumented(tree_of(path))
    ]
    assert not missing, "\n".join(missing)


def test_a_missing_docstring_is_seen() -> None:
    text = '"""m"""\nclass A:\n    "a"\n    def f(self): ...\n    def _g(self): ...\ndef h():\n    def inner(): ...\n'
    assert list(undocumented(ast.parse(text))) == ["A.f", "h"]
    assert list(undocumented(ast.parse("x = 1"))) == ["the module"]
