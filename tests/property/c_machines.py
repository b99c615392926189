"""Generated C machines, callable: a header is compiled into a shared library of its own and reached through cffi."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cffi import FFI

from sdcore.protocol.c_writer import CWriter
from sdcore.protocol.gen_machines import NO_ROW, MachinePrinter
from sdcore.protocol.kit import Machine

STRICT = ("-O2", "-Wall", "-Wextra", "-Werror")


class CMachine:
    """One machine in C, with the interface of a Python instance; where there is no row, `feed` returns None."""

    def __init__(self, library: CLibrary, machine: Machine) -> None:
        self.machine = machine
        self._library = library
        self._struct = library.new(f"struct sd_{machine.name} *")
        library.function(machine, "start")(self._struct)

    def feed(self, event: int, arg: int) -> tuple[int, ...] | None:
        """Take one step; the numbers of its effects, which count from 1."""
        packed = self._library.function(self.machine, "step")(self._struct, event, arg)
        if packed == NO_ROW:
            return None
        return tuple(packed.to_bytes(4, "little").rstrip(b"\0"))

    def place(self, values: dict[str, int]) -> None:
        """Set state and registers."""
        for name, value in values.items():
            try:
                setattr(self._struct, name, value)
            except OverflowError:
                raise AssertionError(f"{self.machine.name}.{name} is too narrow for {value}") from None

    def snapshot(self) -> dict[str, int]:
        """State and registers."""
        return {name: getattr(self._struct, name) for name in ("state", *(reg.name for reg in self.machine.registers))}


class CLibrary:
    """The compiled machines of one header. `flags` are the compiler's; what it warns of is an error by default."""

    def __init__(
        self,
        header: Path,
        folder: Path,
        machines: Sequence[Machine],
        printer: type[MachinePrinter] = MachinePrinter,
        flags: Sequence[str] = STRICT,
    ) -> None:
        self.ffi = FFI()
        self.ffi.cdef(declarations(machines, printer))
        source = folder / "machines.c"
        source.write_text(wrappers(header, machines))
        self._library = self.ffi.dlopen(compile_shared(source, flags))
        self.new = fenced(self.ffi)

    def function(self, machine: Machine, name: str) -> Any:
        """The wrapper around sd_<machine>_<name>."""
        return getattr(self._library, f"call_{machine.name}_{name}")

    def names(self, table: str, length: int) -> list[str]:
        """A table of names."""
        entries = getattr(self._library, f"get_{table}")()
        texts = [self.ffi.string(entries[index]) for index in range(length)]
        return [text.decode() for text in texts if isinstance(text, bytes)]

    def start(self, machine: Machine) -> CMachine:
        """A new instance."""
        return CMachine(self, machine)


def fenced(ffi: FFI) -> Any:
    """Like ffi.new, with memory of C's malloc: a sanitizer sees where it ends."""
    ffi.cdef("void *malloc(size_t); void free(void *);")
    libc = ffi.dlopen(None)
    return ffi.new_allocator(libc.malloc, libc.free)


def compile_shared(source: Path, flags: Sequence[str] = STRICT) -> str:
    """Compile a C file into a shared library beside it; its path."""
    target = source.with_suffix(".so")
    compiler = os.environ.get("CC", "cc").split()
    command = [*compiler, "-std=c11", *flags, "-shared", "-fPIC", "-o", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(target)


def wrappers(header: Path, machines: Sequence[Machine]) -> str:
    """C source with a linkable function around each inline one."""
    lines = [f'#include "{header}"']
    for machine in machines:
        start, step = (prototype.replace("sd_", "call_", 1) for prototype in MachinePrinter(machine).prototypes())
        lines.append(f"{start}; {start} {{ sd_{machine.name}_start(m); }}")
        lines.append(f"{step}; {step} {{ return sd_{machine.name}_step(m, event, arg); }}")
        for table, _ in MachinePrinter(machine).tables():
            getter = f"const char *const *get_{table}(void)"
            lines.append(f"{getter}; {getter} {{ return {table}; }}")
    return "\n".join(lines) + "\n"


def declarations(machines: Sequence[Machine], printer: type[MachinePrinter]) -> str:
    """What cffi must know of the wrappers."""
    c = CWriter("the machines", "For the tests.")
    for machine in machines:
        with c.block(f"struct sd_{machine.name}", "};"):
            c.lines(printer(machine).fields())
        c.lines(f"{text.replace('sd_', 'call_', 1)};" for text in MachinePrinter(machine).prototypes())
        c.lines(f"const char *const *get_{table}(void);" for table, _ in MachinePrinter(machine).tables())
    return c.text()
