"""Layouts are those of the C compiler, and bytes go in and out of them unchanged."""

from __future__ import annotations

import mmap
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI
from hypothesis import given
from hypothesis import strategies as st

from sdcore.protocol import layout, messages
from sdcore.protocol.gen import GENERATED, ROOT
from sdcore.protocol.gen_layout import STRUCTS
from sdcore.protocol.struct_kit import Field, LayoutError, Struct

_numbers = count()
TYPES = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t"}


def fresh(fields: tuple[Field, ...], size: int = 0) -> Struct:
    """A structure with a name that no other has."""
    return Struct(f"fresh_{next(_numbers)}", "For a test.", size, fields)


INNER = Struct("trial_inner", "Nested.", 0, (Field("x", "u16"), Field("y", "u64")))
OUTER = Struct(
    "trial_outer",
    "Everything.",
    128,
    (
        Field("a", "u8"),
        Field("b", "u32"),
        Field("bytes16", "u8", count=16),
        Field("shorts", "u16", count=3),
        Field("inner", "trial_inner"),
        Field("pair", "trial_inner", count=2),
        Field("last", "u8", align=32),
    ),
)


def offsets_in_c(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Size and every offset of every shared structure, as the compiler of the library sees them."""
    lines = ['#include "generated/layout.h"', "#include <stdio.h>", "int main(void) {"]
    for struct in STRUCTS:
        name = f"struct sd_{struct.name}"
        lines.append(f'printf("{struct.name} %zu\\n", sizeof({name}));')
        lines += [f'printf("{struct.name}.{f.name} %zu\\n", offsetof({name}, {f.name}));' for f in struct.fields]
    source, program = tmp_path / "offsets.c", tmp_path / "offsets"
    source.write_text("\n".join([*lines, "}"]))
    flags = ("-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / GENERATED.parent}")
    subprocess.run(["cc", *flags, "-o", program, source], check=True)
    for line in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines():
        name, number = line.split()
        yield name, int(number)


def test_offsets_and_sizes_are_those_of_the_c_compiler(tmp_path: Path) -> None:
    ours = {s.name: s.size for s in STRUCTS}
    ours |= {f"{s.name}.{name}": offset for s in STRUCTS for name, offset in s.offsets.items()}
    assert dict(offsets_in_c(tmp_path)) == ours


SCALARS = st.builds(Field, name=st.just(""), type=st.sampled_from(sorted(TYPES)), count=st.integers(0, 5))


@given(st.lists(SCALARS, min_size=1, max_size=8))
def test_any_structure_is_laid_out_as_cffi_does(fields: list[Field]) -> None:
    named = tuple(Field(f"f{i}", f.type, f.count) for i, f in enumerate(fields))
    struct, ffi = fresh(named), FFI()
    body = " ".join(f"{TYPES[f.type]} {f.name}{f'[{f.count}]' if f.count else ''};" for f in named)
    ffi.cdef(f"struct s {{ {body} }};")
    assert ffi.sizeof("struct s") == struct.size
    assert {f.name: ffi.offsetof("struct s", f.name) for f in named} == struct.offsets


def test_nested_structures_arrays_and_alignment_are_laid_out_as_in_c() -> None:
    assert OUTER.offsets == {"a": 0, "b": 4, "bytes16": 8, "shorts": 24, "inner": 32, "pair": 48, "last": 96}
    assert (OUTER.alignment, OUTER.size) == (32, 128)


VALUES: dict[str, Any] = {
    "a": 255,
    "b": 0xDEADBEEF,
    "bytes16": bytes(range(16)),
    "shorts": (1, 65535, 3),
    "inner": {"x": 7, "y": 1 << 63},
    "pair": ({"x": 1}, {"y": 2}),
}


def test_what_is_packed_is_unpacked() -> None:
    values = OUTER.unpack(OUTER.pack(**VALUES))
    assert (values.a, values.b, values.bytes16, values.shorts) == (255, 0xDEADBEEF, bytes(range(16)), (1, 65535, 3))
    assert (values.inner.x, values.inner.y) == (7, 1 << 63)
    assert [(p.x, p.y) for p in values.pair] == [(1, 0), (0, 2)]
    assert values.last == 0


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_a_header_survives_the_wire(kind: int, seq: int, status: int) -> None:
    data = messages.HEADER.pack(type=kind, seq=seq, status=status)
    back = messages.HEADER.unpack(data)
    assert (len(data), back.type, back.seq, back.status, back.reason) == (16, kind, seq, status, 0)


def test_a_view_writes_through_to_the_memory() -> None:
    memory = bytearray(3 * OUTER.size)
    view = OUTER.view(memory, OUTER.size)
    view.b = 5
    view.shorts[1] = 9
    view.pair[1].y = 1 << 40
    view.inner = {"x": 3, "y": 4}
    assert memory[: OUTER.size] == memory[2 * OUTER.size :] == bytes(OUTER.size)
    seen = OUTER.unpack(bytes(memory[OUTER.size : 2 * OUTER.size]))
    assert (seen.b, seen.shorts[1], seen.pair[1].y, seen.inner.x, seen.inner.y) == (5, 9, 1 << 40, 3, 4)


def test_a_view_of_a_mapping_sees_what_another_mapping_writes() -> None:
    with mmap.mmap(-1, 2 * layout.STATUS.size) as mapping:
        one, other = layout.STATUS.view(mapping, 4096), layout.STATUS.view(mapping, 4096)
        one.listeners = 1 << 33
        assert other.listeners == 1 << 33
        assert mapping[4096 + layout.STATUS.offsets["listeners"] + 4] == 2
        del one, other


def test_arrays_of_structures_are_sequences() -> None:
    pair = OUTER.view(bytearray(OUTER.pack(**VALUES))).pair
    assert (len(pair), pair[-1].y, [p.x for p in pair], pair[0:1][0].x) == (2, 2, [1, 0], 1)
    with pytest.raises(IndexError):
        pair[2]


@pytest.mark.parametrize("values", [{"a": 256}, {"a": -1}, {"shorts": (1, 2)}, {"pair": ({},)}, {"bytes16": b"short"}])
def test_a_value_that_does_not_fit_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - memoryview's own words for some
        OUTER.pack(**values)


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AttributeError, match="trial_outer has no field c"):
        OUTER.pack(c=1)
    with pytest.raises(AttributeError, match="trial_outer has no field c"):
        _ = OUTER.view(bytearray(128)).c


@pytest.mark.parametrize("length", [0, 127, 129])
def test_bytes_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(LayoutError, match="128 bytes expected"):
        OUTER.unpack(bytes(length))


def test_a_view_does_not_reach_beyond_the_buffer() -> None:
    with pytest.raises(LayoutError, match="outside"):
        OUTER.view(bytearray(200), 100)


@pytest.mark.parametrize(
    ("fields", "size", "fault"),
    [
        ((), 0, "no fields"),
        ((Field("x", "u8"), Field("x", "u8")), 0, "declared twice"),
        ((Field("x", "u128"),), 0, "unknown type u128"),
        ((Field("x", "u64"),), 4, "needs 8 bytes"),
        ((Field("x", "u64"),), 12, "no multiple"),
    ],
)
def test_a_wrong_declaration_is_refused(fields: tuple[Field, ...], size: int, fault: str) -> None:
    with pytest.raises(LayoutError, match=fault):
        fresh(fields, size)


def test_two_structures_cannot_have_one_name() -> None:
    with pytest.raises(LayoutError, match="another structure"):
        Struct("trial_inner", "Not the same.", 0, (Field("x", "u8"),))


def test_a_line_that_one_side_polls_holds_nothing_that_the_other_looks_at() -> None:
    line = {name: offset // layout.CACHE_LINE for name, offset in layout.DIRECTION.offsets.items()}
    assert line["p"] not in (line["data_wait"], line["c"], line["room_wait"])
    assert line["c"] == line["room_wait"], "the consumer writes the one and looks at the other"
    assert line["p"] // 2 != line["c"] // 2, "lines of one pair come together"
    assert layout.SLAB.offsets["slot"] % layout.LINE_PAIR == layout.SLOT.offsets["dir"] % layout.LINE_PAIR == 0
    assert layout.SLOT.size % layout.LINE_PAIR == layout.DIRECTION.size % layout.LINE_PAIR == 0


def test_the_fronts_of_all_rings_find_room_and_spread_over_the_cache() -> None:
    front = next(f for f in layout.SLAB.fields if f.name == "front")
    assert front.count == 2 * layout.SLOTS * layout.FRONT_BYTES
    assert layout.SLAB.offsets["front"] % layout.CACHE_LINE == layout.FRONT_BYTES % layout.CACHE_LINE == 0
    assert layout.FRONT_BYTES // layout.CACHE_LINE % 2 == 1, "an even number of lines leaves sets out"


def test_slab_and_tables_fit_their_constants() -> None:
    counts = {f"{s.name}.{f.name}": f.count for s in layout.STRUCTS for f in s.fields}
    assert counts["slab.slot"] == counts["side.ready"] == layout.SLOTS
    assert counts["slab.port"] == layout.PORTS
    assert counts["side.doorbell"] == layout.DOORBELLS
    assert counts["attention.sleepers"] == layout.SLEEPERS
    assert counts["region.reason"] == next(c.value for c in layout.CONSTANTS if c.name == "REASONS")
    assert len(layout.REASONS) <= counts["region.reason"]
    assert layout.RINGS_OFFSET % 4096 == 0
    assert layout.SLAB_BYTES == layout.RINGS_OFFSET + layout.SLOTS * 2 * layout.RING_BYTES


def test_constants_are_attributes_and_unknown_ones_are_errors() -> None:
    assert layout.REASON_ACCELERATED == 0
    assert layout.TRANSPORTS[layout.TRANSPORT_SHM] == "shm"
    assert layout.SOCK_STATES[layout.SOCK_CLOSED] == "closed"
    assert messages.MSG_HELLO == 1
    with pytest.raises(AttributeError, match="no constant RING_BITES"):
        _ = layout.RING_BITES
    with pytest.raises(AttributeError, match="no constant MSG_HALLO"):
        _ = messages.MSG_HALLO
