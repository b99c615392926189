"""Prints a machine as C: a structure, enumerations, and one inline function that takes a step.

The step is a `switch` over the event and, inside, over the state: callers name their event, so the compiler keeps one
inner switch of a few states. One line a row, with the row repeated behind it.

The effects of a row come back packed, one a byte, the first in the lowest byte, 0 for none:

    for (uint32_t todo = sd_ring_tx_step(&m, SD_RING_TX_EV_SEND, n); todo; todo >>= 8)
        switch (todo & 0xff) { case SD_RING_TX_DO_PUT_ALL: ... }
"""

from __future__ import annotations

from collections.abc import Sequence

from sdcore.protocol.c_writer import CWriter, literal, string
from sdcore.protocol.expr import ALWAYS, Arg, Binary, Expr, Number, Reg, Value
from sdcore.protocol.kit import Machine, Named, Row

NO_ROW = 0xFFFFFFFF
"""What a step returns when no row holds; the machine is unchanged."""

STATES = (
    "/* Of some machines who may not take a step still looks at the state: it is read and written as one word. */",
    "#define SD_STATE_OF(m) __atomic_load_n(&(m)->state, __ATOMIC_RELAXED)",
    "#define SD_BECOME(m, next) __atomic_store_n(&(m)->state, (uint32_t)(next), __ATOMIC_RELAXED)",
    "",
)

RECORDED = (
    "#ifdef SD_RECORD /* which instance this is in the log of a run, and how many lines it has there: see record.h */",
    "#define SD_RECORDED uint64_t instance; uint32_t steps;",
    "#else",
    "#define SD_RECORDED",
    "#endif",
    "",
)


class MachinePrinter:
    """Prints one machine. Tests override single methods to seed faults."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.prefix = f"SD_{machine.name.upper()}"
        self.struct = f"struct sd_{machine.name}"

    # Names and numbers ----------------------------------------------------------------------------------------------

    def state(self, state: Named) -> str:
        """C name of a state."""
        return f"{self.prefix}_{state.name}"

    def event(self, event: Named) -> str:
        """C name of an event."""
        return f"{self.prefix}_EV_{event.name}"

    def effect(self, effect: Named) -> str:
        """C name of an effect."""
        return f"{self.prefix}_DO_{effect.name}"

    def enums(self) -> list[tuple[str, list[tuple[str, int]]]]:
        """Each enumeration of the machine with its members and their numbers."""
        name, machine = f"sd_{self.machine.name}", self.machine
        return [
            (f"{name}_state", [(self.state(s), s.number) for s in machine.State]),
            (f"{name}_event", [(self.event(e), e.number) for e in machine.Event]),
            (f"{name}_effect", [(self.effect(d), d.number + 1) for d in machine.Do]),
        ]

    def tables(self) -> list[tuple[str, list[str]]]:
        """Tables of names for printing; [0] of the effects is empty, for they count from 1."""
        name, machine = f"sd_{self.machine.name}", self.machine
        return [
            (f"{name}_state_name", [s.name for s in machine.State]),
            (f"{name}_event_name", [e.name for e in machine.Event]),
            (f"{name}_effect_name", ["", *(d.name for d in machine.Do)]),
        ]

    def register_type(self, reg: Reg) -> str:
        """C type of a register."""
        return f"uint{reg.bits}_t"

    def fields(self) -> list[str]:
        """Declarations of the structure's fields, wide ones first: no holes, for a line holds what a call needs."""
        fields = [(32, "uint32_t state;")]
        fields += [(reg.bits, f"{self.register_type(reg)} {reg.name};") for reg in self.machine.registers]
        return [text for _, text in sorted(fields, key=lambda field: -field[0])]

    def prototypes(self) -> list[str]:
        """Heads of the functions start and step."""
        name = f"sd_{self.machine.name}"
        return [
            f"void {name}_start({self.struct} *m)",
            f"uint32_t {name}_step({self.struct} *m, uint32_t event, uint64_t arg)",
        ]

    # Expressions ------------------------------------------------------------------------------------------------------

    def expr(self, expr: Expr) -> str:
        """An expression, computed in 64 bits as in Python."""
        match expr:
            case Reg():
                return f"m->{expr.name}" if expr.bits == 64 else f"(uint64_t)m->{expr.name}"
            case Arg():
                return "arg"
            case Number():
                return literal(expr.number) if expr.number > 0xFFFFFFFF else f"{expr.number}ULL"
            case Binary():
                return f"{self.operand(expr.left)} {self.sign(expr.sign)} {self.operand(expr.right)}"
        raise TypeError(f"no C for {type(expr).__name__}")

    def operand(self, expr: Expr) -> str:
        """An expression as an operand of another."""
        return f"({self.expr(expr)})" if isinstance(expr, Binary) else self.expr(expr)

    def sign(self, sign: str) -> str:
        """An operator."""
        return sign

    # Rows -------------------------------------------------------------------------------------------------------------

    def updates(self, row: Row) -> list[str]:
        """Assignments; through temporaries if one reads what another has changed already."""
        pairs = [(reg, self.expr(value)) for reg, value in row.updates]
        if not _order_matters(row.updates):
            return [f"m->{reg.name} = {self.cast(reg, text)};" for reg, text in pairs]
        before = [f"const uint64_t new_{reg.name} = {text};" for reg, text in pairs]
        return before + [f"m->{reg.name} = {self.cast(reg, f'new_{reg.name}')};" for reg, _ in pairs]

    def cast(self, reg: Reg, text: str) -> str:
        """A new value, cut to its register's width."""
        return text if reg.bits == 64 else f"({self.register_type(reg)})({text})"

    def effects(self, row: Row) -> str:
        """The packed effects of a row."""
        parts = [
            self.effect(effect) if not index else f"(uint32_t){self.effect(effect)} << {8 * index}"
            for index, effect in enumerate(row.effects)
        ]
        return " | ".join(parts) or "0"

    def next(self, row: Row) -> list[str]:
        """The change of state, if there is one."""
        return [] if row.next is row.state else [self.become(row.next)]

    def become(self, state: Named) -> str:
        """The statement that changes the state."""
        name = self.state(state)
        return f"SD_BECOME(m, {name});" if self.machine.looked_at else f"m->state = {name};"

    def guard(self, row: Row) -> str:
        """The condition of a row, empty if it always holds."""
        return "" if row.if_ is ALWAYS else f"if ({self.expr(row.if_)}) "

    def row(self, row: Row) -> str:
        """One row: guard, updates, next state, effects."""
        body = " ".join([*self.updates(row), *self.next(row), f"return {self.effects(row)};"])
        guard = self.guard(row)
        return f"{guard}{{ {body} }} /* {row} */" if guard else f"{body} /* {row} */"

    def group(self, rows: Sequence[Row]) -> list[Row]:
        """The rows of one state and event, in the order in which they are tried."""
        return list(rows)

    # Files ------------------------------------------------------------------------------------------------------------

    def write(self, c: CWriter) -> None:
        """Everything about the machine into machines.h."""
        c.comment(f"{self.machine.name}: {self.machine.doc}")
        self._declare(c)
        start, step = self.prototypes()
        with c.function(f"static inline {start}"):
            c.line(f"m->state = {self.state(next(iter(self.machine.State)))};")
            c.lines(f"m->{reg.name} = {literal(reg.start)};" for reg in self.machine.registers)
        c.line()
        with c.function(f"static inline {step}"):
            c.line("(void)arg;")
            with c.block("switch (event)"):
                for event in self.machine.Event:
                    self._event(c, event)
            c.line("return SD_NO_ROW;")
        c.line()

    def _declare(self, c: CWriter) -> None:
        for enum, members in self.enums():
            with c.block(f"enum {enum}", "};"):
                c.lines(f"{name} = {number}," for name, number in members)
        for name, texts in self.tables():
            listed = ", ".join(string(text) for text in texts)
            c.line(f"__attribute__((unused)) static const char *const {name}[{len(texts)}] = {{{listed}}};")
        with c.block(self.struct, "};"):
            c.lines((*self.fields(), "SD_RECORDED"))
        c.line()

    def _event(self, c: CWriter, event: Named) -> None:
        c.label(f"case {self.event(event)}:")
        with c.block("switch (m->state)"):
            for state in self.machine.State:
                rows = self.group(self.machine.groups.get((state, event), ()))
                if rows:
                    self._group(c, state, rows)
        c.line("break;")

    def _group(self, c: CWriter, state: Named, rows: Sequence[Row]) -> None:
        scoped = any("const uint64_t" in self.row(row) and not self.guard(row) for row in rows)
        c.label(f"case {self.state(state)}:{' {' if scoped else ''}")
        c.lines(self.row(row) for row in rows)
        if all(self.guard(row) for row in rows):
            c.line("return SD_NO_ROW;")
        if scoped:
            c.label("}")


def _order_matters(updates: Sequence[tuple[Reg, Value]]) -> bool:
    changed: set[Reg] = set()
    for reg, value in updates:
        if any(leaf in changed for leaf in value.leaves()):
            return True
        changed.add(reg)
    return False


def header(machines: Sequence[Machine], printer: type[MachinePrinter] = MachinePrinter) -> str:
    """The text of machines.h."""
    c = CWriter("the machines of sdcore/protocol", "Every decision of the protocol.")
    with c.guard("SD_GENERATED_MACHINES_H"):
        c.lines(("#include <stdint.h>", "", "#define SD_NO_ROW UINT32_MAX", ""))
        c.lines((*RECORDED, *STATES))
        for machine in machines:
            printer(machine).write(c)
    return c.text()
