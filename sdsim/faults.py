"""Faults, by verb: scripted in a scenario, or drawn from the seed.

kill            a process dies; the kernel closes what it had, the monitor sweeps
pause           a process does not run for a while
crash-monitor   the monitor dies, and perhaps a new one comes
move            a process goes over to kernel TCP in the middle of its streams
partition       nothing gets through between two hosts for a while
hold            what arrives between two hosts is kept for a while
delay           everything between two hosts takes longer for a while
lose            packets get lost for a while, wherever they go
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sdcore.protocol import layout
from sdcore.protocol.ring import TxDo, TxEvent
from sdsim.library import Library
from sdsim.scenario import Chaos, CrashMonitor, Delay, Hold, Kill, Lose, Move, Partition, Pause
from sdsim.site import Site
from sdsim.socket import Mode
from sdsim.units import US


class NoProcess(ValueError):
    """A scripted fault is of a process that the workload does not make.

    Attributes:
        fault: which, from 0 on.
    """

    def __init__(self, fault: int, process: int, made: int) -> None:
        super().__init__(f"fault.{fault}.process: there is no process {process}; allowed: 1 to {made}")
        self.fault = fault


def check(faults: Sequence[Any], made: int) -> None:
    """Refuse scripted faults of processes that are not among those made.

    Raises:
        NoProcess: the first of them.
    """
    for number, fault in enumerate(faults):
        if getattr(fault, "process", 0) > made:
            raise NoProcess(number, fault.process, made)


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
        case "crash-monitor":
            return CrashMonitor(verb="crash-monitor", at_us=at_us, back_after_us=rng.randint(0, 1000))
    return _between(site, verb, at_us)


def _between(site: Site, verb: str, at_us: int) -> Any:
    """A fault of the network, between two hosts that are drawn."""
    rng = site.world.rng
    for_us = rng.choice((rng.randint(1, 100), rng.randint(1, 100_000)))
    if verb == "lose":
        return Lose(verb="lose", at_us=at_us, for_us=for_us, percent=rng.choice((0.1, 1, 10)))
    one, other = rng.randint(1, len(site.hosts)), rng.randint(1, len(site.hosts))
    match verb:
        case "partition":
            return Partition(verb="partition", at_us=at_us, for_us=for_us, hosts=(one, other))
        case "hold":
            return Hold(verb="hold", at_us=at_us, for_us=for_us, hosts=(one, other))
    return Delay(verb="delay", at_us=at_us, for_us=for_us, hosts=(one, other), by_us=rng.randint(1, 1000))


def _perform(site: Site, fault: Any) -> None:
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
        case Lose():
            site.fabric.lose(fault.percent / 100, fault.for_us * US)
        case _:
            _disturb(site, fault)


def _disturb(site: Site, fault: Any) -> None:
    if max(fault.hosts) > len(site.hosts):
        return
    pair = frozenset(site.hosts[number - 1].name for number in fault.hosts)
    match fault:
        case Partition():
            site.fabric.partition(pair, fault.for_us * US)
        case Hold():
            site.fabric.hold(pair, fault.for_us * US)
        case Delay():
            site.fabric.delay(pair, fault.by_us * US, fault.for_us * US)


def _action(site: Site, fault: Any) -> Callable[[], None]:
    def act() -> None:
        site.world.note("fault", f"{fault.verb} {fault.model_dump(exclude={'verb', 'at_us'})}")
        _perform(site, fault)

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
