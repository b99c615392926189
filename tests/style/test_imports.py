"""Imports point one way: protocol <- native, monitor <- rdma <- cli, and protocol <- sdsim.

The monitor's decisions do no I/O: the simulator runs them too, so they are a part of their own here. So are the
manners of a command line, which `sdcore` and `sdsim` share.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.style.sources import ROOT, module_of, name_of, python_files, tree_of

DECISIONS = "the monitor's decisions"
MANNERS = "the manners of a command line"
MANNER_MODULES = {"sdcore.cli.faults", "sdcore.cli.places"}
DECISION_MODULES = {
    f"sdcore.monitor.{name}" for name in ("decisions", "events", "identity", "joins", "policy", "registry")
}
WHAT_DOES_IO = {"asyncio", "os", "random", "select", "socket", "subprocess", "threading", "time"}

# Each part, and the parts that it may import besides itself. A new part needs a row here.
MAY_IMPORT: dict[str, set[str]] = {
    "sdcore.protocol": set(),
    DECISIONS: {"sdcore.protocol"},
    MANNERS: set(),
    "sdcore.config": {"sdcore.protocol", "sdcore.config_files"},
    "sdcore.config_files": set(),
    "sdcore.native": {"sdcore.protocol"},
    "sdcore.monitor": {"sdcore.protocol", "sdcore.config", DECISIONS},
    "sdcore.rdma": {"sdcore.protocol", "sdcore.config", "sdcore.native", "sdcore.monitor", DECISIONS},
    "sdcore.socket": {"sdcore.protocol", "sdcore.native"},
    "sdcore.cli": {
        DECISIONS,
        MANNERS,
        "sdcore.protocol",
        "sdcore.config",
        "sdcore.config_files",
        "sdcore.native",
        "sdcore.monitor",
        "sdcore.rdma",
        "sdcore.socket",
    },
    "sdsim": {"sdcore.protocol", DECISIONS, MANNERS},
}


def part_of(module: str) -> str:
    """Return the part to which a module of ours belongs: its package, or sdsim as a whole."""
    if module in DECISION_MODULES:
        return DECISIONS
    if module in MANNER_MODULES:
        return MANNERS
    parts = module.split(".")
    return parts[0] if parts[0] == "sdsim" else ".".join(parts[:2])


def imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield the modules of ours that a tree imports anywhere, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = list(_from_names(node, package))
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in {"sdcore", "sdsim"})


def _from_names(node: ast.ImportFrom, package: str) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, *([base] if base else [])])
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        yield inner if base == "sdcore" or _is_module(inner) else base


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def wrong_imports(module: str, tree: ast.Module, package: str) -> list[str]:
    """Return a line for each import of this module that points the wrong way."""
    part = part_of(module)
    if part == "sdcore":
        return [
            f"{module} imports {name}: the package itself imports nothing of ours" for name in imported(tree, package)
        ]
    if part not in MAY_IMPORT:
        return [f"{part} has no row in MAY_IMPORT"]
    allowed = MAY_IMPORT[part] | {part}
    targets = {name: "sdcore.native" if name == "sdcore._native" else part_of(name) for name in imported(tree, package)}
    return [f"{module} imports {name}" for name, target in targets.items() if target not in allowed]


def test_imports_point_one_way() -> None:
    wrong = []
    for path in python_files("sdcore", "sdsim"):
        module = module_of(path)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        wrong += wrong_imports(module, tree_of(path), package)
    assert not wrong, "\n".join(wrong)


def test_the_monitors_decisions_do_no_io() -> None:
    wrong = []
    for path in (path for path in python_files("sdcore") if module_of(path) in DECISION_MODULES):
        names = {name.split(".")[0] for node in ast.walk(tree_of(path)) for name in _named(node)}
        wrong += [f"{name_of(path)} imports {name}" for name in sorted(names & WHAT_DOES_IO)]
    assert not wrong, "\n".join(wrong)


def _named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_a_wrong_import_is_seen_in_each_form() -> None:
    forms = (
        "import sdcore.cli.main",
        "from sdcore.cli import main",
        "from sdcore import cli",
        "from ..cli import main",
        "from .. import cli",
        "def f():\n    import sdcore.native",
        "from sdcore import _native",
        "import sdsim.world",
    )
    for form in forms:
        assert wrong_imports("sdcore.protocol.ring", ast.parse(form), "sdcore.protocol"), form
    for form in ("from sdcore.protocol import ring", "from sdcore.monitor import events"):
        assert not wrong_imports("sdsim.world", ast.parse(form), "sdsim"), form
    for form in ("from sdcore.monitor import events, daemon", "import sdcore.monitor", "from sdcore import _native"):
        assert wrong_imports("sdsim.world", ast.parse(form), "sdsim"), form


def test_rows_name_parts_that_may_exist() -> None:
    known = set(MAY_IMPORT)
    for part, allowed in MAY_IMPORT.items():
        assert allowed <= known, name_of(Path(__file__)) + f": {part} may import something unknown"
