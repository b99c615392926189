"""Every public name of the packages says what it is for."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import reduce
from importlib import import_module

from tests.style.sources import module_of, name_of, python_files, tree_of


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Yield the public module, classes, functions and methods without a docstring, but not what is in functions."""
    if not ast.get_docstring(tree):
        yield ""
    for node in tree.body:
        yield from _undocumented_in(node, "")


def _undocumented_in(node: ast.stmt, owner: str) -> Iterator[str]:
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
        return
    if not ast.get_docstring(node):
        yield owner + node.name
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            yield from _undocumented_in(inner, f"{owner}{node.name}.")


def inherits_docstring(module: str, name: str) -> bool:
    """Tell whether a method without a docstring overrides one that has it."""
    owner, _, method = name.rpartition(".")
    if not owner:
        return False
    return bool(inspect.getdoc(getattr(reduce(getattr, owner.split("."), import_module(module)), method)))


def test_public_names_have_docstrings() -> None:
    missing = [
        f"{name_of(path)}: {name or 'the module'}"
        for path in python_files("sdcore", "sdsim")
        for name in undocumented(tree_of(path))
        if not inherits_docstring(module_of(path), name)
    ]
    missing += [f"{name_of(path)}: {name}" for path in python_files("tools") for name in undocumented(tree_of(path))]
    assert not missing, "\n".join(missing)


def test_a_missing_docstring_is_seen() -> None:
    text = '"""m"""\nclass A:\n    "a"\n    def f(self): ...\n    def _g(self): ...\ndef h():\n    def inner(): ...\n'
    assert list(undocumented(ast.parse(text))) == ["A.f", "h"]
    assert list(undocumented(ast.parse("x = 1"))) == [""]
