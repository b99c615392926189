"""Tables made from the source: `config-table` from the model of the configuration, `reason-table` from the layout."""

from __future__ import annotations

import tomllib
from typing import Any

from docutils import nodes
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from sdcore.config import SECTIONS
from sdcore.protocol.layout import REASONS


def toml(value: object) -> str:
    """Return a default as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    text = str(value)
    tomllib.loads(f"x = {text}")  # fails if this is no TOML
    return text


def row(cells: list[nodes.Node]) -> nodes.row:
    """Return a table row of these cells."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def key_row(name: str, info: FieldInfo) -> nodes.row:
    """Return the row of one key."""
    allowed = nodes.Text(info.description or "")
    return row([nodes.literal(text=name), nodes.literal(text=toml(info.default)), allowed])


def table(head: tuple[str, ...], widths: tuple[int, ...], rows: list[nodes.row]) -> nodes.table:
    """Return a table with a head; widths are shares of the whole."""
    columns = [nodes.colspec(colwidth=width) for width in widths]
    top = nodes.thead("", row([nodes.Text(text) for text in head]))
    return nodes.table("", nodes.tgroup("", *columns, top, nodes.tbody("", *rows), cols=len(columns)))


class ConfigTable(SphinxDirective):
    """The keys of the configuration, a table for each section."""

    def run(self) -> list[nodes.Node]:
        """Return a heading, the section's words and a table for each section."""
        out: list[nodes.Node] = []
        for name, model in SECTIONS.items():
            rows = [key_row(key, info) for key, info in model.model_fields.items()]
            keys = table(("key", "default", "allowed"), (20, 20, 60), rows)
            out += [nodes.rubric(text=f"[{name}]"), nodes.paragraph(text=model.__doc__ or ""), keys]
        return out


class ReasonTable(SphinxDirective):
    """The reasons for not being accelerated."""

    def run(self) -> list[nodes.Node]:
        """Return one table; the reason that means "accelerated" has no text and no row."""
        rows = [row([nodes.literal(text=name), nodes.Text(text)]) for name, text in REASONS if text]
        return [table(("reason", "meaning"), (25, 75), rows)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("config-table", ConfigTable)
    app.add_directive("reason-table", ReasonTable)
    return {"parallel_read_safe": True}
