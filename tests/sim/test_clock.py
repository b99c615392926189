"""The queue of events: moments that happen once, spins that end when they should, news that is seen when it comes."""

from __future__ import annotations

import pytest

from sdsim.clock import Clock, Moment
from sdsim.host import Host, Thread
from sdsim.library import Library
from sdsim.site import Site
from sdsim.units import NS, US
from sdsim.world import Settings, Steps, World

SPIN_PS = 4 * US


@pytest.mark.parametrize("until", [None, 100])
def test_a_moment_happens_once_at_the_earliest_of_its_times(until: int | None) -> None:
    clock, moment, seen = Clock(), Moment(), []
    moment.callbacks.append(lambda _: seen.append(clock.now_ps))
    for at_ps in (30, 10, 20):
        clock.set(moment, at_ps)
    clock.after(40, lambda: seen.append(-clock.now_ps))
    clock.run(until)
    assert seen == [10, -40]
    assert clock.now == (until or 40)


def spins(notified_after_ps: list[int]) -> list[int]:
    """Let a thread spin again and again, notified after so long each time; how long each spin was."""
    world = World(Settings())
    lengths = []

    def spin(thread: Thread) -> Steps:
        for after_ps in notified_after_ps:
            if after_ps:
                world.later(after_ps, thread.notify)
            began = world.now
            yield from thread.park(SPIN_PS)
            lengths.append(world.now - began)

    Thread(Host(world, 1).cores[0], "spinner", spin)
    world.run()
    return lengths


def test_a_spin_that_nobody_ends_lasts_its_time_whatever_ended_those_before() -> None:
    short = 150 * NS
    assert spins([0]) == [SPIN_PS]
    assert spins([short, 0, short, short, 0]) == [short, SPIN_PS, short, short, SPIN_PS]
    assert spins([short] * 40 + [0]) == [short] * 40 + [SPIN_PS]
    assert spins([SPIN_PS - short, 0]) == [SPIN_PS - short, SPIN_PS]


@pytest.mark.parametrize("late_ns", range(0, 400, 10))
def test_a_reader_that_begins_to_look_while_bytes_are_on_their_way_sees_them_when_they_come(late_ns: int) -> None:
    world = World(Settings())
    site = Site(world)
    server, client = Library(site, site.hosts[0]), Library(site, site.hosts[0])
    sent_ps, began_ps, got_ps = [], [], []

    def serve(thread: Thread) -> Steps:
        listening = yield from server.listen(thread, site.address())
        socket = yield from server.accept(thread, listening)
        yield from socket.send(thread, 8)
        yield from socket.receive(thread, 8)
        yield thread.work(late_ns * NS)
        began_ps.append(world.now)
        yield from socket.receive(thread, 8)
        got_ps.append(world.now)
        yield from socket.close(thread)
        yield from server.stop_listening(thread, listening)
        server.exit()

    def ask(thread: Thread) -> Steps:
        socket = yield from client.connect(thread, site.address())
        yield from socket.receive(thread, 8)
        yield from socket.send(thread, 8)
        yield thread.work(400 * NS)
        yield from socket.send(thread, 8)
        sent_ps.append(world.now)
        yield thread.work(20 * US)
        yield from socket.close(thread)
        client.exit()

    server.run(0, serve)
    client.run(1, ask, 50 * US)
    world.run()
    world.check_end()
    assert got_ps[0] - max(sent_ps[0], began_ps[0]) < 150 * NS
