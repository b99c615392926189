"""Sphinx: furo, Markdown by MyST, the command line by sphinx-click. Warnings are errors (`./run docs`)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import sdcore.socket

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

# The module hands out either its own classes or the standard ones, so its own have private names; show the public ones.
for public in ("socket", "epoll"):
    getattr(sdcore.socket, public).__name__ = public

project = "SocksDirect"
author = "SocksDirect authors"
copyright = "SocksDirect authors"  # noqa: A001 - the name that Sphinx reads
release = re.findall(r"version: '([^']+)'", (HERE.parent / "meson.build").read_text())[0]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.graphviz",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "tables",
    "compatibility",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
graphviz_output_format = "svg"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
nitpick_ignore_regex = [
    ("py:class", r"(_?socket|pathlib|collections\.abc|array)\..*|ReadableBuffer|WriteableBuffer"),
    ("py:class", r"sdcore\..*\._\w+"),  # private base classes
]

html_theme = "furo"
html_title = f"SocksDirect {release}"
