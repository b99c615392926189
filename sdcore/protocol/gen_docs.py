"""Prints a page for each machine: what it decides, its drawing (Graphviz), its names, its table."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from inspect import getdoc

from sdcore.protocol.expr import ALWAYS
from sdcore.protocol.kit import Machine, Named, Row

NOTE = "<!-- Generated from the protocol. Change that, then run: nox -s gen -->"


def pages(machines: Sequence[Machine]) -> dict[str, str]:
    """File name and text of every page."""
    texts = {f"{machine.name}.md": "\n".join(_page(machine)) + "\n" for machine in machines}
    return {"index.md": "\n".join(_index(machines)) + "\n", **texts}


def _index(machines: Sequence[Machine]) -> Iterator[str]:
    yield from (NOTE, "", "# Machines", "", "Every decision of the protocol, from the tables that the code runs.", "")
    yield from ("| machine | decides | states | rows |", "|---|---|---|---|")
    for m in machines:
        yield f"| [{m.name}]({m.name}.md) | {m.doc} | {len(m.State)} | {len(m.rows)} |"
    yield from ("", "```{toctree}", ":hidden:", "", *(m.name for m in machines), "```")


def _page(machine: Machine) -> Iterator[str]:
    source = sys.modules[machine.State.__module__]
    yield from (NOTE, "", f"# {machine.name}", "", machine.doc, "")
    yield from ("## Theory", "", "```text", getdoc(source) or "", "```", "")
    yield from ("## Drawing", "", "Edges that stay in their state and do nothing are left out.", "")
    yield from ("```{graphviz}", *drawing(machine), "```", "")
    yield from _names("State", machine.State)
    yield from _names("Event", machine.Event)
    yield from _names("Effect", machine.Do)
    yield from _registers(machine)
    yield from _table(machine)


def drawing(machine: Machine) -> Iterator[str]:
    """The machine in the language of dot: one edge for all rows from one state to another."""
    yield f"digraph {machine.name} {{"
    yield '    node [shape=box, style=rounded, fontname="sans-serif", fontsize=11];'
    yield '    edge [fontname="sans-serif", fontsize=9];'
    yield f'    start [shape=point, label=""]; start -> {next(iter(machine.State)).name};'
    edges: dict[tuple[Named, Named], list[str]] = {}
    for row in machine.rows:
        if row.next is not row.state or row.effects:
            edges.setdefault((row.state, row.next), []).append(_edge(row))
    for (state, following), labels in edges.items():
        text = "\\l".join(label.replace('"', '\\"') for label in labels)
        yield f'    {state.name} -> {following.name} [label="{text}\\l"];'
    yield "}"


def _edge(row: Row) -> str:
    guard = "" if row.if_ is ALWAYS else f" [{row.if_}]"
    effects = ", ".join(effect.name for effect in row.effects)
    return f"{row.event.name}{guard}{' / ' + effects if effects else ''}"


def _names(title: str, names: type[Named]) -> Iterator[str]:
    yield from (f"## {title}s", "", f"| {title.lower()} | meaning |", "|---|---|")
    for member in names:
        peer = " *(peer)*" if getattr(member, "from_peer", False) else ""
        yield f"| `{member.name}`{peer} | {_cell(member.doc)} |"
    yield ""


def _registers(machine: Machine) -> Iterator[str]:
    if machine.registers:
        yield from ("## Registers", "", "| register | bits | start | meaning |", "|---|---|---|---|")
        for reg in machine.registers:
            yield f"| `{reg.name}` | {reg.bits} | {reg.start} | {_cell(reg.doc)} |"
        yield ""


def _table(machine: Machine) -> Iterator[str]:
    yield from ("## Table", "", "Rows of one state and event are tried from the top; what has no row is an error.", "")
    yield from ("| state | event | if | set | do | next |", "|---|---|---|---|---|---|")
    for row in machine.rows:
        guard = "" if row.if_ is ALWAYS else f"`{_cell(str(row.if_))}`"
        updates = " ".join(f"`{reg} = {_cell(str(value))}`" for reg, value in row.updates)
        effects = ", ".join(effect.name for effect in row.effects)
        yield f"| {row.state.name} | {row.event.name} | {guard} | {updates} | {effects} | {row.next.name} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
