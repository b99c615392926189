"""Connections that a family of processes left here, for those of them that have not fetched them yet.

A process can change its own descriptors only. Where it gives a connection that it shares a new one in its place, the
others have to come for it, and the one that made it may be another program by then, or gone.

A family may leave no more than `PER_FAMILY_MAX`, and what it left goes when the last of its processes is gone.
"""

from __future__ import annotations

import os

PER_FAMILY_MAX = 256


class Keeper:
    """What is kept, by family (the inode of its region) and number. Owns the descriptors."""

    def __init__(self) -> None:
        self._kept: dict[int, dict[int, int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    def keep(self, family: int, number: int, fd: int) -> bool:
        """Take a descriptor over, in the place of what was there; False: the family has too many, `fd` stays yours."""
        kept = self._kept.setdefault(family, {})
        if number not in kept and len(kept) >= PER_FAMILY_MAX:
            return False
        self.let_go(family, number)
        kept[number] = fd
        return True

    def has(self, family: int) -> bool:
        """Whether the family left anything."""
        return bool(self._kept.get(family))

    def find(self, family: int, number: int) -> int | None:
        """The descriptor under a number, which stays open here; None if there is none."""
        return self._kept.get(family, {}).get(number)

    def let_go(self, family: int, number: int) -> None:
        """Close what is under a number, if anything is."""
        fd = self._kept.get(family, {}).pop(number, None)
        if fd is not None:
            os.close(fd)

    def forget(self, family: int) -> None:
        """Close all that a family left."""
        for fd in self._kept.pop(family, {}).values():
            os.close(fd)

    def close(self) -> None:
        """Close all."""
        for family in list(self._kept):
            self.forget(family)
