"""Prints `layout` and `messages` as C: constants, lists of names, structures with their offsets asserted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sdcore.protocol import layout, messages
from sdcore.protocol.c_writer import CWriter, literal, string
from sdcore.protocol.struct_kit import Const, Field, Struct

CONSTANTS: tuple[Const, ...] = (
    *layout.CONSTANTS,
    *messages.CONSTANTS,
    Const("SLAB_RINGS_OFFSET", layout.RINGS_OFFSET, "First ring in a slab; ring d of slot s is number 2 * s + d."),
    Const("SLAB_BYTES", layout.SLAB_BYTES, "Size of a whole slab."),
)
STRUCTS: tuple[Struct, ...] = (*layout.STRUCTS, *messages.STRUCTS)

LISTS: tuple[tuple[str, str, Sequence[str]], ...] = (
    ("sd_sock_state", "SOCK", layout.SOCK_STATES),
    ("sd_transport", "TRANSPORT", layout.TRANSPORTS),
    ("sd_reason", "REASON", [name for name, _ in layout.REASONS]),
)
"""C enumeration, prefix of its members, names in order."""


def header() -> str:
    """The text of layout.h."""
    c = CWriter("sdcore/protocol/layout.py and messages.py", "What processes share: memory and packets.")
    with c.guard("SD_GENERATED_LAYOUT_H"):
        c.lines(("#include <stdatomic.h>", "#include <stddef.h>", "#include <stdint.h>", ""))
        c.lines(_constants())
        c.line()
        for enum, prefix, names in LISTS:
            _enum(c, enum, prefix, names)
        c.lines(_table("sd_reason_text", [text for _, text in layout.REASONS]))
        c.line()
        for struct in STRUCTS:
            write_struct(c, struct)
    return c.text()


def _constants() -> Iterator[str]:
    for const in CONSTANTS:
        comment = f" /* {const.doc} */" if const.doc else ""
        yield f"#define SD_{const.name} {literal(const.value)}{comment}"


def _enum(c: CWriter, enum: str, prefix: str, names: Sequence[str]) -> None:
    with c.block(f"enum {enum}", "};"):
        c.lines(f"SD_{prefix}_{name.upper()} = {number}," for number, name in enumerate(names))
    c.line(f"#define SD_{prefix}_COUNT {len(names)}u")
    c.lines(_table(f"{enum}_name", names))
    c.line()


def _table(name: str, texts: Sequence[str]) -> Iterator[str]:
    yield f"__attribute__((unused)) static const char *const {name}[{len(texts)}] = {{"
    for text in texts:
        yield f"    {string(text)},"
    yield "};"


def write_struct(c: CWriter, struct: Struct) -> None:
    """A structure, its size and offsets asserted."""
    name = f"struct sd_{struct.name}"
    c.comment(struct.doc)
    with c.block(name, "};"):
        for number, (field, padding) in enumerate(struct.padding()):
            if padding:
                c.line(f"uint8_t padding_{number}[{padding}];")
            if field is not None:
                c.line(declaration(field) + (f" /* {field.doc} */" if field.doc else ""))
    c.line(f'_Static_assert(sizeof({name}) == {struct.size}, "size of {struct.name}");')
    for field_name, offset in struct.offsets.items():
        c.line(f'_Static_assert(offsetof({name}, {field_name}) == {offset}, "{struct.name}.{field_name}");')
    c.line()


def declaration(field: Field, plain: bool = False) -> str:
    """A field as C declares it; `plain` leaves out what cffi does not understand."""
    base = f"uint{8 * field.item_bytes}_t" if field.scalar else f"struct sd_{field.type}"
    if field.atomic and not plain:
        base = f"_Atomic {base}"
    if field.align and not plain:
        base = f"_Alignas({field.align}) {base}"
    return f"{base} {field.name}{f'[{field.count}]' if field.count else ''};"
