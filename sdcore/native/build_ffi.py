"""Print the C source of `sdcore._native`: the C core as Python's tests and tools see it. The shim is not part of it.

The build runs it: `python build_ffi.py OUTPUT`. What Python may call is declared in two files that C tools can read:
`generated/cdef.h` has machines and layouts, `core/api.cdef.h` the hand-written entry points.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cffi import FFI

NATIVE = Path(__file__).parent
DECLARATIONS = ("generated/cdef.h", "core/api.cdef.h")
HEADERS = ("generated/layout.h", "generated/machines.h", "core/embed.h")


def ffi_builder() -> FFI:
    """Return the description of the module, ready to print."""
    ffi = FFI()
    for name in DECLARATIONS:
        ffi.cdef((NATIVE / name).read_text())
    ffi.set_source("sdcore._native", "".join(f'#include "{name}"\n' for name in HEADERS))
    return ffi


if __name__ == "__main__":
    ffi_builder().emit_c_code(sys.argv[1])
