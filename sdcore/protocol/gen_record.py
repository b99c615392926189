"""Prints record.h: every machine's functions once more, with a line in a log for each transition.

The recording variant of the library includes it behind machines.h. From there on `sd_ring_tx_step` means the function
that takes the step, and notes which row it was. The row is found by a function of its own, so a log says what the step
did and what the table says. The ordinary library includes nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sdcore.protocol import record
from sdcore.protocol.c_writer import CWriter, literal
from sdcore.protocol.gen_layout import write_struct
from sdcore.protocol.gen_machines import MachinePrinter
from sdcore.protocol.kit import Machine

SWAPPED = "token_owner"
"""Its registers are a word that is swapped: token.c records the steps that won, and no others."""


class RecordPrinter:
    """Prints what records one machine."""

    def __init__(self, number: int, machine: Machine) -> None:
        self.number = number
        self.machine = machine
        self.c_name = f"sd_{machine.name}"
        self.printer = MachinePrinter(machine)

    def write(self, c: CWriter) -> None:
        """Row, packed registers, and the functions that take the place of start and step."""
        self._row(c)
        self._line(c)
        if self.machine.name != SWAPPED:
            self._start(c)
            self._step(c)
            c.line(f"#define {self.c_name}_start {self.c_name}_start_recorded")
            c.line(f"#define {self.c_name}_step  {self.c_name}_step_recorded")
        c.line()

    def _row(self, c: CWriter) -> None:
        numbers = {id(row): number for number, row in enumerate(self.machine.rows)}
        head = f"static inline uint32_t {self.c_name}_row(const struct {self.c_name} *m, uint32_t event, uint64_t arg)"
        with c.function(head):
            c.line("(void)arg;")
            with c.block(f"switch (event << 8 | {'m->state'})"):
                for (state, event), rows in self.machine.groups.items():
                    c.label(f"case {event.number} << 8 | {state.number}:")
                    for row in rows:
                        c.line(f"{self.printer.guard(row)}return {numbers[id(row)]};")
                    if all(self.printer.guard(row) for row in rows):
                        c.line("break;")
            c.line(f"return {record.NO_ROW};")
        c.line()

    def _line(self, c: CWriter) -> None:
        words: list[list[str]] = [[] for _ in range(record.REGISTER_WORDS)]
        for reg, word, shift in record.places(self.machine):
            words[word].append(f"(uint64_t)m->{reg.name} << {shift}" if shift else f"m->{reg.name}")
        registers = ", ".join(" | ".join(word) or "0" for word in words)
        head = f"static inline struct sd_record {self.c_name}_line(const struct {self.c_name} *m, uint32_t event)"
        with c.function(head), c.block("return (struct sd_record)", "};"):
            c.line(".instance = m->instance, .step = m->steps, .event = (uint8_t)event,")
            c.line(f".machine = {self.number}, .before = (uint8_t)m->state, .after = (uint8_t)m->state,")
            c.line(f".row = {record.NO_ROW}, .registers = {{{registers}}},")
        c.line()

    def _start(self, c: CWriter) -> None:
        with c.function(f"static inline void {self.c_name}_start_recorded(struct {self.c_name} *m)"):
            c.line(f"{self.c_name}_start(m);")
            c.line("m->instance = m->steps = 0;")
            c.line(f"struct sd_record line = {self.c_name}_line(m, SD_RECORD_START);")
            c.line("m->instance = sd_record_add(&line, m);")
            c.line("m->steps = 1;")
        c.line()
        with c.function(f"static inline void {self.c_name}_set_recorded(struct {self.c_name} *m)"):
            c.line(f"struct sd_record line = {self.c_name}_line(m, SD_RECORD_SET);")
            c.line("m->steps++;")
            c.line("sd_record_add(&line, m);")
        c.line()

    def _step(self, c: CWriter) -> None:
        arguments = f"struct {self.c_name} *m, uint32_t event, uint64_t arg"
        with c.function(f"static inline uint32_t {self.c_name}_step_recorded({arguments})"):
            c.line(f"struct {self.c_name} next = *m;")
            c.line(f"struct sd_record line = {self.c_name}_line(m, event);")
            c.line("line.arg = arg;")
            c.line(f"line.row = (uint16_t){self.c_name}_row(m, event, arg);")
            c.line(f"line.effects = {self.c_name}_step(&next, event, arg);")
            c.line("line.after = (uint8_t)next.state;")
            c.line("next.steps++;")
            c.line("sd_record_add(&line, m);")
            c.line("*m = next; /* behind the line: a death between the two leaves a step that is taken again */")
            c.line("return line.effects;")
        c.line()


def header(machines: Sequence[Machine]) -> str:
    """The text of record.h."""
    c = CWriter("sdcore/protocol/record.py and the machines", "The log of a run. For the recording variant alone.")
    with c.guard("SD_GENERATED_RECORD_H"):
        c.lines(("#include <stdatomic.h>", "#include <stddef.h>", "#include <stdint.h>", ""))
        c.lines(('#include "generated/machines.h"', ""))
        c.lines(f"#define SD_{const.name} {literal(const.value)} /* {const.doc} */" for const in record.CONSTANTS)
        c.line(f"#define SD_RECORD_TABLES {literal(record.checksum(machines))} /* checksum of the tables */")
        c.line(f"#define SD_RECORD_TOKEN {literal(record.TOKEN)} /* bit of a token's instance */")
        c.line()
        for struct in record.STRUCTS:
            write_struct(c, struct)
        c.comment("core/record.c: writes a line about an instance at `where`; its number, 0 if nothing is recorded.")
        c.line("uint64_t sd_record_add(struct sd_record *line, const void *where);")
        c.line()
        for number, machine in enumerate(machines):
            RecordPrinter(number, machine).write(c)
    return c.text()
