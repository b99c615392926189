"""Expressions of a machine's table: numbers and guards over registers and the event's argument.

They are objects, not source text: `free >= arg` builds a tree that is evaluated here, printed as C by `gen_machines`,
and drawn by `gen_docs`. All arithmetic is unsigned and wraps at 64 bits, in Python as in C. A loop or an `if` inside an
expression would mean: a new row.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Final

MASK: Final = (1 << 64) - 1


class DefinitionError(ValueError):
    """A machine's table is wrong; the text names machine and row."""


class Expr:
    """A number or a truth value, computed from registers and the event's argument."""

    def evaluate(self, regs: Mapping[str, int], arg: int) -> int:
        """The value for these registers and this argument; a guard gives 0 or 1."""
        raise NotImplementedError

    def leaves(self) -> Iterator[Expr]:
        """The registers, numbers and `arg` that it reads."""
        yield self

    def __repr__(self) -> str:
        return str(self)


class Guard(Expr):
    """A truth value: combine with & and |."""

    def __and__(self, other: Guard) -> Guard:
        return Logic("&&", self, other)

    def __or__(self, other: Guard) -> Guard:
        return Logic("||", self, other)

    def __bool__(self) -> bool:
        raise TypeError("a guard has no value before the machine runs; combine with & and |, not with and, or, not")


class Value(Expr):
    """An unsigned 64 bit number."""

    def __add__(self, other: Value | int) -> Value:
        return Arithmetic("+", self, as_value(other))

    def __sub__(self, other: Value | int) -> Value:
        return Arithmetic("-", self, as_value(other))

    def __and__(self, other: Value | int) -> Value:
        return Arithmetic("&", self, as_value(other))

    def __ge__(self, other: Value | int) -> Guard:
        return Compare(">=", self, as_value(other))

    def __gt__(self, other: Value | int) -> Guard:
        return Compare(">", self, as_value(other))

    def __le__(self, other: Value | int) -> Guard:
        return Compare("<=", self, as_value(other))

    def __lt__(self, other: Value | int) -> Guard:
        return Compare("<", self, as_value(other))

    def __eq__(self, other: object) -> Guard:  # type: ignore[override]
        return Compare("==", self, as_value(other))

    def __ne__(self, other: object) -> Guard:  # type: ignore[override]
        return Compare("!=", self, as_value(other))

    # By identity: registers are keys of a row's updates, where == must not build a guard.
    __hash__ = object.__hash__


class Number(Value):
    """A constant of an expression."""

    def __init__(self, number: int) -> None:
        if not 0 <= number <= MASK:
            raise DefinitionError(f"{number} is not an unsigned 64 bit number")
        self.number: Final = number

    def evaluate(self, regs: Mapping[str, int], arg: int) -> int:
        return self.number

    def __str__(self) -> str:
        return str(self.number)


class Reg(Value):
    """A register of a machine: an unsigned number that wraps at `bits` (8, 16, 32 or 64), in Python as in C.

    `mask` is its largest value.
    """

    def __init__(self, name: str, start: int = 0, bits: int = 64, doc: str = "") -> None:
        self.name: Final = name
        self.start: Final = start
        self.bits: Final = bits
        self.doc: Final = doc
        self.mask: Final = (1 << bits) - 1

    def evaluate(self, regs: Mapping[str, int], arg: int) -> int:
        return regs[self.name]

    def __str__(self) -> str:
        return self.name


class Arg(Value):
    """The number that comes with an event."""

    def evaluate(self, regs: Mapping[str, int], arg: int) -> int:
        return arg

    def __str__(self) -> str:
        return "arg"


class Binary(Expr):
    """Two operands and what stands between them."""

    operators: ClassVar[Mapping[str, Callable[[int, int], int]]] = {}

    def __init__(self, sign: str, left: Expr, right: Expr) -> None:
        self.sign: Final = sign
        self.left: Final = left
        self.right: Final = right
        self._compute: Final = self.operators[sign]

    def evaluate(self, regs: Mapping[str, int], arg: int) -> int:
        return self._compute(self.left.evaluate(regs, arg), self.right.evaluate(regs, arg)) & MASK

    def leaves(self) -> Iterator[Expr]:
        yield from self.left.leaves()
        yield from self.right.leaves()

    def __str__(self) -> str:
        return f"{_inner(self.left)} {self.sign} {_inner(self.right)}"


class Arithmetic(Binary, Value):
    """A sum, a difference, or the bits that two numbers share."""

    operators: ClassVar[Mapping[str, Callable[[int, int], int]]] = {
        "+": operator.add,
        "-": operator.sub,
        "&": operator.and_,
    }


class Compare(Binary, Guard):
    """A comparison of two numbers."""

    operators: ClassVar[Mapping[str, Callable[[int, int], int]]] = {
        ">=": operator.ge, ">": operator.gt, "<=": operator.le,
        "<": operator.lt, "==": operator.eq, "!=": operator.ne,
    }  # fmt: skip


class Logic(Binary, Guard):
    """Both guards, or either."""

    operators: ClassVar[Mapping[str, Callable[[int, int], int]]] = {"&&": operator.and_, "||": operator.or_}


class Always(Guard):
    """The guard that always holds."""

    def evaluate(self, regs: Mapping[str, int], arg: int) -> int:
        return 1

    def leaves(self) -> Iterator[Expr]:
        return iter(())

    def __str__(self) -> str:
        return "always"


def as_value(value: object) -> Value:
    """A Python integer in an expression."""
    if isinstance(value, Value):
        return value
    if isinstance(value, int):
        return Number(value)
    raise TypeError(f"{value!r} cannot stand in an expression; use registers, arg and integers")


def _inner(expr: Expr) -> str:
    return f"({expr})" if isinstance(expr, Binary) and not isinstance(expr, Compare) else str(expr)


arg: Final = Arg()
ALWAYS: Final = Always()
