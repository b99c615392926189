"""Where the preloadable library is.

The C sources live in `generated/` (printed from the protocol), `core/` and `shim/`. A build makes two things of them:
`libsd.so`, which programs preload or link with, and the module `sdcore._native`, the core as Python sees it. A wheel
carries `libsd.so` beside this file; an editable install keeps it in its build folder, which the import system knows.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from importlib.resources import files
from pathlib import Path

LIBRARY_NAME = "libsd.so"
RECORDING_NAME = "libsd-record.so"
LIBRARY_VARIABLE = "SDCORE_LIBRARY"
OUR_SYMBOL = b"\0sd_version\0"
ELF_IDENTITY = 6
"""Bytes of magic, class and byte order."""
ELF_SHARED = 3
ELF_HEAD = struct.Struct("=16x H H 20x Q 10x H H 2x")
"""Type, machine, where the table of sections is, size of an entry, and number of entries, of a 64-bit file."""


class LibraryNotFoundError(FileNotFoundError):
    """`libsd.so` is not where it should be; the message says what to do."""


def library_path() -> Path:
    """Return the absolute path of `libsd.so`.

    `SDCORE_LIBRARY` names another library to use instead, for those who work on the library itself.

    Raises:
        LibraryNotFoundError: the variable does not name our library, or the package was installed without its library.
    """
    chosen = os.environ.get(LIBRARY_VARIABLE)
    if chosen:
        return _existing(Path(chosen).absolute(), f"unset {LIBRARY_VARIABLE}, or build the library there")
    installed = files(__name__).joinpath(LIBRARY_NAME)
    path = installed if isinstance(installed, Path) else Path(__file__).parent / LIBRARY_NAME
    return _existing(
        path,
        f"install socksdirect with pip, or let {LIBRARY_VARIABLE} name a {LIBRARY_NAME} made by "
        f"`meson setup build && ninja -C build`",
    )


def recording_library_path() -> Path:
    """Return the absolute path of the variant that logs every transition; it lies beside `libsd.so`.

    Raises:
        LibraryNotFoundError: one of the two is not there.
    """
    return _existing(library_path().with_name(RECORDING_NAME), f"a build makes it together with {LIBRARY_NAME}")


def _existing(path: Path, remedy: str) -> Path:
    if fault := _fault_of(path):
        raise LibraryNotFoundError(f"{path}: {fault}; {remedy}")
    return path


def _fault_of(path: Path) -> str:
    """What keeps a file from being our library, in a few words; empty if nothing does.

    It is looked at, not loaded: this process must not become a program under the library. What the dynamic loader
    refuses, it skips with a line of its own, and the program runs without us.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "not a file"
        with path.open("rb") as file, open("/proc/self/exe", "rb") as interpreter:
            if not _is_loadable(file.read(ELF_HEAD.size), interpreter.read(ELF_HEAD.size), path.stat().st_size):
                return "not a shared library for this machine"
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return "" if content.find(OUR_SYMBOL) >= 0 else f"a shared library, but not {LIBRARY_NAME}"
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _is_loadable(head: bytes, own: bytes, size: int) -> bool:
    """Whether this is the head of a whole shared object for the machine of a program with the head `own`."""
    if len(head) < ELF_HEAD.size or head[:ELF_IDENTITY] != own[:ELF_IDENTITY]:
        return False
    kind, machine, sections_at, section_size, sections = ELF_HEAD.unpack(head)
    same: bool = machine == ELF_HEAD.unpack(own)[1]
    whole: bool = sections_at + section_size * sections <= size
    return same and whole and kind == ELF_SHARED
