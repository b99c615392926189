"""Workloads of processes in a row: pipelines, through which messages go, and proxies, which ask the next.

    pipeline   source -> stage -> ... -> sink            each message passes every stage once
    proxy      client <-> proxy <-> backend <-> store    a request goes all the way, its answer comes back

Stages stand on one host after the other, each on a core of its own (a server of a proxy chain: on one for each client).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from sdcore.monitor.identity import Address
from sdsim.host import Thread
from sdsim.library import Library, Listening
from sdsim.outcome import FAULTS, MakeLibrary, Result, read_exactly
from sdsim.site import Site
from sdsim.socket import Socket
from sdsim.units import NS, US
from sdsim.world import Steps

FIRST_PORT = 7000
BEGIN_PS = 250 * US
"""Then all listen, and each connects to the next."""


def _places(site: Site, number: int) -> list[Address]:
    return [site.address(place % len(site.hosts), FIRST_PORT + place) for place in range(number)]


def _until(thread: Thread, at_ps: int) -> Steps:
    if thread.env.now_ps < at_ps:
        yield thread.work(at_ps - thread.env.now_ps)


def pipeline(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """A source sends messages through stages to a sink.

    Options: stages (source and sink among them), size (bytes), count (messages), work_ns (of a stage for a message).
    """
    result, sent_ps = Result(), deque[int]()
    places = _places(site, options["stages"])
    for number in range(options["stages"]):
        stage = _Stage(make(site, number), places[number : number + 2], options, result, sent_ps)
        stage.process.run(number, stage.pass_on if number else stage.give)
    return result


class _Stage:
    """One process of a pipeline."""

    def __init__(
        self, process: Library, places: list[Address], options: Mapping[str, Any], result: Result, sent_ps: deque[int]
    ) -> None:
        self.result = result
        self.sent_ps = sent_ps
        self.process = process
        self.here = places[0]
        self.next = places[1] if len(places) > 1 else None
        self.options = options

    def give(self, thread: Thread) -> Steps:
        """The source."""
        try:
            out = yield from self._connect(thread)
            self.result.began_ps = thread.env.now_ps
            for _ in range(self.options["count"]):
                yield thread.work(self.options["work_ns"] * NS)
                self.sent_ps.append(thread.env.now_ps)
                yield from out.send(thread, self.options["size"])
            yield from _end(thread, out)
        except FAULTS as fault:
            self.result.count(fault)
        self.process.exit()

    def pass_on(self, thread: Thread) -> Steps:
        """Every other."""
        listening = yield from self.process.listen(thread, self.here)
        try:
            into = yield from self.process.accept(thread, listening)
            out = yield from self._connect(thread)
            while (yield from read_exactly(thread, into, self.options["size"])):
                yield thread.work(self.options["work_ns"] * NS)
                if out is None:
                    self._arrived(thread)
                else:
                    yield from out.send(thread, self.options["size"])
            self.result.served(into)
            if out is not None:
                yield from _end(thread, out)
            yield from into.close(thread)
        except FAULTS as fault:
            self.result.count(fault)
        yield from self.process.stop_listening(thread, listening)
        self.process.exit()

    def _arrived(self, thread: Thread) -> None:
        self.result.messages += 1
        self.result.sent_bytes += self.options["size"]
        self.result.ended_ps = thread.env.now_ps
        self.result.latencies_ps.append(thread.env.now_ps - self.sent_ps.popleft())

    def _connect(self, thread: Thread) -> Steps:
        yield from _until(thread, BEGIN_PS)
        return (yield from self.process.connect(thread, self.next)) if self.next is not None else None


def _end(thread: Thread, out: Socket) -> Steps:
    """No byte follows; close when the reader has closed."""
    yield from out.shutdown(thread)
    while (yield from out.receive(thread, 1)):
        pass
    yield from out.close(thread)


def proxy(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """Clients ask the first server of a chain; each server asks the next before it answers.

    Options: servers (3: proxy, backend, store), clients, size (of a request), answer (its size), count (requests of
    each client), work_ns (of each server for each request).
    """
    result = Result()
    places = _places(site, options["servers"])
    for number in range(options["servers"]):
        following = places[number + 1] if number + 1 < len(places) else None
        server = _Server(make(site, number), places[number], following, options, result)
        server.process.run(number * options["clients"], server.serve)
    first = options["servers"] * options["clients"]
    for number in range(options["clients"]):
        client = make(site, options["servers"] + number)
        body = _client(client, places[0], options, result)
        client.run(first + number, body, BEGIN_PS)
    return result


class _Server:
    """One process of a proxy chain: a thread for each connection."""

    def __init__(
        self, process: Library, here: Address, following: Address | None, options: Mapping[str, Any], result: Result
    ) -> None:
        self.process = process
        self.here = here
        self.following = following
        self.options = options
        self.result = result
        self.left = options["clients"]
        self.core = 0
        self.listening: Listening

    def serve(self, thread: Thread) -> Steps:
        """Accept, and leave each connection to a thread of its own."""
        self.listening = yield from self.process.listen(thread, self.here)
        first = self.process.host.cores.index(thread.core)
        for number in range(self.options["clients"]):
            socket = yield from self.process.accept(thread, self.listening)
            if socket is None:
                return
            self.process.run(first + number, self._worker(socket))

    def _worker(self, socket: Socket) -> Any:
        def work(thread: Thread) -> Steps:
            try:
                yield from self._answer(thread, socket)
            except FAULTS as fault:
                self.result.count(fault)
            self.left -= 1
            if not self.left:
                yield from self.process.stop_listening(thread, self.listening)
                self.process.exit()

        return work

    def _answer(self, thread: Thread, socket: Socket) -> Steps:
        size, answer = self.options["size"], self.options["answer"]
        onward = None
        try:
            if self.following is not None:
                onward = yield from self.process.connect(thread, self.following)
            while (yield from read_exactly(thread, socket, size)):
                yield thread.work(self.options["work_ns"] * NS)
                if onward is not None:
                    yield from onward.send(thread, size)
                    if not (yield from read_exactly(thread, onward, answer)):
                        break
                yield from socket.send(thread, answer)
            self.result.served(socket)
        finally:
            if not thread.dead:
                for one in (onward, socket):
                    if one is not None:
                        yield from one.close(thread)


def _client(client: Library, first: Address, options: Mapping[str, Any], result: Result) -> Any:
    def ask(thread: Thread) -> Steps:
        try:
            socket = yield from client.connect(thread, first)
            result.began_ps = result.began_ps or thread.env.now_ps
            for _ in range(options["count"]):
                began = thread.env.now_ps
                yield from socket.send(thread, options["size"])
                if not (yield from read_exactly(thread, socket, options["answer"])):
                    break
                result.latencies_ps.append(thread.env.now_ps - began)
                result.messages += 2
                result.sent_bytes += options["size"] + options["answer"]
            result.ended_ps = thread.env.now_ps
            yield from socket.close(thread)
        except FAULTS as fault:
            result.count(fault)
        client.exit()

    return ask
