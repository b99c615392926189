"""Prints cdef.h: the same constants, structures and machines as cffi reads them.

cffi knows neither alignment nor atomics, so structures of shared memory end in `...;`: the compiler tells the real
layout. Atomic arrays are left out (cffi would take a plain pointer to them); Python reads them by `Struct.view` over
`ffi.buffer`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sdcore.protocol.c_writer import CWriter
from sdcore.protocol.gen_layout import CONSTANTS, LISTS, STRUCTS, declaration
from sdcore.protocol.gen_machines import MachinePrinter
from sdcore.protocol.kit import Machine
from sdcore.protocol.struct_kit import Struct


def header(machines: Sequence[Machine]) -> str:
    """The text of cdef.h."""
    c = CWriter("sdcore/protocol", "For cffi alone: not a C header.")
    c.lines(f"#define SD_{const.name} {const.value}" for const in CONSTANTS)
    c.line("#define SD_NO_ROW 0xFFFFFFFF")
    for enum, prefix, names in LISTS:
        _enum(c, enum, [(f"SD_{prefix}_{name.upper()}", number) for number, name in enumerate(names)])
    for struct in STRUCTS:
        _struct(c, struct)
    for machine in machines:
        write_machine(c, machine)
    return c.text()


def write_machine(c: CWriter, machine: Machine) -> None:
    """One machine's names, structure, functions and tables."""
    printer = MachinePrinter(machine)
    for enum, members in printer.enums():
        _enum(c, enum, members)
    with c.block(printer.struct, "};"):
        c.lines(printer.fields())
    c.lines(f"{prototype};" for prototype in printer.prototypes())
    c.lines(f"extern const char *const {name}[{len(texts)}];" for name, texts in printer.tables())


def _enum(c: CWriter, enum: str, members: Sequence[tuple[str, int]]) -> None:
    with c.block(f"enum {enum}", "};"):
        c.lines(f"{name} = {number}," for name, number in members)


def _struct(c: CWriter, struct: Struct) -> None:
    with c.block(f"struct sd_{struct.name}", "};"):
        for field in struct.fields:
            if not (field.atomic and field.count):
                c.line(declaration(field, plain=True))
        c.line("...;")
