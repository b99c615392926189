"""What a state machine is made of, and the interpreter.

A `Machine` is an immutable table. Its rows say: in this state, on this event, if this holds, change these registers,
ask for these effects in this order, and be in that state next. Rows of one (state, event) are tried from the top.
**What has no row is an error**, and an error changes nothing.

    free = Reg("free", start=RING_BYTES)
    RING_TX = Machine("ring_tx", "...", TxState, TxEvent, TxDo, registers=(free,), rows=(
        Row(TxState.OPEN, TxEvent.SEND, free >= arg, {free: free - arg}, TxDo.PUT_ALL, TxState.OPEN),
        ...
    machine = RING_TX.start(trace=print)        # this instance has one owner
    machine.feed(TxEvent.SEND, 64)              # -> (TxDo.PUT_ALL,); no I/O, no clock, never blocks

Guards and updates are expressions over registers and `arg`, never source text, so that one row is the Python step, a
line of the generated C (`gen_machines`), an edge of the drawing (`gen_docs`) and a case of the tests. All arithmetic is
unsigned and wraps at 64 bits; a register keeps the low `bits` of what it is given. All updates of a row see the
registers as they were before the row.

Definition checks (`kit_check`) refuse a table that cannot be meant: see there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Final

from sdcore.protocol.expr import ALWAYS, DefinitionError, Guard, Reg, Value, arg, as_value
from sdcore.protocol.kit_check import EFFECTS_MAX, check

__all__ = [
    "ALWAYS", "EFFECTS_MAX", "NOTHING", "PEER", "DefinitionError", "Effect", "Event", "Instance", "LocalError",
    "Machine", "Named", "PeerError", "ProtocolError", "Reg", "Row", "State", "Step", "arg", "ignored",
]  # fmt: skip


class ProtocolError(Exception):
    """An event in a state that has no row for it. The machine is as it was."""


class LocalError(ProtocolError):
    """Our own side fed an event that cannot happen here: a defect in a driver."""


class PeerError(ProtocolError):
    """The peer did what the protocol forbids: reset its connection, and nothing else."""


# Names --------------------------------------------------------------------------------------------------------------


class Named(Enum):
    """Members are declared as NAME = "what it means" and numbered in the order of their declaration, from 0."""

    doc: str

    def __new__(cls, doc: str) -> Named:
        member = object.__new__(cls)
        member._value_ = len(cls.__members__)
        member.doc = doc
        return member

    @property
    def number(self) -> int:
        """Place in the declaration, from 0."""
        return int(self._value_)

    def __repr__(self) -> str:
        return self.name

    # By identity, as equality is: steps look rows up by state and event, and Enum's own hash is slow.
    __hash__ = object.__hash__


class State(Named):
    """States of a machine; the first is where it starts."""


PEER: Final = True
"""Marks an event that the peer causes: `FIN = "no byte follows", PEER`. Without a row it is a PeerError."""


class Event(Named):
    """Inputs of a machine; from our own side unless marked PEER."""

    from_peer: bool

    def __new__(cls, doc: str, from_peer: bool = False) -> Event:
        member = object.__new__(cls)
        member._value_ = len(cls.__members__)
        member.doc, member.from_peer = doc, from_peer
        return member


class Effect(Named):
    """Outputs of a machine. The text says what whoever drives the machine must do; in C they count from 1."""


NOTHING: Final[tuple[Effect, ...]] = ()


# Tables and instances ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Row:
    """One line of a table. `do` is one effect, a tuple of up to four in order, or NOTHING."""

    state: State
    event: Event
    if_: Guard
    set: Mapping[Reg, Value | int]
    do: Effect | tuple[Effect, ...]
    next: State

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """The effects in order."""
        return self.do if isinstance(self.do, tuple) else (self.do,)

    @cached_property
    def updates(self) -> tuple[tuple[Reg, Value], ...]:
        """Registers that change, and the new values as expressions."""
        return tuple((reg, as_value(value)) for reg, value in self.set.items())

    def __str__(self) -> str:
        guard = "" if self.if_ is ALWAYS else f" [{self.if_}]"
        updates = "".join(f" {reg} = {value};" for reg, value in self.updates)
        effects = "".join(f" {effect.name}" for effect in self.effects)
        return f"{self.state.name} {self.event.name}{guard}{updates}{effects} -> {self.next.name}"

    __repr__ = __str__


def ignored(state: State, *events: Event) -> tuple[Row, ...]:
    """Rows for events that may come in `state` and change nothing."""
    return tuple(Row(state, event, ALWAYS, {}, NOTHING, state) for event in events)


@dataclass(frozen=True)
class Step:
    """What a tracer sees of one row taken: values after the step."""

    machine: str
    row: Row
    arg: int
    regs: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Machine:
    """A table of rows, checked when it is made.

    Args:
        name: lower case; C calls everything sd_<name>_*.
        doc: one sentence: whose decisions these are.
        registers: numbers that guards read and rows change.
        looked_at: in C its state is read by who may not take a step, at any time.

    Raises:
        DefinitionError: see `kit_check`.
    """

    name: str
    doc: str
    State: type[State]
    Event: type[Event]
    Do: type[Effect]
    registers: tuple[Reg, ...]
    rows: tuple[Row, ...]
    looked_at: bool = False
    groups: Mapping[tuple[Named, Named], tuple[Row, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        groups: dict[tuple[Named, Named], tuple[Row, ...]] = {}
        for row in self.rows:
            groups[row.state, row.event] = (*groups.get((row.state, row.event), ()), row)
        object.__setattr__(self, "groups", groups)
        check(self)

    def start(self, trace: Callable[[Step], Any] | None = None, **registers: int) -> Instance:
        """A new instance in the first state. `registers` replaces start values; `trace` is called after each step."""
        return Instance(self, trace, registers)


class Instance:
    """One running machine. `state` and `regs` are plain values, comparable with the C struct."""

    __slots__ = ("machine", "regs", "state", "trace")

    def __init__(
        self, machine: Machine, trace: Callable[[Step], Any] | None = None, registers: Mapping[str, int] | None = None
    ) -> None:
        self.machine = machine
        self.trace = trace
        self.state = next(iter(machine.State))
        self.regs = {reg.name: reg.start for reg in machine.registers}
        for name, value in (registers or {}).items():
            self.regs[name] = _fitting(machine, name, value)

    def feed(self, event: Event, arg: int = 0) -> tuple[Effect, ...]:
        """Take the first row that holds and return its effects, to be done in order.

        Raises:
            LocalError, PeerError: no row; nothing changed.
        """
        row = self.find(event, arg)
        if row is None:
            error = PeerError if event.from_peer else LocalError
            raise error(f"{self.machine.name}: {event.name} in state {self.state.name}")
        if row.updates:
            self.regs |= {reg.name: value.evaluate(self.regs, arg) & reg.mask for reg, value in row.updates}
        self.state = row.next
        if self.trace is not None:
            self.trace(Step(self.machine.name, row, arg, dict(self.regs)))
        return row.effects

    def find(self, event: Event, arg: int = 0) -> Row | None:
        """The row that `feed` would take, or None."""
        for row in self.machine.groups.get((self.state, event), ()):
            if row.if_ is ALWAYS or row.if_.evaluate(self.regs, arg):
                return row
        return None

    def snapshot(self) -> dict[str, int]:
        """State number and registers under the names they have in C."""
        return {"state": self.state.number, **self.regs}


def _fitting(machine: Machine, name: str, value: int) -> int:
    register = next((reg for reg in machine.registers if reg.name == name), None)
    if register is None:
        raise TypeError(f"{machine.name} has no register {name}")
    if not 0 <= value <= register.mask:
        raise ValueError(f"{machine.name}: {value} does not fit register {name}")
    return value
