"""Workloads in which several threads or processes use one socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdsim.fork import fork
from sdsim.host import Thread
from sdsim.library import Library, Listening
from sdsim.outcome import FAULTS, MakeLibrary, Result, read_exactly
from sdsim.site import Site
from sdsim.socket import Socket
from sdsim.units import US
from sdsim.world import Steps


def shared(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """Threads of one process send through one connection, threads of another receive from it.

    Options: threads (of each side), size (bytes), count (messages of each thread).
    """
    result = Result()
    server, client = make(site, 0), make(site, 1)
    address = site.address()

    def serve(thread: Thread) -> Steps:
        listening = yield from server.listen(thread, address)
        socket = yield from server.accept(thread, listening)
        result.served(socket)
        socket.share()
        takers = [server.run(number, _taker(site, socket, options, result)) for number in range(options["threads"])]
        for taker in takers:
            yield from _join(thread, taker)
        yield from socket.close(thread)
        yield from server.stop_listening(thread, listening)
        server.exit()

    def ask(thread: Thread) -> Steps:
        socket = yield from client.connect(thread, address)
        socket.share()
        first = options["threads"]
        givers = [client.run(first + number, _giver(socket, options, result)) for number in range(options["threads"])]
        for giver in givers:
            yield from _join(thread, giver)
        yield from socket.shutdown(thread)
        yield from socket.close(thread)
        client.exit()

    server.run(2 * options["threads"], serve)
    client.run(2 * options["threads"] + 1, ask, 50 * US)
    return result


def _join(thread: Thread, other: Thread) -> Steps:
    """pthread_join."""
    if other.process.is_alive:
        thread.core.leave(thread)
        yield other.process
        yield from thread.take_core()


def _giver(socket: Socket, options: Mapping[str, Any], result: Result) -> Any:
    def give(thread: Thread) -> Steps:
        try:
            for _ in range(options["count"]):
                yield from socket.send(thread, options["size"])
        except FAULTS as fault:
            result.count(fault)

    return give


def _taker(site: Site, socket: Socket, options: Mapping[str, Any], result: Result) -> Any:
    def take(thread: Thread) -> Steps:
        result.began_ps = result.began_ps or site.world.now
        try:
            while (yield from read_exactly(thread, socket, options["size"])):
                result.messages += 1
                result.sent_bytes += options["size"]
                result.ended_ps = site.world.now
        except FAULTS as fault:
            result.count(fault)

    return take


def fork_server(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """A parent listens, forks a child for each connection that it accepts, and closes its own descriptor.

    Options: clients (processes), size (bytes), count (connections of each client).
    """
    result = Result()
    parent = make(site, 0)
    address = site.address()
    listenings: list[Listening] = []
    left = [options["clients"]]

    def serve(thread: Thread) -> Steps:
        listenings.append((yield from parent.listen(thread, address)))
        while (socket := (yield from parent.accept(thread, listenings[0]))) is not None:
            child = yield from fork(thread, parent)
            child.run(1 + result.connections, _child(child, socket, options, result))
            yield from socket.close(thread, parent)
        parent.exit()

    def over() -> None:
        left[0] -= 1
        if not left[0]:
            for listening in tuple(parent.listenings):
                parent.listenings.remove(listening)
                site.leave_listener(listening.kernel)

    parent.run(0, serve)
    for number in range(options["clients"]):
        client = make(site, number + 1)
        client.run(8 + number, _client(site, client, options, result, over), 50 * US)
    return result


def _child(child: Library, socket: Socket, options: Mapping[str, Any], result: Result) -> Any:
    """Answer one connection and exit; what else the parent had is closed by that."""

    def answer(thread: Thread) -> Steps:
        for listening in tuple(child.listenings):
            yield from child.stop_listening(thread, listening)
        try:
            if (yield from read_exactly(thread, socket, options["size"])):
                yield from socket.send(thread, options["size"])
                yield from read_exactly(thread, socket, 1)
        except FAULTS as fault:
            result.count(fault)
        yield from socket.close(thread, child)
        child.exit()

    return answer


def _client(site: Site, client: Library, options: Mapping[str, Any], result: Result, over: Any) -> Any:
    size, address = options["size"], site.address()

    def ask(thread: Thread) -> Steps:
        result.began_ps = result.began_ps or site.world.now
        try:
            for _ in range(options["count"]):
                began = site.world.now
                socket = yield from client.connect(thread, address)
                yield from socket.send(thread, size)
                if (yield from read_exactly(thread, socket, size)):
                    result.messages += 2
                result.served(socket)
                yield from socket.close(thread)
                result.latencies_ps.append(site.world.now - began)
        except FAULTS as fault:
            result.count(fault)
        result.ended_ps = site.world.now
        over()
        client.exit()

    return ask
