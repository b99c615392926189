"""Sharing: threads and forked processes use one socket by its tokens, and a death inside is made good."""

from __future__ import annotations

import dataclasses

import pytest

from sdcore.protocol.attach import AttachMonitorEvent, AttachMonitorState
from sdcore.protocol.token import TOKEN_OWNER, TokenDo, TokenEvent, TokenState
from sdsim.fork import fork
from sdsim.host import Thread
from sdsim.library import Library
from sdsim.run import Failed, run
from sdsim.scenario_file import load
from sdsim.site import Site
from sdsim.socket import Socket
from sdsim.units import US
from sdsim.world import TABLES, Settings, Steps, World
from tests.sim.changes import changed

SIZE, COUNT = 8, 200


def test_threads_that_share_a_socket_lose_no_message_and_none_starves() -> None:
    done = run(load("shared-socket", ["workload.count=100"]))
    assert (done.result.messages, done.result.faults) == (300, {})
    states = {row.state for row in done.world.rows}
    assert {TokenState.HELD, TokenState.REVOKED, TokenState.SHARED} <= states


def test_a_forked_child_proves_its_parent_to_the_monitor() -> None:
    parent_only = run(load("fork-server", ["workload.count=3"])).world.rows
    assert not any(row.event is AttachMonitorEvent.PARENT_PROVEN for row in parent_only)

    world = World(Settings())
    site = Site(world)
    parent = Library(site, site.hosts[0])

    def serve(thread: Thread) -> Steps:
        listening = yield from parent.listen(thread, site.address())
        child = yield from fork(thread, parent)
        child.run(1, lambda thread: again(thread, child))
        yield from parent.stop_listening(thread, listening)

    def again(thread: Thread, child: Library) -> Steps:
        yield from child.listen(thread, site.address(port=8000))
        child.exit()
        parent.exit()

    parent.run(0, serve)
    world.run()
    world.check_end()
    assert any(
        (row.state, row.event) == (AttachMonitorState.NEW, AttachMonitorEvent.PARENT_PROVEN) for row in world.rows
    )


WRONG = {
    "a token that is in use is granted": (
        changed(TOKEN_OWNER, TokenState.REVOKED, TokenEvent.MY_TURN,
                lambda row: dataclasses.replace(row, do=TokenDo.GRANT)),
        "one token|progress",
    ),
    "the queue is overtaken": (
        changed(TOKEN_OWNER, TokenState.SHARED, TokenEvent.WANT_IDLE,
                lambda row: dataclasses.replace(row, do=TokenDo.GRANT)),
        "first come, first served",
    ),
    "nobody looks at the owner": (
        changed(TOKEN_OWNER, TokenState.REVOKED, TokenEvent.MY_TURN,
                lambda row: dataclasses.replace(row, event=TokenEvent.WAITER_DIED)),
        "MY_TURN in state REVOKED",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_token_table_breaks_a_law(name: str) -> None:
    table, law = WRONG[name]
    settings = Settings(tables={**TABLES, "token_owner": table}, idle_steps_max=20_000)
    with pytest.raises(Failed, match=law):
        run(load("shared-socket", ["workload.count=60"]), settings=settings)


class Family:
    """A parent and a child send on one socket; a third process counts what comes."""

    def __init__(self, seed: int) -> None:
        self.world = World(Settings(seed=seed))
        self.site = Site(self.world)
        self.server, self.parent = Library(self.site, self.site.hosts[0]), Library(self.site, self.site.hosts[0])
        self.child: Library | None = None
        self.sent: list[int] = [0, 0]
        self.got = 0
        self.socket: Socket | None = None
        self.server.run(0, self._serve)
        self.parent.run(1, self._begin, 50 * US)

    def _serve(self, thread: Thread) -> Steps:
        listening = yield from self.server.listen(thread, self.site.address())
        socket = yield from self.server.accept(thread, listening)
        while got := (yield from socket.receive(thread, 1 << 20)):
            self.got += got
        yield from socket.close(thread)
        yield from self.server.stop_listening(thread, listening)
        self.server.exit()

    def _begin(self, thread: Thread) -> Steps:
        self.socket = yield from self.parent.connect(thread, self.site.address())
        self.child = yield from fork(thread, self.parent)
        self.child.run(2, lambda thread: self._send(thread, 1))
        yield from self._send(thread, 0)

    def _send(self, thread: Thread, who: int) -> Steps:
        assert self.socket is not None
        assert self.child is not None
        for _ in range(COUNT):
            yield from self.socket.send(thread, SIZE)
            self.sent[who] += SIZE
        process = (self.parent, self.child)[who]
        yield from self.socket.close(thread, process)
        process.exit()


def test_parent_and_child_send_on_one_socket_and_the_last_close_ends_it() -> None:
    family = Family(1)
    family.world.run()
    family.world.check_end()
    assert family.got == sum(family.sent) == 2 * COUNT * SIZE


def test_whoever_of_a_family_dies_the_other_goes_on() -> None:
    repaired = 0
    for step in range(30):
        family = Family(step)
        at_ps = (90 + 3 * step) * US + 7_000 * step
        family.world.later(at_ps, lambda family=family: (family.child or family.parent).exit())
        family.world.run()
        family.world.check_end()
        assert family.sent[0] == COUNT * SIZE
        assert 0 <= family.got - sum(family.sent) <= SIZE
        repaired += any(TokenDo.REPAIR in row.effects and row.state is not TokenState.HELD for row in family.world.rows)
    assert repaired > 0
