"""Writing C: indentation, header guards, long lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class CWriter:
    """Lines of one generated C file."""

    def __init__(self, source: str, purpose: str) -> None:
        self._lines = [f"/* Generated from {source}. Change that, then run: nox -s gen", f" * {purpose}", " */"]
        self._depth = 0

    def line(self, text: str = "") -> None:
        """One line at the present depth."""
        self._lines.append(("    " * self._depth + text).rstrip())

    def label(self, text: str) -> None:
        """A line one step to the left: `case`, or what closes it."""
        self._lines.append("    " * (self._depth - 1) + text)

    def lines(self, texts: Iterable[str]) -> None:
        """Several lines at the present depth."""
        for text in texts:
            self.line(text)

    def comment(self, text: str) -> None:
        """A comment on a line of its own."""
        self.line(f"/* {text} */")

    @contextmanager
    def block(self, head: str, tail: str = "}") -> Iterator[None]:
        """`head {` ... `}`, indented in between."""
        self.line(f"{head} {{")
        self._depth += 1
        yield
        self._depth -= 1
        self.line(tail)

    @contextmanager
    def function(self, head: str) -> Iterator[None]:
        """A function's body; its braces stand on lines of their own."""
        self.line(head)
        self.line("{")
        self._depth += 1
        yield
        self._depth -= 1
        self.line("}")

    @contextmanager
    def guard(self, name: str) -> Iterator[None]:
        """A header guard around everything that is written inside."""
        self.lines((f"#ifndef {name}", f"#define {name}", ""))
        yield
        self.line("#endif")

    def text(self) -> str:
        """The whole file."""
        return "\n".join(self._lines) + "\n"


def literal(value: int) -> str:
    """An unsigned constant of C, wide enough for its value."""
    return f"{value}u" if value <= 0xFFFFFFFF else f"{value}ULL"


def string(text: str) -> str:
    """A C string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
