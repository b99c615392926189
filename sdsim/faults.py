"""Faults, by verb: scripted in a scenario, or drawn from the seed.

kill            a process dies; the kernel closes what it had, the monitor sweeps
pause           a process does not run for a while
crash-monitor   the monitor dies, and perhaps a new one comes
move            a process goes over to kernel TCP in the middle of its streams
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sdcore.protocol import layout
from sdcore.protocol.ring import TxDo, TxEvent
from sdsim.library import Library
from sdsim.scenario import Chaos, CrashMonitor, Kill, Move, Pause
from sdsim.site import Site
from sdsim.socket import Mode
from sdsim.units import US


def plan(site: Site, faults: Sequence[Any], chaos: Chaos | None) -> None:
    """Schedule the scripted faults, and those that the seed draws."""
    drawn = _draw(site, chaos) if chaos is not None else []
    for fault in [*faults, *drawn]:
        site.world.later(fault.at_us * US, _action(site, fault))


def _draw(site: Site, chaos: Chaos) -> list[Any]:
    rng = site.world.rng
    return [_one(site, rng.choice(chaos.verbs), rng.randint(chaos.from_us, chaos.until_us)) for _ in range(chaos.count)]


def _one(site: Site, verb: str, at_us: int) -> Any:
    rng = site.world.rng
    process = rng.randint(1, max(1, len(site.libraries)))
    match verb:
        case "kill":
            return Kill(verb="kill", at_us=at_us, process=process)
        case "pause":
            return Pause(verb="pause", at_us=at_us, for_us=rng.randint(1, 1000), process=process)
        case "move":
            return Move(verb="move", at_us=at_us, process=process)
    return CrashMonitor(verb="crash-monitor", at_us=at_us, back_after_us=rng.randint(0, 1000))


def _action(site: Site, fault: Any) -> Callable[[], None]:
    def act() -> None:
        site.world.note("fault", f"{fault.verb} {fault.model_dump(exclude={'verb', 'at_us'})}")
        match fault:
            case Kill():
                for library in _process(site, fault.process):
                    library.exit()
            case Pause():
                for library in _process(site, fault.process):
                    _pause(library, fault.for_us)
            case Move():
                for library in _process(site, fault.process):
                    _move(library)
            case CrashMonitor():
                _crash(site, fault.back_after_us)

    return act


def _process(site: Site, number: int) -> list[Library]:
    return [site.libraries[number - 1]] if number <= len(site.libraries) else []


def _pause(library: Library, for_us: int) -> None:
    for thread in library.threads:
        thread.pause(for_us * US)


def _move(library: Library) -> None:
    """What the library does for a descriptor that is given to a stranger: each sending direction goes over."""
    for socket in sorted(library.sockets, key=lambda socket: socket.name):
        if socket.mode is Mode.RING and TxDo.PUBLISH_MOVED in socket.tx.feed(TxEvent.MOVE):
            socket.publish_flags(layout.TX_MOVED)


def _crash(site: Site, back_after_us: int) -> None:
    if not site.monitor.page.alive:
        return
    site.monitor.crash()
    if back_after_us:
        site.world.later(back_after_us * US, site.monitor.restart)
