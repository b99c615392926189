"""Where the preloadable library is.

The C sources live in `generated/` (printed from the protocol), `core/` and `shim/`. A build makes two things of them:
`libsd.so`, which programs preload or link with, and the module `sdcore._native`, the core as Python sees it. A wheel
carries `libsd.so` beside this file; an editable install keeps it in its build folder, which the import system knows.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

LIBRARY_NAME = "libsd.so"
RECORDING_NAME = "libsd-record.so"
LIBRARY_VARIABLE = "SDCORE_LIBRARY"


class LibraryNotFoundError(FileNotFoundError):
    """`libsd.so` is not where it should be; the message says what to do."""


def library_path() -> Path:
    """Return the absolute path of `libsd.so`.

    `SDCORE_LIBRARY` names another library to use instead, for those who work on the library itself.

    Raises:
        LibraryNotFoundError: the variable names no file, or the package was installed without its library.
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
    if not path.is_file():
        raise LibraryNotFoundError(f"{path}: no such file; {remedy}")
    return path
