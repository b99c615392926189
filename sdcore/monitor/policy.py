"""Who may share memory with whom. Pure: users and namespaces in, yes or no out.

Two processes of one user in one network namespace may. Everybody else is a stranger, root included, unless the
configuration names the pair. A process that holds the listening socket's descriptor is not asked again: the kernel
would let it accept the connection, so its holder trusted it already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """The rules in force.

    Attributes:
        pairs: users that may share memory although they differ, each pair as a set.
        namespaces: whether processes in different network namespaces may.
    """

    pairs: frozenset[frozenset[int]] = frozenset()
    namespaces: bool = False

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]] = (), *, namespaces: bool = False) -> Policy:
        """From the pairs of the configuration, in which order does not matter."""
        return cls(frozenset(frozenset(pair) for pair in pairs), namespaces)

    def users(self, one: int, other: int) -> bool:
        """Whether two users may share memory."""
        return one == other or frozenset((one, other)) in self.pairs

    def networks(self, one: int, other: int) -> bool:
        """Whether sockets of two network namespaces may belong to one accelerated connection."""
        return one == other or self.namespaces
