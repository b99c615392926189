"""Tables of the compatibility page: `suite-table`, `difference-table`, `program-table`.

They are made from the files of reference/compatibility/: one for each suite, written by tools/compatibility.py, and
programs.toml, which names real programs one by one. A difference without a reason is a warning, so it ends the build.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import row, table

RESULTS = Path(__file__).parent.parent / "reference" / "compatibility"
PROGRAMS = "programs.toml"


def suites() -> list[dict[str, Any]]:
    """The results of all suites, by title."""
    paths = (path for path in RESULTS.glob("*.toml") if path.name != PROGRAMS)
    return sorted((tomllib.loads(path.read_text()) for path in paths), key=lambda suite: str(suite["title"]))


def programs() -> list[dict[str, Any]]:
    """The real programs, in the order of their file."""
    path = RESULTS / PROGRAMS
    return tomllib.loads(path.read_text())["program"] if path.exists() else []


def percent(part: int, whole: int) -> str:
    """A share in hundredths of a percent, never rounded up: 100 % means all."""
    if part == whole:
        return "100 %"
    hundredths = 10_000 * part // whole
    return f"{hundredths // 100}.{hundredths % 100:02} %"


def size(number: int) -> str:
    """Bytes for people."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= step:
            return f"{number / step:.1f} {unit}"
    return f"{number} B"


def cells(*texts: object) -> nodes.row:
    """A row of plain text."""
    return row([nodes.Text(str(text)) for text in texts])


def suite_row(suite: dict[str, Any]) -> nodes.row:
    """What two runs of one suite came to."""
    whole = sum(suite["bytes"].values())
    return cells(
        suite["title"],
        suite["version"],
        suite["kernel"]["pass"],
        suite["sdcore"]["pass"],
        len(suite.get("differs", ())),
        percent(suite["bytes"].get("shm", 0), whole),
        size(whole),
        suite["date"],
    )


class SuiteTable(SphinxDirective):
    """A row a suite."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        head = ("suite", "version", "kernel", "sdcore", "differ", "shared memory", "of", "date")
        found = suites()
        for suite in found:
            self.env.note_dependency(str(RESULTS / f"{suite['suite']}.toml"))
        return [table(head, (26, 16, 9, 9, 8, 13, 9, 10), [suite_row(suite) for suite in found])]


class DifferenceTable(SphinxDirective):
    """Every test that passes on the kernel and not under the library."""

    def run(self) -> list[nodes.Node]:
        """Return the table, or the sentence that there is none."""
        found = [(suite["title"], one) for suite in suites() for one in suite.get("differs", ())]
        for title, one in found:
            if not one["reason"]:
                self.state.document.reporter.warning(f"{title}: {one['test']} differs without a reason")
        if not found:
            return [
                nodes.paragraph(text="No test that passes on the kernel fails, is skipped or is missing under sdcore.")
            ]
        rows = [cells(title, one["test"], one["verdict"], one["reason"]) for title, one in found]
        return [table(("suite", "test", "under sdcore", "reason"), (20, 35, 10, 35), rows)]


class ProgramTable(SphinxDirective):
    """A row a program."""

    def run(self) -> list[nodes.Node]:
        """Return the table, or nothing while there is no file."""
        self.env.note_dependency(str(RESULTS / PROGRAMS))
        keys = ("name", "what", "kernel", "sdcore", "share", "date")
        head = ("program", "what was done", "kernel", "sdcore", "shared memory", "date")
        rows = [cells(*(program[key] for key in keys)) for program in programs()]
        return [table(head, (18, 38, 10, 10, 13, 11), rows)] if rows else []


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("suite-table", SuiteTable)
    app.add_directive("difference-table", DifferenceTable)
    app.add_directive("program-table", ProgramTable)
    return {"parallel_read_safe": True}
