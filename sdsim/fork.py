"""fork: a child process that shares its parent's sockets, and becomes known to the monitor when it needs it.

Rings, slots and tokens are in shared memory, so both processes use the same; a descriptor is closed with its last
holder. The child's `attach` machine is a copy of the parent's and is told that it is a child.
"""

from __future__ import annotations

from sdcore.protocol.attach import AttachDo, AttachEvent
from sdsim.host import Thread
from sdsim.library import Library, Listening
from sdsim.world import Steps

FORK_PAGES = 64
"""Page tables that a fork of a small process copies."""


def fork(thread: Thread, parent: Library) -> Steps:
    """fork() by a thread of `parent`; returns the child, which has no thread yet."""
    costs = parent.world.costs
    yield from thread.system_call(costs.map_page + costs.map_more * FORK_PAGES)
    child = Library(
        parent.site, parent.host, accelerated=parent.accelerated, patience=parent.patience,
        map_from_bytes=parent.map_from_bytes,
    )  # fmt: skip
    child.attach.state, child.page, child.parent = parent.attach.state, parent.page, parent
    child.region = parent.region
    child.number = parent.number
    if AttachDo.DROP_CONTROL in child.attach.feed(AttachEvent.FORK_CHILD):
        child.number = 0
    for socket in sorted(parent.sockets, key=lambda socket: socket.name):
        socket.share()
        socket.holders += 1
        child.sockets.add(socket)
    child.listenings = [_inherit(parent, listening) for listening in parent.listenings]
    return child


def _inherit(parent: Library, listening: Listening) -> Listening:
    parent.site.join_listener(listening.kernel)
    machine = parent.world.start("listener", parent.name)
    machine.state, machine.regs = listening.machine.state, dict(listening.machine.regs)
    return Listening(machine, listening.kernel, listening.socket, slabs=list(listening.slabs))
