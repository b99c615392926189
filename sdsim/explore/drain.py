"""Drain: a slab is drained while a client makes an offer in it, a server takes it up and goes to sleep.

The client looks at the slab's head, claims a slot, clears its lines and offers; the monitor marks the head, asks in the
lines of every slot in use, rings who has announced a sleep, and looks whether a slot is in use still; the server takes
the offer up, looks at the head, and sleeps as soon as it has nothing to do. Each is a step of its own. The monitor may
die at any moment. How the connection then moves is the world of `move`: here it is one step of who sees the mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sdcore.protocol.kit import Effect, Machine
from sdcore.protocol.lease import LeaseDo, LeaseEvent, LeaseState
from sdsim.explore.engine import Act, Local, Table

ROUND = ("asks in the lines of slots in use", "rings who sleeps", "looks for slots in use")
CLIENT = ("looks at the head", "claims a slot", "clears its lines", "offers")
OFFERED = len(CLIENT)


@dataclass(frozen=True)
class World:
    """Everybody's state. `client` counts its steps; -1 is one that saw the mark and uses the kernel.

    Attributes:
        mortal: the monitor may die.
        todo: what it is about to do.
        drained, rung, freed: it was told to drain, has rung once, has forgotten the slab.
        head, line: the marks in the slab's head and in the connection's lines.
        slot: in use.
        server: none, taken, awake, armed, asleep or moved.
        bell: rung, and not heard yet.
    """

    lease: Local
    mortal: bool
    todo: tuple[Effect | str, ...] = ()
    drained: bool = False
    rung: bool = False
    freed: bool = False
    dead: bool = False
    head: bool = False
    line: bool = False
    slot: bool = False
    client: int = 0
    server: str = "none"
    bell: bool = False


class DrainModel:
    """One slab, one connection in it at most."""

    name = "drain"
    parties: tuple[str, ...] = ("monitor", "client", "server")

    def __init__(self, tables: Mapping[str, Machine]) -> None:
        self.lease = Table(tables["lease"])

    def first(self) -> Iterable[World]:
        """A lease that was granted, and whose slab nobody uses."""
        granted, _ = self.lease.feed(self.lease.start, LeaseEvent.REQUEST_ALLOWED)
        yield World(granted, mortal=True)
        yield World(granted, mortal=False)

    def wrong(self, w: World) -> str | None:
        """Who is forgotten has moved, or sees the mark as soon as it looks."""
        if w.freed and w.server in ("awake", "armed", "asleep") and not w.line:
            return "a connection stands in a slab that the monitor has forgotten, and nobody asks it to move"
        return None

    def done(self, w: World) -> bool:
        """Nobody uses the slab any more; or the monitor died before it had asked once."""
        over = w.client == -1 or w.server == "moved"
        return (over and (w.dead or w.freed)) or (w.dead and not w.rung)

    def steps(self, w: World) -> Iterator[tuple[Act, World]]:
        """What each may do next."""
        if w.mortal and not w.dead:
            yield Act("monitor", "dies", chance=True), replace(w, dead=True, todo=())
        if not w.dead:
            yield from self._monitor(w)
        if 0 <= w.client < OFFERED:
            yield Act("client", CLIENT[w.client]), _client(w)
        yield from _server(w)

    def _monitor(self, w: World) -> Iterator[tuple[Act, World]]:
        if w.todo:
            what, w = w.todo[0], replace(w, todo=w.todo[1:])
            yield Act("monitor", what if isinstance(what, str) else f"does {what.name}"), self._perform(w, what)
        elif not w.drained:
            yield Act("monitor", "lease: DRAIN"), self._feed(replace(w, drained=True), LeaseEvent.DRAIN)

    def _feed(self, w: World, event: LeaseEvent) -> World:
        lease, effects = self.lease.feed(w.lease, event)
        return replace(w, lease=lease, todo=(*w.todo, *effects))

    def _perform(self, w: World, what: Effect | str) -> World:
        match what:
            case LeaseDo.MARK_DRAINED:
                return replace(w, head=True)
            case LeaseDo.FREE_SLAB:
                return replace(w, freed=True)
            case "asks in the lines of slots in use":
                return replace(w, line=w.line or w.slot)
            case "rings who sleeps":
                return replace(w, rung=True, bell=w.bell or w.server in ("armed", "asleep"))
        if what is LeaseDo.PRESS or w.slot or w.lease[0] is not LeaseState.DRAINED:
            return replace(w, todo=(*ROUND, *w.todo))
        return self._feed(w, LeaseEvent.UNUSED)


def _client(w: World) -> World:
    """Its next step; only the first may turn it away."""
    if w.client == 0 and w.head:
        return replace(w, client=-1)
    if CLIENT[w.client] == "clears its lines":
        w = replace(w, line=False)
    return replace(w, client=w.client + 1, slot=w.slot or w.client > 0)


def _server(w: World) -> Iterator[tuple[Act, World]]:
    if w.server == "none" and w.client == OFFERED:
        yield Act("server", "takes the offer up"), replace(w, server="taken")
    if w.server == "taken":
        yield Act("server", "looks at the head"), replace(w, server="awake", line=w.line or w.head)
    if w.server in ("awake", "armed") and w.line:
        yield Act("server", "sees the mark and moves"), replace(w, server="moved", slot=False)
    if w.server == "awake":
        yield Act("server", "announces its sleep"), replace(w, server="armed")
    if w.server == "armed" and not w.line:
        yield Act("server", "looks, sees nothing, and sleeps"), replace(w, server="asleep")
    if w.server == "asleep" and w.bell:
        yield Act("server", "wakes"), replace(w, server="awake", bell=False)
