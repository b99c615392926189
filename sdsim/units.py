"""Time is an integer number of picoseconds: no rounding, and the order of events is the same everywhere."""

from __future__ import annotations

from typing import Final

PS: Final = 1
NS: Final = 1_000
US: Final = 1_000_000
MS: Final = 1_000_000_000
SECOND: Final = 1_000_000_000_000

PAGE_BYTES: Final = 4096
LINE_BYTES: Final = 64


def text_of(ps: int) -> str:
    """A duration as people write it, with three decimals at most."""
    for unit, name in ((SECOND, "s"), (MS, "ms"), (US, "us"), (NS, "ns")):
        if ps >= unit:
            return f"{ps / unit:.3f}".rstrip("0").rstrip(".") + f" {name}"
    return f"{ps} ps"
