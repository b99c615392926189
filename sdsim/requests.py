"""Requests and answers of many sizes: drawn by laws, or one by one as a file says.

    requests   each client asks, waits for the answer, pauses, and asks again
    trace      each line of a file is a request at a time, on a connection; late ones follow at once

A server is a process with a thread and a port for each of its clients. How long a request is stands in its head, in the
world; here the client says it to the server's thread behind the simulation's back, before the first byte is sent.

A trace is a table: at_us, connection, request, answer (bytes; 0: no answer), in the order of time. That a request
waited because the one before it on its connection was not answered counts as latency: it was due at its time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from sdcore.monitor.identity import Address
from sdsim.host import Thread
from sdsim.library import Library, Listening
from sdsim.outcome import FAULTS, MakeLibrary, Result, read_exactly
from sdsim.site import Site
from sdsim.sizes import BadFile, Draw, lines_of, sampler
from sdsim.socket import Socket
from sdsim.units import NS, US
from sdsim.world import Steps

FIRST_PORT: Final = 7000
BEGIN_PS: Final = 250 * US
"""Then all servers listen."""
READ_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        due_ps: after the first; None: as soon as the client comes to it.
        size, answer: bytes.
    """

    due_ps: int | None
    size: int
    answer: int


@dataclass(eq=False)
class _Pair:
    """A client and the server's thread for it."""

    address: Address
    asked: deque[Request]


# Traces --------------------------------------------------------------------------------------------------------------


def read_trace(path: Path, most: int = 0) -> dict[int, list[Request]]:
    """The requests of each connection of a trace; of the first `most` lines, if not 0.

    Raises:
        BadFile: it is no trace.
    """
    found: dict[int, list[Request]] = {}
    last_us = 0.0
    lines = [line for line in lines_of(path) if line[1][0] != "at_us"]
    for number, words in lines[: most or None]:
        at_us, connection, size, answer = _line(path, number, words)
        if at_us < last_us:
            raise BadFile(path, number, f"at {at_us:g} us, after {last_us:g}; allowed: in the order of time")
        last_us = at_us
        found.setdefault(connection, []).append(Request(round(at_us * US), size, answer))
    if not found:
        raise BadFile(path, 0, "there is no request; allowed: lines of at_us, connection, request, answer")
    return found


def _line(path: Path, number: int, words: list[str]) -> tuple[float, int, int, int]:
    allowed = "allowed: at_us, connection, request, answer, such as 12.5 1 64 1024"
    try:
        at_us, connection, size, answer = words
        line = float(at_us), int(connection), int(size), int(answer)
    except ValueError:
        raise BadFile(path, number, f"{' '.join(words)!r}; {allowed}") from None
    if not 0 <= line[0] < float("inf") or line[2] < 1 or line[3] < 0:
        raise BadFile(path, number, f"{' '.join(words)!r}; allowed: no time or answer below 0, a request from 1 on")
    return line


def trace(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """A file of requests, each at its time.

    Options: file, count (of its lines; 0: all), servers, work_ns (of a server for each request).
    """
    requests = read_trace(Path(options["file"]), options["count"])
    return _talk(site, make, options, [iter(of_one) for _, of_one in sorted(requests.items())])


def requests(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """Clients that ask, wait for the answer, pause, and ask again.

    Options: clients, servers, count (requests of each client), request, answer, pause_us (laws), work_ns.
    """
    one_client = partial(_drawn, site, options)
    return _talk(site, make, options, [one_client() for _ in range(options["clients"])])


def _drawn(site: Site, options: Mapping[str, Any]) -> Iterator[Request]:
    rng = site.world.rng
    size, answer = sampler(options["request"], rng), sampler(options["answer"], rng)
    for _ in range(options["count"]):
        yield Request(None, size(), answer())


# Both ends -----------------------------------------------------------------------------------------------------------


def _talk(site: Site, make: MakeLibrary, options: Mapping[str, Any], sources: list[Iterator[Request]]) -> Result:
    result = Result()
    pairs = [
        _Pair(site.address(number % options["servers"] % len(site.hosts), FIRST_PORT + number), deque())
        for number in range(len(sources))
    ]
    for number in range(min(options["servers"], len(pairs))):
        _Server(make(site, number), pairs[number :: options["servers"]], options, result)
    pause = sampler(options.get("pause_us", {"law": "constant", "value": 0}), site.world.rng)
    for number, (pair, source) in enumerate(zip(pairs, sources, strict=True)):
        client = _Client(make(site, number % options["servers"] + 1), pair, source, pause, result)
        client.process.run(len(pairs) + number, client.ask, BEGIN_PS)
    return result


class _Server:
    """A process with a thread for each of its clients."""

    def __init__(self, process: Library, pairs: list[_Pair], options: Mapping[str, Any], result: Result) -> None:
        self.process = process
        self.work_ps = options["work_ns"] * NS
        self.result = result
        self.left = len(pairs)
        for number, pair in enumerate(pairs):
            process.run(number, partial(self._serve, pair))

    def _serve(self, pair: _Pair, thread: Thread) -> Steps:
        listening: Listening = yield from self.process.listen(thread, pair.address)
        socket = yield from self.process.accept(thread, listening)
        if socket is not None:
            self.result.served(socket)
            yield from self._answer_all(pair, thread, socket)
        yield from self.process.stop_listening(thread, listening)
        self.left -= 1
        if not self.left:
            self.process.exit()

    def _answer_all(self, pair: _Pair, thread: Thread, socket: Socket) -> Steps:
        there = 0
        try:
            while got := (yield from socket.receive(thread, READ_BYTES)):
                there += got
                while pair.asked and pair.asked[0].size <= there:
                    request = pair.asked.popleft()
                    there -= request.size
                    yield from self._answer(thread, socket, request)
        except FAULTS as fault:
            self.result.count(fault)
        yield from socket.close(thread)

    def _answer(self, thread: Thread, socket: Socket, request: Request) -> Steps:
        if self.work_ps:
            yield thread.work(self.work_ps)
        if request.answer:
            yield from socket.send(thread, request.answer)


class _Client:
    """A process that asks."""

    def __init__(self, process: Library, pair: _Pair, source: Iterable[Request], pause: Draw, result: Result) -> None:
        self.process = process
        self.pair = pair
        self.source = source
        self.pause = pause
        self.result = result

    def ask(self, thread: Thread) -> Steps:
        """Everything there is to ask."""
        result, env = self.result, thread.env
        try:
            socket = yield from self.process.connect(thread, self.pair.address)
            result.began_ps = result.began_ps or env.now_ps
            for request in self.source:
                due_ps = env.now_ps if request.due_ps is None else result.began_ps + request.due_ps
                yield from _sleep_until(thread, due_ps)
                if not (yield from self._ask_one(thread, socket, request, due_ps)):
                    break
                yield from _sleep_until(thread, env.now_ps + self.pause() * US)
            yield from socket.close(thread)
        except FAULTS as fault:
            result.count(fault)
        self.process.exit()

    def _ask_one(self, thread: Thread, socket: Socket, request: Request, due_ps: int) -> Steps:
        result = self.result
        self.pair.asked.append(request)
        yield from socket.send(thread, request.size)
        if not (yield from read_exactly(thread, socket, request.answer)):
            return False
        if request.answer:
            result.latencies_ps.append(thread.env.now_ps - due_ps)
        result.messages += 1 + bool(request.answer)
        result.sent_bytes += request.size + request.answer
        result.ended_ps = max(result.ended_ps, thread.env.now_ps)
        return True


def _sleep_until(thread: Thread, at_ps: int) -> Steps:
    """Leave the core until then."""
    while thread.env.now_ps < at_ps:
        yield from thread.block(at_ps - thread.env.now_ps)
