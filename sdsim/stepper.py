"""The protocol's machines, made fast: each row of a table becomes a few instructions of Python.

`sdcore.protocol.kit.Instance` interprets a table's expressions one by one. Here each (state, event) of a table is
compiled to one function, as `gen_machines` prints it for C; nothing but the table decides what it does. That both take
the same rows is a property test.

    ring = compiled(RING_TX).start("x")
    ring.feed(TxEvent.SEND, 64)          # -> (TxDo.PUT_ALL,), the very tuple that effects_of((TxDo.PUT_ALL,)) returns

A row that only counts a register down to nought, and stays where it is, can be taken many times at once: what a waiting
thread does most. A `Recorded` runner writes its steps into a journal.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from sdcore.protocol.expr import ALWAYS, MASK, Always, Arg, Arithmetic, Binary, Compare, Expr, Logic, Number, Reg
from sdcore.protocol.kit import Effect, Event, LocalError, Machine, PeerError, Row, State

if TYPE_CHECKING:
    from sdsim.journal import Journal

Effects = tuple[Effect, ...]
Taken = tuple[Row, State, Effects]
Step = Callable[[dict[str, int], int], Taken]

_SAME: dict[Effects, Effects] = {}


def effects_of(effects: Effects) -> Effects:
    """The one tuple of these effects that every step returns: drivers may compare by identity."""
    return _SAME.setdefault(effects, effects)


class _NoRow(Exception):
    """No row holds."""


class Program:
    """A machine whose rows are compiled."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.name = machine.name
        self.first: State = next(iter(machine.State))
        self.registers = {reg.name: reg.start for reg in machine.registers}
        self.steps: dict[State, dict[Event, Step]] = {state: {} for state in machine.State}
        self.counting: dict[tuple[State, Event], tuple[Row, str]] = {}
        for rows in machine.groups.values():
            state, event = rows[0].state, rows[0].event
            self.steps[state][event] = _compile(rows)
            counted = _counts_down(rows[0])
            if counted is not None:
                self.counting[state, event] = rows[0], counted

    def start(self, owner: str, **registers: int) -> Runner:
        """A new instance in the first state; `owner` names it in traces."""
        return Runner(self, owner, registers)


class Runner:
    """One running machine: `state` and `regs` are plain values."""

    __slots__ = ("owner", "program", "regs", "state", "steps")

    def __init__(self, program: Program, owner: str, registers: Mapping[str, int]) -> None:
        self.program = program
        self.owner = owner
        self.steps = program.steps
        self.state = program.first
        self.regs = {**program.registers, **registers}

    @property
    def machine(self) -> Machine:
        """The table."""
        return self.program.machine

    def start_anew(self, **registers: int) -> None:
        """Be in the first state again, as a new instance would."""
        self.state = self.program.first
        self.regs = {**self.program.registers, **registers}

    def take(self, event: Event, arg: int = 0) -> Taken:
        """Take the first row that holds: the row, the state that it leads to, its effects.

        Raises:
            LocalError, PeerError: no row; nothing changed.
        """
        try:
            taken = self.steps[self.state][event](self.regs, arg)
        except (KeyError, _NoRow):
            raise self._no_row(event) from None
        self.state = taken[1]
        return taken

    def feed(self, event: Event, arg: int = 0) -> Effects:
        """Take the first row that holds; its effects, in order.

        Raises:
            LocalError, PeerError: no row; nothing changed.
        """
        return self.take(event, arg)[2]

    def _no_row(self, event: Event) -> LocalError | PeerError:
        error = PeerError if event.from_peer else LocalError
        return error(f"{self.owner}: {self.program.name}: {event.name} in state {self.state.name}")

    def feed_while(self, event: Event, times: int, idle: Container[Effects]) -> tuple[Effects, int]:
        """Feed an event so many times, or until its effects are not idle ones; the last effects, and how often.

        Raises:
            LocalError, PeerError: as `feed`.
        """
        done = 0
        effects: Effects = ()
        while done < times and (not done or effects in idle):
            counting = self.program.counting.get((self.state, event))
            left = self.regs[counting[1]] if counting is not None else 0
            effects = self.feed(event)
            done += 1
            if counting is not None and left > 1 and effects in idle:
                often = min(times - done, left - 1)
                self.regs[counting[1]] -= often
                self._again(counting[0], often)
                done += often
        return effects, done

    def _again(self, row: Row, times: int) -> None:
        """A row was taken so many times more."""


class Recorded(Runner):
    """A machine whose steps are written into a journal."""

    __slots__ = ("clock", "journal", "lines")

    def __init__(self, program: Program, owner: str, registers: Mapping[str, int], journal: Journal) -> None:
        super().__init__(program, owner, registers)
        self.journal = journal
        self.lines = journal.lines
        self.clock = journal.clock

    def feed(self, event: Event, arg: int = 0) -> Effects:
        """Take the first row that holds; its effects, in order.

        Raises:
            LocalError, PeerError: no row; nothing changed.
            Violation: too many steps of waiting, or without any time between them.
        """
        try:  # as `take` does it: a call less for what happens most
            row, self.state, effects = self.steps[self.state][event](self.regs, arg)
        except (KeyError, _NoRow):
            raise self._no_row(event) from None
        lines = self.lines
        lines.append((self.clock.now_ps, self, row, arg))
        if len(lines) >= LINES_MAX:
            self.journal.settle()
        return effects

    def _again(self, row: Row, times: int) -> None:
        self.journal.more[row] += times


class Traced(Recorded):
    """A machine of which each step becomes a line of the trace, too."""

    __slots__ = ()

    def feed(self, event: Event, arg: int = 0) -> Effects:
        """As the base's; raises the same."""
        effects = super().feed(event, arg)
        self.journal.trace(self)
        return effects

    def feed_while(self, event: Event, times: int, idle: Container[Effects]) -> tuple[Effects, int]:
        """As the base's, one by one; raises the same."""
        done = 0
        effects: Effects = ()
        while done < times and (not done or effects in idle):
            effects = self.feed(event)
            done += 1
        return effects, done


LINES_MAX = 1024
"""A journal counts its lines when it has so many."""


@cache
def compiled(machine: Machine) -> Program:
    """The program of a machine; one for each table object."""
    return Program(machine)


def _counts_down(row: Row) -> str | None:
    """The register of a row that takes one from it while it is above nought, and does not leave its state."""
    guard = row.if_
    if row.next is not row.state or len(row.updates) != 1 or not isinstance(guard, Compare) or guard.sign != ">":
        return None
    ((reg, value),) = row.updates
    below = isinstance(guard.right, Number) and guard.right.number == 0 and guard.left is reg
    less = isinstance(value, Arithmetic) and value.sign == "-" and value.left is reg and _is_one(value.right)
    return reg.name if below and less else None


def _is_one(expr: Expr) -> bool:
    return isinstance(expr, Number) and expr.number == 1


def _compile(rows: tuple[Row, ...]) -> Step:
    lines = ["def step(r, arg):"]
    for number, row in enumerate(rows):
        indent = "    "
        if row.if_ is not ALWAYS:
            lines.append(f"    if {text_of(row.if_)}:")
            indent = "        "
        if row.updates:
            names = ", ".join(f"r[{reg.name!r}]" for reg, _ in row.updates)
            values = ", ".join(f"({text_of(value)}) & {reg.mask}" for reg, value in row.updates)
            lines.append(f"{indent}{names} = {values}")
        lines.append(f"{indent}return taken{number}")
        if row.if_ is ALWAYS:
            break
    else:
        lines.append("    raise NoRow")
    taken: dict[str, Taken] = {f"taken{i}": (row, row.next, effects_of(row.effects)) for i, row in enumerate(rows)}
    scope: dict[str, Any] = {**taken, "NoRow": _NoRow}
    exec("\n".join(lines), scope)
    return cast("Step", scope["step"])


def text_of(expr: Expr, register: str = "r[{!r}]") -> str:
    """An expression as Python; `register` says how a register is written."""
    match expr:
        case Logic():
            sign = "and" if expr.sign == "&&" else "or"
            return f"({text_of(expr.left, register)} {sign} {text_of(expr.right, register)})"
        case Binary():
            text = f"({text_of(expr.left, register)} {expr.sign} {text_of(expr.right, register)})"
            return f"({text} & {MASK})" if expr.sign in "+-" else text
        case Reg():
            return register.format(expr.name)
        case Number():
            return str(expr.number)
        case Arg():
            return "arg"
        case Always():
            return "True"
    raise TypeError(f"{expr!r} is not an expression of a table")
