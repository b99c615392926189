"""A program in the simulator: one thread of each process makes the process's steps, when their turn has come."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sdsim.fork import fork
from sdsim.host import Thread
from sdsim.kernel import Reset
from sdsim.library import Library
from sdsim.site import Site
from sdsim.socket import BrokenPipe, Socket
from sdsim.units import US
from sdsim.world import Settings, Steps, World
from tests.worlds.reference import CLIENT, SERVER, End, Given, Step

SETTLED_PS = 100 * US
"""Between two steps: what one host has sent the other has seen."""


class Simulated:
    """One program in a world of its own; all laws are checked."""

    def __init__(self, steps: Sequence[Step], hosts: int = 1) -> None:
        self.steps = steps
        self.given: list[Given] = []
        self.world = World(Settings())
        self.site = Site(self.world, hosts)
        self._sockets: dict[End, Socket] = {}
        self._waiting: list[Thread] = []
        self._processes = {
            SERVER: Library(self.site, self.site.hosts[0]),
            CLIENT: Library(self.site, self.site.hosts[-1]),
        }

    def play(self) -> list[Given]:
        """Every step; what each gave."""
        for number, process in self._processes.items():
            process.run(number, self._body(number))
        self.world.run()
        self.world.check_end()
        return self.given

    def _body(self, number: int) -> Callable[[Thread], Steps]:
        library = self._processes[number]

        def live(thread: Thread) -> Steps:
            if number == SERVER:
                yield from library.listen(thread, self.site.address())
                self._next()
            while len(self.given) < len(self.steps):
                step = self.steps[len(self.given)]
                if step.process != number or not self._processes[SERVER].listenings:
                    self._waiting.append(thread)
                    yield from thread.block()
                else:
                    given = yield from self._step(thread, library, step)
                    yield self.world.env.timeout(SETTLED_PS)
                    self.given.append(given)
                    self._next()
            library.exit()

        return live

    def _next(self) -> None:
        waiting, self._waiting = self._waiting, []
        for thread in waiting:
            thread.ring()

    def _step(self, thread: Thread, library: Library, step: Step) -> Steps:
        match step.verb:
            case "connect":
                self._sockets[step.end] = yield from library.connect(thread, self.site.address())
            case "accept":
                listening = library.listenings[0]
                self._sockets[step.end] = yield from library.accept(thread, listening)
            case "fork":
                child = yield from fork(thread, library)
                self._processes[step.child] = child
                child.run(step.child, self._body(step.child))
            case "send":
                return (yield from self._send(thread, step))
            case "receive":
                return (yield from self._receive(thread, step))
            case "shutdown":
                yield from self._sockets[step.end].shutdown(thread)
            case "close":
                yield from self._sockets[step.end].close(thread, library)
        return Given()

    def _send(self, thread: Thread, step: Step) -> Steps:
        try:
            yield from self._sockets[step.end].send(thread, step.size)
        except BrokenPipe:
            return Given(0, "broken pipe")
        return Given(step.size)

    def _receive(self, thread: Thread, step: Step) -> Steps:
        got = 0
        try:
            while got < step.size:
                more = yield from self._sockets[step.end].receive(thread, step.size - got)
                if not more:
                    return Given(got, "end")
                got += more
        except Reset:
            return Given(got, "reset")
        return Given(got)
