"""All regions, each open once however many processes of its family show it, and what the families did in sum.

The counters of a region are kept in the monitor's sums when the last process of the family dies: `sdcore ss --totals`
speaks of programs that ended, too. What an open connection has moved stands in its rings, and comes into its socket's
record only at the end; a program that is killed never writes it there. So for open connections the rings are asked.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

from sdcore.monitor import kernel
from sdcore.monitor.events import End
from sdcore.monitor.identity import Address
from sdcore.monitor.memory import Flow, Slab
from sdcore.monitor.region import Region, SocketRecord, Sum
from sdcore.protocol import layout

UNCONNECTED = frozenset(("new", "listening", "connecting"))


SlabOf = Callable[[Region, SocketRecord], Slab | None]
"""The slab that a record names, or None if it is not known here, or not the family's."""


def rings(record: SocketRecord, slab: Slab | None) -> tuple[Flow, Flow] | None:
    """What went out and what came in by the rings of an open connection; None for one without rings that are known."""
    if slab is None or record.transport != "shm":
        return None
    to_server, to_client = slab.flows(record.slot)
    return (to_server, to_client) if record.side == 0 else (to_client, to_server)


class Totals:
    """Sums by transport and by reason."""

    def __init__(self) -> None:
        self.transports = {name: Sum() for name in layout.TRANSPORTS}
        self.reasons: Counter[int] = Counter()

    def add_region(self, region: Region, slab_of: SlabOf) -> None:
        """Add what a region counted for its closed sockets, and what its open ones have moved so far."""
        sums, reasons = region.totals()
        for name, total in sums.items():
            self.transports[name] += total
        self.reasons.update({reason: count for reason, count in enumerate(reasons) if count})
        for record in region.sockets():
            self._add_open(record, slab_of(region, record))

    def _add_open(self, record: SocketRecord, slab: Slab | None) -> None:
        """An open connection counts once, for its present transport; its bytes for the one that carried them."""
        if record.transport not in self.transports or record.state in UNCONNECTED:
            return
        self.transports[record.transport] += Sum(connections=1)
        flows = rings(record, slab)
        moved = (flows[0].sent, flows[1].taken) if flows else (record.ring_sent_bytes, record.ring_received_bytes)
        self.transports["shm"] += Sum(0, *moved)
        self.transports["tcp"] += Sum(0, record.kernel_sent_bytes, record.kernel_received_bytes)

    def add(self, other: Totals) -> None:
        """Add other sums."""
        for name, total in other.transports.items():
            self.transports[name] += total
        self.reasons.update(other.reasons)


class Regions:
    """The regions of all families that live. Owns their descriptors."""

    def __init__(self) -> None:
        self.gone = Totals()
        self._open: dict[int, Region] = {}
        self._members: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def adopt(self, fd: int) -> Region:
        """Take over the descriptor of a region; it stays open as long as some process holds the region here.

        Raises:
            WrongDescriptor, WrongVersion: it is none; the descriptor is still the caller's.
        """
        known = self._open.get(kernel.identify_memory(fd).inode)
        if known is not None:
            os.close(fd)
            return known
        region = Region(fd)
        self._open[region.inode] = region
        return region

    def hold(self, region: Region) -> None:
        """One more process of the family."""
        self._members[region.inode] += 1

    def knows(self, inode: int) -> bool:
        """Whether some attached process holds the region."""
        return inode in self._open

    def release(self, region: Region, slab_of: SlabOf) -> None:
        """One process less; after the last the region's counters move to the sums of those that are gone."""
        self._members[region.inode] -= 1
        if self._members[region.inode] <= 0:
            self.gone.add_region(region, slab_of)
        self.drop_unheld(region)

    def drop_unheld(self, region: Region) -> None:
        """Close a region that no process holds."""
        if self._members[region.inode] > 0:
            return
        del self._members[region.inode], self._open[region.inode]
        region.close()

    def totals(self, slab_of: SlabOf) -> Totals:
        """Sums over everything that ever was."""
        totals = Totals()
        totals.add(self.gone)
        for region in self._open.values():
            totals.add_region(region, slab_of)
        return totals

    def with_ends(self, local: Address, peer: Address) -> tuple[End, ...]:
        """Where the families show this end of a connection."""
        found = ((region, record) for region in self._open.values() for record in region.with_ends(local, peer))
        return tuple(End(region.inode, record.index, record.pid, record.refs) for region, record in found)

    def invite(self, inode: int, index: int) -> None:
        """Mark a socket object of a family, if it still is there."""
        if inode in self._open:
            self._open[inode].invite(index)

    def all(self) -> tuple[Region, ...]:
        """Every region that is open."""
        return tuple(self._open.values())

    def close(self) -> None:
        """Close all, at the end of the monitor."""
        for region in self._open.values():
            region.close()
        self._open.clear()
