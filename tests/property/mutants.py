"""Faults that a generator could have. Each is small, compiles, and must be noticed by the agreement test.

`harmless` names machines in which the fault changes the text but nothing else, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sdcore.protocol.expr import Expr, Number, Reg
from sdcore.protocol.gen_machines import MachinePrinter
from sdcore.protocol.kit import Named, Row


class _OneSign(MachinePrinter):
    """One operator printed as another."""

    wrong: ClassVar[tuple[str, str]]

    def sign(self, sign: str) -> str:
        return self.wrong[1] if sign == self.wrong[0] else sign


class GreaterOrEqualAsGreater(_OneSign):
    wrong = (">=", ">")


class GreaterAsGreaterOrEqual(_OneSign):
    wrong = (">", ">=")


class LessAsLessOrEqual(_OneSign):
    wrong = ("<", "<=")


class LessOrEqualAsLess(_OneSign):
    wrong = ("<=", "<")


class EqualAsGreaterOrEqual(_OneSign):
    wrong = ("==", ">=")


class UnequalAsLess(_OneSign):
    wrong = ("!=", "<")


class AndAsOr(_OneSign):
    wrong = ("&&", "||")


class OrAsAnd(_OneSign):
    wrong = ("||", "&&")


class BitsAsSum(_OneSign):
    wrong = ("&", "+")


class PlusAsMinus(_OneSign):
    wrong = ("+", "-")


class NextIsForgotten(MachinePrinter):
    """Only in rows with a guard: the others are too easy."""

    def next(self, row: Row) -> list[str]:
        return [] if self.guard(row) else super().next(row)


class NextIsTheNeighbour(MachinePrinter):
    def next(self, row: Row) -> list[str]:
        states = list(self.machine.State)
        following = states[(row.next.number + 1) % len(states)]
        return [self.become(following)] if row.next is not row.state else []


class LastUpdateIsForgotten(MachinePrinter):
    def updates(self, row: Row) -> list[str]:
        return super().updates(row)[:-1] if row.updates and "const" not in super().updates(row)[0] else []


class UpdatesSeeEachOther(MachinePrinter):
    def updates(self, row: Row) -> list[str]:
        return [f"m->{reg.name} = {self.cast(reg, self.expr(value))};" for reg, value in row.updates]


class EffectsAreReversed(MachinePrinter):
    def effects(self, row: Row) -> str:
        if len(row.effects) < 2:
            return super().effects(row)
        parts = [f"(uint32_t){self.effect(e)} << {8 * i}" for i, e in enumerate(reversed(row.effects))]
        return " | ".join(parts)


class LastEffectIsForgotten(MachinePrinter):
    def effects(self, row: Row) -> str:
        return super().effects(row).rpartition(" | ")[0] or super().effects(row)


class EffectsOverlap(MachinePrinter):
    def effects(self, row: Row) -> str:
        return super().effects(row).replace("<< 8", "<< 4")


class EffectsCountFromZero(MachinePrinter):
    def effects(self, row: Row) -> str:
        return f"({super().effects(row)}) - 1" if row.effects else "0"


class RegistersAreWider(MachinePrinter):
    harmless: ClassVar[dict[str, str]] = {
        "ring_rx": "its narrow register only holds 0 and 1",
        "mover": "its narrow register only holds 0 and 1",
        "teardown": "its narrow register only holds 0 and 1",
        "client": "its narrow register only holds small numbers and is never taken below nought",
        "server": "its narrow register only holds 0 and 1",
    }

    def register_type(self, reg: Reg) -> str:
        return "uint64_t"


class RegistersAreNarrower(MachinePrinter):
    harmless: ClassVar[dict[str, str]] = {
        "teardown": "its register is narrower than that",
        "client": "its register is narrower than that",
        "server": "its register is narrower than that",
    }

    def register_type(self, reg: Reg) -> str:
        return "uint16_t"

    def cast(self, reg: Reg, text: str) -> str:
        return f"(uint16_t)({text})"


class SumsAreNotWidened(MachinePrinter):
    harmless: ClassVar[dict[str, str]] = {
        "ring_rx": "compares a narrow register with a number",
        "mover": "compares a narrow register with a number",
        "teardown": "compares a narrow register with a number",
        "client": "compares a narrow register with a number, and cuts differences again",
        "server": "compares a narrow register with a number",
        "waiter": "compares narrow registers with numbers, and cuts differences again",
        "token_owner": "compares a narrow register with a number, and cuts sums again",
    }

    def expr(self, expr: Expr) -> str:
        return f"m->{expr.name}" if isinstance(expr, Reg) else super().expr(expr)


class NumbersAreOneMore(MachinePrinter):
    def expr(self, expr: Expr) -> str:
        return super().expr(Number(expr.number + 1) if isinstance(expr, Number) else expr)


class LastRowIsMissing(MachinePrinter):
    def group(self, rows: Sequence[Row]) -> list[Row]:
        return list(rows[:-1])


class FirstRowIsMissing(MachinePrinter):
    """Only where others follow."""

    def group(self, rows: Sequence[Row]) -> list[Row]:
        return list(rows[1:]) or list(rows)


class RowsAreReversed(MachinePrinter):
    def row(self, row: Row) -> str:
        """A row that always holds gets a guard, or the rows behind it would not compile."""
        alone = len(self.machine.groups[row.state, row.event]) == 1
        return (
            super().row(row) if alone or self.guard(row) else f"if (1) {{ {super().row(row).replace(' /*', ' } /*', 1)}"
        )

    def group(self, rows: Sequence[Row]) -> list[Row]:
        return list(reversed(rows))


class GuardIsForgotten(MachinePrinter):
    """Of the first row of each group."""

    def guard(self, row: Row) -> str:
        first = self.machine.groups[row.state, row.event][0]
        return "" if row is first else super().guard(row)


class FirstStateIsTheLast(MachinePrinter):
    def prototypes(self) -> list[str]:
        self._starting = True
        return super().prototypes()

    def state(self, state: Named) -> str:
        if getattr(self, "_starting", False):
            self._starting = False
            return super().state(list(self.machine.State)[-1])
        return super().state(state)


MUTANTS: tuple[type[MachinePrinter], ...] = (
    GreaterOrEqualAsGreater,
    GreaterAsGreaterOrEqual,
    LessAsLessOrEqual,
    LessOrEqualAsLess,
    EqualAsGreaterOrEqual,
    UnequalAsLess,
    AndAsOr,
    OrAsAnd,
    BitsAsSum,
    PlusAsMinus,
    NextIsForgotten,
    NextIsTheNeighbour,
    LastUpdateIsForgotten,
    UpdatesSeeEachOther,
    EffectsAreReversed,
    LastEffectIsForgotten,
    EffectsOverlap,
    EffectsCountFromZero,
    RegistersAreWider,
    RegistersAreNarrower,
    SumsAreNotWidened,
    NumbersAreOneMore,
    LastRowIsMissing,
    FirstRowIsMissing,
    RowsAreReversed,
    GuardIsForgotten,
    FirstStateIsTheLast,
)
