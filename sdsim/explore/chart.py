"""A history of steps as a sequence chart: for the terminal, and for Mermaid."""

from __future__ import annotations

from collections.abc import Sequence

from sdsim.explore.engine import Act, Fault


def as_text(fault: Fault, parties: Sequence[str]) -> str:
    """One line a step, a column for each party."""
    width = max((len(party) for party in parties), default=0) + 2
    head = "      " + "".join(party.ljust(width) for party in parties)
    lines = [fault.what, head]
    for number, act in enumerate(fault.history, 1):
        marks = "".join(("*" if party == act.who else "|").ljust(width) for party in parties)
        lines.append(f"{number:4}  {marks}{act.what}")
    return "\n".join(lines)


def as_mermaid(fault: Fault, parties: Sequence[str]) -> str:
    """A Mermaid sequence diagram."""
    lines = ["sequenceDiagram"]
    lines += [f"    participant {_word(party)}" for party in parties]
    lines += [_note(act, parties) for act in fault.history]
    lines.append(f"    Note over {_word(parties[0])},{_word(parties[-1])}: {_plain(fault.what)}")
    return "\n".join(lines)


def _note(act: Act, parties: Sequence[str]) -> str:
    who = act.who if act.who in parties else parties[0]
    return f"    Note over {_word(who)}: {_plain(act.what)}"


def _word(party: str) -> str:
    return party.replace(" ", "_")


def _plain(text: str) -> str:
    return text.replace(";", ",").replace("#", "no.")
