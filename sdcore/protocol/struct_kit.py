"""Structures in shared memory and in packets, laid out as a C compiler does.

A `Struct` is declared once. Its layout follows the rules of the System V ABI: a field lies at the next multiple of its
alignment, a structure is aligned as its strictest field and padded to a multiple of that. `gen` prints the same layout
with a static assertion for each offset, so a disagreement does not compile.

    P = Struct("p", "A point.", size=16, fields=(Field("x", "u32"), Field("y", "u64")))
    P.pack(x=1, y=2)                    # 16 bytes; what is left out is zero
    P.unpack(data).y                    # a copy: plain integers, bytes for u8 arrays, tuples for other arrays
    view = P.view(mapping, offset)      # no copy: reads and writes go to the memory itself
    view.x = 7

Each scalar of a view is read and written by one load or store of its size (memoryview items are; `struct.pack_into`
is not, it clears the bytes first). That makes single fields safe to read while another process writes them. It orders
nothing: what needs order belongs into C.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal

PAGE_BYTES = 4096

Code = Literal["B", "H", "I", "Q"]
"""Format letters of scalars, as `memoryview.cast` wants them."""

_SCALARS: dict[str, tuple[Code, int]] = {"u8": ("B", 1), "u16": ("H", 2), "u32": ("I", 4), "u64": ("Q", 8)}
_STRUCTS: dict[str, Struct] = {}


class LayoutError(ValueError):
    """A structure is declared wrongly, or bytes do not fit one."""


@dataclass(frozen=True)
class Const:
    """A named number of the protocol; C sees it as SD_<name>."""

    name: str
    value: int
    doc: str


@dataclass(frozen=True)
class Field:
    """One field: a scalar (u8, u16, u32, u64) or a structure by name.

    Args:
        count: elements of an array; 0 for a single one.
        atomic: a C11 atomic in C; the layout is the same.
        align: least alignment in bytes; 0 for the natural one.
    """

    name: str
    type: str
    count: int = 0
    atomic: bool = False
    align: int = 0
    doc: str = ""

    @property
    def scalar(self) -> bool:
        """Whether the field holds numbers, not structures."""
        return self.type in _SCALARS

    @property
    def struct(self) -> Struct:
        """The structure that this field holds."""
        return _STRUCTS[self.type]

    @property
    def code(self) -> Code:
        """Format letter of a scalar."""
        return _SCALARS[self.type][0]

    @property
    def item_bytes(self) -> int:
        """Size of one element in bytes."""
        return _SCALARS[self.type][1] if self.scalar else self.struct.size

    @property
    def bytes(self) -> int:
        """Size of the whole field in bytes."""
        return self.item_bytes * (self.count or 1)

    @property
    def alignment(self) -> int:
        """Alignment in bytes."""
        natural = self.item_bytes if self.scalar else self.struct.alignment
        return max(natural, self.align)


def round_up(value: int, step: int) -> int:
    """The least multiple of `step` that is not below `value`."""
    return -(-value // step) * step


@dataclass(frozen=True)
class Struct:
    """A structure. `size` is its total in bytes; 0 means: whatever the fields need.

    Raises:
        LayoutError: an unknown type, a name used twice, or a size too small or not a multiple of the alignment.
    """

    name: str
    doc: str
    size: int
    fields: tuple[Field, ...]
    offsets: dict[str, int] = field(init=False, repr=False, compare=False)
    alignment: int = field(init=False)

    def __post_init__(self) -> None:
        self._check_names()
        offsets, end = self._place()
        alignment = max(f.alignment for f in self.fields)
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "alignment", alignment)
        object.__setattr__(self, "size", self._total(end, alignment))
        if _STRUCTS.setdefault(self.name, self) != self:
            raise LayoutError(f"{self.name}: another structure has this name")

    def _check_names(self) -> None:
        seen: set[str] = set()
        for f in self.fields:
            if f.name in seen:
                raise LayoutError(f"{self.name}.{f.name}: declared twice")
            if not f.scalar and f.type not in _STRUCTS:
                raise LayoutError(f"{self.name}.{f.name}: unknown type {f.type}")
            seen.add(f.name)
        if not seen:
            raise LayoutError(f"{self.name}: no fields")

    def _place(self) -> tuple[dict[str, int], int]:
        offsets, end = {}, 0
        for f in self.fields:
            offsets[f.name] = round_up(end, f.alignment)
            end = offsets[f.name] + f.bytes
        return offsets, end

    def _total(self, end: int, alignment: int) -> int:
        total = self.size or round_up(end, alignment)
        if total < end:
            raise LayoutError(f"{self.name}: needs {end} bytes, declared {total}")
        if total % alignment:
            raise LayoutError(f"{self.name}: {total} bytes are no multiple of its alignment {alignment}")
        return total

    def padding(self) -> Iterator[tuple[Field | None, int]]:
        """Each field with the bytes of padding before it, and last None with the padding at the end."""
        end = 0
        for f in self.fields:
            yield f, self.offsets[f.name] - end
            end = self.offsets[f.name] + f.bytes
        yield None, self.size - end

    def view(self, buffer: Any, offset: int = 0) -> View:
        """Look at `buffer` (mmap, bytearray, bytes) as this structure, without a copy.

        A mapping cannot be closed while a view of it lives.

        Raises:
            LayoutError: the buffer ends before the structure does.
        """
        memory = memoryview(buffer).cast("B")[offset : offset + self.size]
        if len(memory) != self.size:
            raise LayoutError(f"{self.name}: {self.size} bytes at {offset} lie outside of the buffer")
        return View(self, memory)

    def pack(self, **values: Any) -> bytes:
        """The structure as bytes. Fields that are not given are zero; nested structures are given as dictionaries.

        Raises:
            AttributeError: no such field. ValueError: a value does not fit.
        """
        data = bytearray(self.size)
        view = self.view(data)
        for name, value in values.items():
            setattr(view, name, value)
        return bytes(data)

    def unpack(self, data: bytes) -> SimpleNamespace:
        """A copy of exactly one structure as plain values.

        Raises:
            LayoutError: `data` is longer or shorter than the structure.
        """
        if len(data) != self.size:
            raise LayoutError(f"{self.name}: {self.size} bytes expected, got {len(data)}")
        return self.view(data).snapshot()


class View:
    """A structure in memory: scalars are integers, arrays are sequences, structures are views."""

    __slots__ = ("_fields", "_memory", "_struct")

    _struct: Struct
    _memory: memoryview

    def __init__(self, struct: Struct, memory: memoryview) -> None:
        object.__setattr__(self, "_struct", struct)
        object.__setattr__(self, "_memory", memory)
        object.__setattr__(self, "_fields", {f.name: f for f in struct.fields})

    def _part(self, name: str) -> tuple[Field, memoryview]:
        f: Field | None = self._fields.get(name)
        if f is None:
            raise AttributeError(f"{self._struct.name} has no field {name}")
        start = self._struct.offsets[name]
        return f, self._memory[start : start + f.bytes]

    def __getattr__(self, name: str) -> Any:
        f, memory = self._part(name)
        if f.scalar:
            items = memory.cast(f.code)
            return items if f.count else items[0]
        return ViewArray(f.struct, memory) if f.count else View(f.struct, memory)

    def __setattr__(self, name: str, value: Any) -> None:
        f, memory = self._part(name)
        if not f.scalar:
            _assign(ViewArray(f.struct, memory), value if f.count else [value])
        elif not f.count:
            memory.cast(f.code)[0] = value
        elif len(value) != f.count:
            raise ValueError(f"{self._struct.name}.{name}: {f.count} items expected, got {len(value)}")
        else:
            for index, item in enumerate(value):
                memory.cast(f.code)[index] = item

    def snapshot(self) -> SimpleNamespace:
        """A copy as plain values: integers, bytes for u8 arrays, tuples for other arrays, nested snapshots."""
        return SimpleNamespace(**{f.name: _plain(f, getattr(self, f.name)) for f in self._struct.fields})

    def __repr__(self) -> str:
        return f"<{self._struct.name} view, {self._struct.size} bytes>"


class ViewArray(Sequence[View]):
    """An array of structures in memory."""

    def __init__(self, struct: Struct, memory: memoryview) -> None:
        self._struct = struct
        self._memory = memory

    def __len__(self) -> int:
        return len(self._memory) // self._struct.size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self._struct.name}: index {index} of {len(self)}")
        start = index % len(self) * self._struct.size
        return View(self._struct, self._memory[start : start + self._struct.size])


def _assign(views: ViewArray, values: Sequence[dict[str, Any]]) -> None:
    if len(values) != len(views):
        raise ValueError(f"{len(views)} structures expected, got {len(values)}")
    for view, fields in zip(views, values, strict=True):
        for name, value in fields.items():
            setattr(view, name, value)


def _plain(f: Field, value: Any) -> Any:
    if f.scalar:
        if not f.count:
            return value
        return bytes(value) if f.type == "u8" else tuple(value)
    return tuple(view.snapshot() for view in value) if f.count else value.snapshot()


def numbered(prefix: str, names: Sequence[str]) -> dict[str, int]:
    """Constants PREFIX_NAME, counted from 0."""
    return {f"{prefix}_{name.upper()}": number for number, name in enumerate(names)}
