"""What programs do: the workloads of scenarios.

The servers of pairs stand on one host after the other, their clients on the next host; the clients of one server on
all hosts. On a site with one host that is the same host.

Each takes a site and its parameters, starts the threads, and returns a `Result` that is filled in as the run goes on.
A workload of your own is a function with the same signature; `docs/howto/simulate.md` shows one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sdcore.monitor.identity import Address
from sdsim.chains import pipeline, proxy
from sdsim.epoll import EpollSet
from sdsim.host import Thread
from sdsim.kernel import Reset
from sdsim.library import Library, Listening
from sdsim.outcome import FAULTS, MakeLibrary, Result, read_exactly
from sdsim.requests import requests, trace
from sdsim.sharing import fork_server, shared
from sdsim.site import Site
from sdsim.units import US
from sdsim.world import Steps, Violation


def ping_pong(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """Pairs of processes send a message there and back, each pair by itself.

    Options: pairs, size (bytes), count (round trips of each pair), shared_core (all servers on core 0).
    """
    result = Result()
    for pair in range(options["pairs"]):
        _ping_pong_pair(site, make, options, pair, result)
    return result


def _ping_pong_pair(site: Site, make: MakeLibrary, options: Mapping[str, Any], pair: int, result: Result) -> None:
    size, count = options["size"], options["count"]
    server, client = make(site, pair), make(site, pair + 1)
    address = site.address(pair % len(site.hosts), 7000 + pair)
    shared = options.get("shared_core", False)

    def serve(thread: Thread) -> Steps:
        listening = yield from server.listen(thread, address)
        socket = yield from server.accept(thread, listening)
        result.served(socket)
        try:
            while (yield from read_exactly(thread, socket, size)):
                yield from socket.send(thread, size)
        except FAULTS as fault:
            result.count(fault)
        yield from socket.close(thread)
        yield from server.stop_listening(thread, listening)
        server.exit()

    def ask(thread: Thread) -> Steps:
        rng = site.world.rng
        try:
            socket = yield from client.connect(thread, address)
            for number in range(-options["warm_up"], count):
                if options.get("think_ps"):
                    yield site.world.env.timeout(rng.randrange(2 * options["think_ps"]))
                began = site.world.now
                if number == 0:
                    result.began_ps = result.began_ps or began
                yield from socket.send(thread, size)
                if not (yield from read_exactly(thread, socket, size)):
                    break
                if number >= 0:
                    result.latencies_ps.append(site.world.now - began)
                    result.messages += 2
                    result.sent_bytes += 2 * size
            result.ended_ps = site.world.now
            yield from socket.close(thread)
        except FAULTS as fault:
            result.count(fault)
        client.exit()

    server.run(0 if shared else 2 * pair, serve)
    begin_ps = 50 * US * (options["pairs"] if shared else 1)  # all servers of one core have registered by then
    client.run(pair + 1 if shared else 2 * pair + 1, ask, begin_ps)


def stream(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """Pairs of processes: one sends messages, the other takes them.

    Options: pairs, size (bytes), count (messages of each pair).
    """
    result = Result()
    for pair in range(options["pairs"]):
        _stream_pair(site, make, options, pair, result)
    return result


def _stream_pair(site: Site, make: MakeLibrary, options: Mapping[str, Any], pair: int, result: Result) -> None:
    size, count = options["size"], options["count"]
    server, client = make(site, pair), make(site, pair + 1)
    address = site.address(pair % len(site.hosts), 7000 + pair)

    def serve(thread: Thread) -> Steps:
        listening = yield from server.listen(thread, address)
        socket = yield from server.accept(thread, listening)
        result.served(socket)
        try:
            yield from read_exactly(thread, socket, size * options["warm_up"])
            result.began_ps = result.began_ps or site.world.now
            while (yield from read_exactly(thread, socket, size)):
                result.messages += 1
                result.sent_bytes += size
                result.ended_ps = site.world.now
        except FAULTS as fault:
            result.count(fault)
        yield from socket.close(thread)
        yield from server.stop_listening(thread, listening)
        server.exit()

    def fill(thread: Thread) -> Steps:
        try:
            socket = yield from client.connect(thread, address)
            for _ in range(count + options["warm_up"]):
                yield from socket.send(thread, size)
            yield from socket.shutdown(thread)
            while (yield from socket.receive(thread, size)):
                pass
            yield from socket.close(thread)
        except FAULTS as fault:
            result.count(fault)
        client.exit()

    server.run(2 * pair, serve)
    client.run(2 * pair + 1, fill, 50 * US)


def many(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """One thread serves many connections from an epoll set; clients keep one message outstanding on each.

    Options: connections, clients (processes), size, count (round trips of each connection).
    """
    result = Result()
    server = make(site, 0)
    address = site.address()
    listening: list[Listening] = []

    def serve(thread: Thread) -> Steps:
        listening.append((yield from server.listen(thread, address)))
        yield from _serve_epoll(thread, server, listening[0], options, result)
        yield from server.stop_listening(thread, listening[0])
        server.exit()

    server.run(0, serve)
    clients = options["clients"]
    for number in range(clients):
        share = options["connections"] // clients + (number < options["connections"] % clients)
        client = make(site, number + 1)
        client.run(1 + number, _asker(client, [address] * share, options, result), 50 * US)
    return result


def mesh(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """Each host has a server with an epoll set, and a client with connections to the servers of the next hosts.

    Options: connections (of each client), peers (hosts that it talks to), size, count (round trips of each connection).
    """
    result = Result()
    for number in range(len(site.hosts)):
        _mesh_host(site, make, options, number, result)
    return result


def _mesh_host(site: Site, make: MakeLibrary, options: Mapping[str, Any], number: int, result: Result) -> None:
    server, client = make(site, number), make(site, number)
    next_hosts = [(number + 1 + peer) % len(site.hosts) for peer in range(options["peers"])]
    places = [next_hosts[one % len(next_hosts)] for one in range(options["connections"])]

    def serve(thread: Thread) -> Steps:
        listening = yield from server.listen(thread, site.address(number))
        yield from _serve_epoll(thread, server, listening, options, result)
        yield from server.stop_listening(thread, listening)
        server.exit()

    server.run(0, serve)
    client.run(1, _asker(client, [site.address(place) for place in places], options, result), 50 * US)


def _serve_epoll(
    thread: Thread, server: Library, listening: Listening, options: Mapping[str, Any], result: Result
) -> Steps:
    """Accept and echo until every connection has come and gone."""
    watched = EpollSet(server)
    watched.add_listener(listening.kernel)
    left = options["connections"]
    while left:
        found, incoming = yield from watched.wait(thread)
        while incoming and listening.kernel.backlog:
            socket = yield from server.accept(thread, listening)
            watched.add(socket)
            result.served(socket)
        for socket in found:
            try:
                got = yield from socket.receive(thread, options["size"])
                if got:
                    yield from socket.send(thread, got)
            except FAULTS as fault:
                result.count(fault)
                got = 0
            if got:
                watched.ready[socket] = None
            else:
                watched.remove(socket)
                yield from socket.close(thread)
                left -= 1


def _asker(
    client: Library, addresses: Sequence[Address], options: Mapping[str, Any], result: Result
) -> Callable[[Thread], Steps]:
    """Open a connection to each address, then keep one message outstanding on each."""
    size, world = options["size"], client.world

    def ask(thread: Thread) -> Steps:
        try:
            sockets = []
            for address in addresses:
                sockets.append((yield from client.connect(thread, address)))
            result.began_ps = result.began_ps or world.now
            for _ in range(options["count"]):
                began = world.now
                for socket in sockets:
                    yield from socket.send(thread, size)
                for socket in sockets:
                    if not (yield from read_exactly(thread, socket, size)):
                        raise Reset(socket.name)
                    result.messages += 2
                    result.sent_bytes += 2 * size
                result.latencies_ps.append(world.now - began)
            result.ended_ps = world.now
            for socket in sockets:
                yield from socket.close(thread)
        except FAULTS as fault:
            result.count(fault)
        client.exit()

    return ask


def storm(site: Site, make: MakeLibrary, options: Mapping[str, Any]) -> Result:
    """Pairs of processes open a connection, send one message there and back, close, and begin again.

    Options: pairs, size, count (connections of each pair).
    """
    result = Result()
    for pair in range(options["pairs"]):
        _storm_pair(site, make, options, pair, result)
    return result


def _storm_pair(site: Site, make: MakeLibrary, options: Mapping[str, Any], pair: int, result: Result) -> None:
    size, count = options["size"], options["count"]
    server, client = make(site, pair), make(site, pair + 1)
    address = site.address(pair % len(site.hosts), 7000 + pair)
    listenings: list[Listening] = []

    def serve(thread: Thread) -> Steps:
        listening = yield from server.listen(thread, address)
        listenings.append(listening)
        while (socket := (yield from server.accept(thread, listening))) is not None:
            try:
                if (yield from read_exactly(thread, socket, size)):
                    yield from socket.send(thread, size)
                    yield from read_exactly(thread, socket, 1)
            except FAULTS as fault:
                result.count(fault)
            yield from socket.close(thread)
        server.exit()

    def connect_all(thread: Thread) -> Steps:
        result.began_ps = result.began_ps or site.world.now
        try:
            for _ in range(count):
                began = site.world.now
                socket = yield from client.connect(thread, address)
                yield from socket.send(thread, size)
                if not (yield from read_exactly(thread, socket, size)):
                    raise Reset(socket.name)
                result.messages += 2
                result.served(socket)
                yield from socket.close(thread)
                result.latencies_ps.append(site.world.now - began)
        except FAULTS as fault:
            result.count(fault)
        result.ended_ps = site.world.now
        for listening in tuple(server.listenings):
            server.listenings.remove(listening)
            site.leave_listener(listening.kernel)
        client.exit()

    server.run(2 * pair, serve)
    client.run(2 * pair + 1, connect_all, 50 * US)


WORKLOADS: Mapping[str, Callable[[Site, MakeLibrary, Mapping[str, Any]], Result]] = {
    "ping-pong": ping_pong,
    "stream": stream,
    "many": many,
    "mesh": mesh,
    "storm": storm,
    "shared": shared,
    "fork-server": fork_server,
    "pipeline": pipeline,
    "proxy": proxy,
    "requests": requests,
    "trace": trace,
}

__all__ = ["FAULTS", "WORKLOADS", "Result", "Violation", "many", "ping_pong", "storm", "stream"]
