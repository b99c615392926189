"""The protocol's machines, made fast: each row of a table becomes a few instructions of Python.

`sdcore.protocol.kit.Instance` interprets a table's expressions one by one. Here each (state, event) of a table is
compiled to one function, as `gen_machines` prints it for C; nothing but the table decides what it does. That both take
the same rows is a property test.

    ring = compiled(RING_TX).start(hook)
    ring.feed(TxEvent.SEND, 64)          # -> (TxDo.PUT_ALL,); hook(ring, row, 64, 1) is called behind it

A row that only counts a register down to nought, and stays where it is, can be taken many times at once: what a waiting
thread does most.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import cache
from typing import Any

from sdcore.protocol.expr import ALWAYS, MASK, Always, Arg, Arithmetic, Binary, Compare, Expr, Logic, Number, Reg
from sdcore.protocol.kit import Effect, Event, LocalError, Machine, PeerError, Row, State

Hook = Callable[["Runner", Row, int, int], None]
"""Called behind a step with the instance, its row, the argument, and how often in a row the step was taken."""
Effects = tuple[Effect, ...]
Step = Callable[[dict[str, int], int], Row | None]


class Program:
    """A machine whose rows are compiled."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.name = machine.name
        self.first: State = next(iter(machine.State))
        self.registers = {reg.name: reg.start for reg in machine.registers}
        self.steps: dict[State, dict[Event, Step]] = {state: {} for state in machine.State}
        self.counting: dict[tuple[State, Event], tuple[Row, str]] = {}
        for (state, event), rows in machine.groups.items():
            self.steps[state][event] = _compile(rows)  # type: ignore[index]
            counted = _counts_down(rows[0])
            if counted is not None:
                self.counting[state, event] = rows[0], counted  # type: ignore[index]

    def start(self, owner: str, hook: Hook | None = None, **registers: int) -> Runner:
        """A new instance in the first state; `owner` names it in traces."""
        return Runner(self, owner, hook, registers)


class Runner:
    """One running machine: `state` and `regs` are plain values."""

    __slots__ = ("hook", "owner", "program", "regs", "state")

    def __init__(self, program: Program, owner: str, hook: Hook | None, registers: Mapping[str, int]) -> None:
        self.program = program
        self.owner = owner
        self.hook = hook
        self.state = program.first
        self.regs = {**program.registers, **registers}

    @property
    def machine(self) -> Machine:
        """The table."""
        return self.program.machine

    def feed(self, event: Event, arg: int = 0) -> tuple[Effect, ...]:
        """Take the first row that holds; its effects, in order.

        Raises:
            LocalError, PeerError: no row; nothing changed.
        """
        step = self.program.steps[self.state].get(event)
        row = step(self.regs, arg) if step is not None else None
        if row is None:
            error = PeerError if event.from_peer else LocalError
            raise error(f"{self.owner}: {self.program.name}: {event.name} in state {self.state.name}")
        self.state = row.next
        if self.hook is not None:
            self.hook(self, row, arg, 1)
        return row.effects

    def feed_while(self, event: Event, times: int, idle: Container[Effects]) -> tuple[Effects, int]:
        """Feed an event so many times, or until its effects are not idle ones; the last effects, and how often.

        Raises:
            LocalError, PeerError: as `feed`.
        """
        done = 0
        effects: Effects = ()
        while done < times and (not done or effects in idle):
            counting = self.program.counting.get((self.state, event))
            if counting is not None and counting[0].effects in idle and self.regs[counting[1]]:
                row, name = counting
                often = min(times - done, self.regs[name])
                self.regs[name] -= often
                effects = row.effects
                done += often
                if self.hook is not None:
                    self.hook(self, row, 0, often)
            else:
                effects = self.feed(event)
                done += 1
        return effects, done


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
        lines.append(f"{indent}return rows[{number}]")
        if row.if_ is ALWAYS:
            break
    lines.append("    return None")
    scope: dict[str, Any] = {"rows": rows}
    exec("\n".join(lines), scope)
    step: Step = scope["step"]
    return step


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
