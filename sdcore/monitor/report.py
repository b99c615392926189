"""The documents that the monitor gives out: its status, and all sockets with their totals.

Their fields are described in docs/reference/monitor.md. What stands in a region is shown as it is, except that a
program's name is only looked up for a process that the family really has, and a slab only for its own two sides.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sdcore.monitor.decisions import Monitor, concerns
from sdcore.monitor.events import Drain
from sdcore.monitor.identity import Address
from sdcore.monitor.memory import Slab
from sdcore.monitor.region import Region, SocketRecord
from sdcore.monitor.regions import Regions, SlabOf, Totals, rings
from sdcore.protocol import layout

ACCELERATED = layout.REASON_ACCELERATED


def status(monitor: Monitor, faults: Counter[str], started_s: float) -> dict[str, Any]:
    """What the monitor is and does."""
    return {
        "pid": os.getpid(),
        "uid": os.geteuid(),
        "uptime_s": round(time.time() - started_s, 3),
        "layout_version": layout.LAYOUT_VERSION,
        "processes": monitor.process_count,
        "listeners": monitor.listener_count,
        "leases": monitor.lease_count,
        "leases_max": monitor.leases_max,
        "drained": monitor.drained_count,
        "decisions": dict(monitor.counts),
        "faults": dict(faults),
    }


def sockets(monitor: Monitor, regions: Regions, slabs: Mapping[int, Slab], viewer: int | None) -> dict[str, Any]:
    """Every socket of the processes of user `viewer`, of all if None, and the totals over all of them."""
    slab_of = _known_slabs(monitor, slabs)
    rows = [row for region in regions.all() for row in _rows(monitor, region, slab_of, viewer)]
    return {"sockets": rows, "totals": totals(regions.totals(slab_of))}


def _known_slabs(monitor: Monitor, slabs: Mapping[int, Slab]) -> SlabOf:
    """How to find the slab of a record, if it is the family's."""

    def slab_of(region: Region, record: SocketRecord) -> Slab | None:
        ours = monitor.is_party(region.inode, record.lease_id, record.side)
        return slabs.get(record.lease_id) if ours else None

    return slab_of


def undrained(
    monitor: Monitor, regions: Regions, slabs: Mapping[int, Slab], drain: Drain
) -> tuple[int, list[dict[str, Any]]]:
    """How many processes a drain concerns, and their sockets that still use shared memory."""
    slab_of = _known_slabs(monitor, slabs)
    count, rows = 0, []
    for region in regions.all():
        family = {p.pid: p for p in monitor.family(region.inode) if concerns(drain, p)}
        count += len(family)
        records = region.sockets() if family else ()
        for record in records:
            slab = slab_of(region, record)
            if _is_live(record, slab):
                rows.append(_row(record, slab) | {"program": program_of(record.pid), "orphaned": slab is None})
    return count, rows


def _is_live(record: SocketRecord, slab: Slab | None) -> bool:
    """Whether this connection is in shared memory, and not only the record of one whose last user was killed."""
    if record.transport != "shm":
        return False
    if slab is not None:
        return slab.holds(record.slot, frozenset((record.local, record.peer)))
    return os.path.exists(f"/proc/{record.pid}")


def totals(sums: Totals) -> dict[str, Any]:
    """Sums by transport and by reason, reasons by name."""
    reasons = ((layout.REASONS[number], count) for number, count in sorted(sums.reasons.items()) if _known(number))
    return {
        "transports": {name: vars(total) for name, total in sums.transports.items()},
        "reasons": {name: {"count": count, "text": text} for (name, text), count in reasons},
    }


def _known(reason: int) -> bool:
    return reason != ACCELERATED and reason < len(layout.REASONS)


def _rows(monitor: Monitor, region: Region, slab_of: SlabOf, viewer: int | None) -> Iterator[dict[str, Any]]:
    family = {process.pid: process for process in monitor.family(region.inode)}
    if viewer is not None and all(process.uid != viewer for process in family.values()):
        return
    programs = {pid: program_of(pid) for pid in family}
    for record in region.sockets():
        row = _row(record, slab_of(region, record))
        row["program"] = programs.get(record.pid, "?")
        row["uid"] = family[record.pid].uid if record.pid in family else None
        yield row


def _row(record: SocketRecord, slab: Slab | None) -> dict[str, Any]:
    """One socket. Queues are known only for a connection whose slab the monitor has."""
    name, text = layout.REASONS[record.reason]
    row: dict[str, Any] = {
        "state": record.state,
        "local": _address(record.local),
        "peer": _address(record.peer),
        "pid": record.pid,
        "fd": record.fd,
        "transport": record.transport,
        "reason": name,
        "reason_text": text,
        "side": ("client", "server")[record.side],
        "lease_id": record.lease_id,
        "sent_bytes": record.kernel_sent_bytes + record.ring_sent_bytes,
        "received_bytes": record.kernel_received_bytes + record.ring_received_bytes,
        "send_queue_bytes": None,
        "receive_queue_bytes": None,
    }
    flows = rings(record, slab)
    if flows is not None:
        outward, inward = flows
        row["sent_bytes"] = record.kernel_sent_bytes + outward.sent
        row["received_bytes"] = record.kernel_received_bytes + inward.taken
        row["send_queue_bytes"] = outward.queued
        row["receive_queue_bytes"] = inward.queued
    return row


def _address(address: Address) -> str:
    """Address and port as `ss` writes them; nothing at all is `*:*`."""
    return str(address) if address.unix or address.port or any(address.ip) else "*:*"


def program_of(pid: int) -> str:
    """The name of a process, fit to be printed."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            name = file.read().rstrip(b"\n").decode("utf-8", "replace")
    except OSError:
        return "?"
    return "".join(letter if letter.isprintable() else "?" for letter in name)
