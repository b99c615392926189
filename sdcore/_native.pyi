# What cffi makes of generated/cdef.h and core/api.cdef.h; the C compiler knows its types.
from typing import Any

ffi: Any
lib: Any
