"""A slab for a connection that stands: to two processes that each showed an end of it, and to nobody else."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from sdcore.monitor import events
from sdcore.monitor.decisions import Monitor
from sdcore.monitor.identity import MAPPED_PREFIX, Address, ProcessId, SocketId
from sdcore.monitor.policy import Policy
from sdcore.protocol import layout, messages
from tests.monitor.fake import Client, MonitorProcess, Other, Reply, loopback_listener, map_slab

LOOPBACK = MAPPED_PREFIX + bytes((127, 0, 0, 1))
HEIR, STAYS = Address(LOOPBACK, 1000), Address(LOOPBACK, 2000)
HEIR_REGION, STAYS_REGION = 7, 8
HEIR_PID, STAYS_PID = 70, 80


@dataclass
class World:
    """Two attached processes and what their families show: one end each."""

    monitor: Monitor = field(default_factory=lambda: Monitor(Policy(), leases_max=10))
    shown: dict[Address, list[events.End]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.heir = self.attach(HEIR_PID, HEIR_REGION)
        self.stays = self.attach(STAYS_PID, STAYS_REGION)
        self.shown = {
            HEIR: [events.End(HEIR_REGION, 3, HEIR_PID, 1)],
            STAYS: [events.End(STAYS_REGION, 4, STAYS_PID, 1)],
        }

    def attach(self, pid: int, region: int, uid: int = 1) -> int:
        """One more process."""
        (reply,) = self.handle(events.Attach(ProcessId(pid, uid, region)))
        assert isinstance(reply, events.Welcome)
        return reply.process_id

    def handle(self, event: events.Event) -> tuple[Any, ...]:
        """Feed an event."""
        return self.monitor.handle(event, 0)

    def ask(self, process: int, local: Address, peer: Address, index: int = 0, netns: int = 1) -> tuple[Any, ...]:
        """One end asks."""
        socket_id = SocketId(local.port, netns, local)
        same, other = tuple(self.shown.get(local, ())), tuple(self.shown.get(peer, ()))
        return self.handle(events.WantJoin(process, socket_id, peer, index, same, other))

    def heir_asks(self) -> tuple[Any, ...]:
        """The end that was handed on."""
        return self.ask(self.heir, HEIR, STAYS, 3)

    def other_asks(self) -> tuple[Any, ...]:
        """The end that stayed where it is."""
        return self.ask(self.stays, STAYS, HEIR, 4)


def slab_in(effects: tuple[Any, ...]) -> int:
    """The lease that was granted."""
    (granted,) = [effect for effect in effects if isinstance(effect, events.Leased)]
    return int(granted.lease_id)


def reason_in(effects: tuple[Any, ...]) -> int:
    """Why nothing was granted."""
    (denied,) = [effect for effect in effects if isinstance(effect, events.Denied)]
    return int(denied.reason)


def test_who_asks_first_waits_and_the_other_end_is_invited() -> None:
    assert World().heir_asks() == (events.Invite(STAYS_REGION, 4), events.Leased(0, 0))


def test_both_get_the_same_slab_with_the_connection_in_it() -> None:
    world = World()
    world.heir_asks()
    effects = world.other_asks()
    slab = slab_in(effects)
    assert events.FillSlot(slab, HEIR, STAYS) in effects
    assert events.Invite(HEIR_REGION, 3) in effects
    assert slab_in(world.heir_asks()) == slab > 0
    assert world.monitor.is_party(HEIR_REGION, slab, 0)
    assert world.monitor.is_party(STAYS_REGION, slab, 1)


@pytest.mark.parametrize("fetched", [True, False])
def test_the_slab_goes_when_the_connection_has_ended_or_was_left_before_the_first_came(fetched: bool) -> None:
    world = World()
    world.heir_asks()
    effects = world.other_asks()
    slab = slab_in(effects)
    assert events.WatchUse(slab) in effects
    if fetched:
        world.heir_asks()
    assert world.handle(events.Unused(slab)) == (events.DropSlab(slab),)
    assert world.monitor.remembered_leases == 0
    if not fetched:
        assert reason_in(world.heir_asks()) == layout.REASON_NO_MEMORY
    assert slab_in(world.heir_asks()) == 0  # anew


@pytest.mark.parametrize("fetched", [True, False])
@pytest.mark.parametrize("who", ["heir", "stays"])
def test_the_slab_goes_when_a_process_that_it_was_made_for_dies(who: str, fetched: bool) -> None:
    world = World()
    world.heir_asks()
    slab = slab_in(world.other_asks())
    if fetched:
        world.heir_asks()
    assert events.DropSlab(slab) in world.handle(events.Died(getattr(world, who)))
    assert world.monitor.remembered_leases == world.monitor.remembered_joins == 0


def test_an_end_that_changes_hands_again_before_it_fetches_the_slab_takes_the_right_to_it_along() -> None:
    world = World()
    world.heir_asks()
    slab = slab_in(world.other_asks())
    next_one = world.attach(90, 9)
    world.shown[HEIR] = [events.End(9, 0, 90, 1)]
    assert slab_in(world.ask(next_one, HEIR, STAYS)) == slab
    assert world.monitor.is_party(9, slab, 0)
    assert not world.monitor.is_party(HEIR_REGION, slab, 0)
    assert events.DropSlab(slab) not in world.handle(events.Died(world.heir))
    assert events.DropSlab(slab) in world.handle(events.Died(next_one))


def test_who_gets_an_end_later_is_judged_by_who_has_the_other_end() -> None:
    world = World()
    world.heir_asks()
    world.other_asks()
    next_one = world.attach(90, 9, uid=2)
    world.shown[HEIR] = [events.End(9, 0, 90, 1)]
    assert reason_in(world.ask(next_one, HEIR, STAYS)) == layout.REASON_POLICY


def test_a_process_whose_questions_nobody_answers_costs_the_monitor_no_more_than_some_of_them() -> None:
    world = World()
    ends = [Address(LOOPBACK, port) for port in range(10_000, 11_000)]
    for end in ends:
        world.shown[end] = [events.End(HEIR_REGION, 1, HEIR_PID, 1)]
        world.ask(world.heir, end, STAYS, 1)
    assert 0 < world.monitor.remembered_joins < 500
    assert slab_in(world.ask(world.stays, STAYS, ends[-1], 4)) > 0  # the latest are still known
    assert slab_in(world.ask(world.stays, STAYS, ends[0], 4)) == 0


def test_a_third_process_gets_nothing() -> None:
    world = World()
    world.heir_asks()
    world.other_asks()
    world.heir_asks()
    stranger = world.attach(90, 9)
    assert reason_in(world.ask(stranger, STAYS, HEIR)) == layout.REASON_MOVED_PASSED
    assert reason_in(world.ask(stranger, HEIR, STAYS)) == layout.REASON_MOVED_PASSED


def test_an_end_that_another_program_holds_too_waits() -> None:
    world = World()
    world.shown[HEIR].append(events.End(9, 0, 90, 1))
    assert reason_in(world.heir_asks()) == layout.REASON_MOVED_PASSED
    world.shown[HEIR].pop()
    assert slab_in(world.heir_asks()) == 0


@pytest.mark.parametrize(
    ("pid", "refs", "waits"), [(HEIR_PID, 1, False), (HEIR_PID, 2, True), (90, 1, True), (0, 1, False), (0, 2, True)]
)
def test_what_a_process_left_when_it_became_another_program_holds_nothing(pid: int, refs: int, waits: bool) -> None:
    world = World()
    world.shown[HEIR].append(events.End(9, 0, pid, refs))
    effects = world.heir_asks()
    assert any(isinstance(effect, events.Denied) for effect in effects) is waits


def test_another_record_of_its_own_family_is_none_that_it_left() -> None:
    world = World()
    world.shown[HEIR].append(events.End(HEIR_REGION, 9, HEIR_PID, 1))
    assert reason_in(world.heir_asks()) == layout.REASON_MOVED_PASSED


def test_an_end_whose_other_end_nobody_shows_gets_nothing() -> None:
    world = World()
    del world.shown[STAYS]
    assert reason_in(world.heir_asks()) == layout.REASON_PEER_PLAIN


def test_users_that_may_not_share_memory_get_none() -> None:
    world = World()
    world.heir = world.attach(HEIR_PID + 1, HEIR_REGION, uid=2)
    world.heir_asks()
    assert reason_in(world.other_asks()) == layout.REASON_POLICY


def test_who_is_drained_does_not_come_back_and_who_came_back_is_drained() -> None:
    world = World()
    world.heir_asks()
    slab = slab_in(world.other_asks())
    effects = world.handle(events.Drain(region=STAYS_REGION))
    assert events.MarkDrained(slab) in effects
    assert reason_in(world.other_asks()) == layout.REASON_DRAINED


def test_a_death_before_both_met_ends_it() -> None:
    world = World()
    world.heir_asks()
    world.handle(events.Died(world.heir))
    assert slab_in(world.other_asks()) == 0  # as if it had asked first


def test_no_memory_is_said_and_the_next_try_begins_anew() -> None:
    world = World()
    world.heir_asks()
    slab = slab_in(world.other_asks())
    assert reason_in(world.handle(events.SlabFailed(slab))) == layout.REASON_NO_MEMORY
    assert reason_in(world.heir_asks()) == layout.REASON_NO_MEMORY
    assert slab_in(world.heir_asks()) == 0


def test_the_same_addresses_in_another_network_are_another_connection() -> None:
    world = World()
    world.heir_asks()
    assert slab_in(world.ask(world.stays, STAYS, HEIR, 4, netns=2)) == 0


# The monitor itself ---------------------------------------------------------------------------------------------------


def show(client: Client, index: int, sock: socket.socket) -> None:
    """Write the record of an established connection."""
    record = client.record(index)
    record.pid, record.state = os.getpid(), layout.SOCK_STATES.index("established")
    for place, (host, port) in ((record.local, sock.getsockname()), (record.peer, sock.getpeername())):
        place.ip, place.port = Address.parse(host, port).ip, port
    record.refs = 1


def join(client: Client, index: int, sock: socket.socket) -> Reply:
    """Ask for an end."""
    return client.ask(messages.MSG_JOIN, messages.JOIN.pack(index=index), [sock.fileno()])


def _answers(pipe: Connection, path: Path, end: socket.socket) -> None:
    """The other process: shows its end, and asks when the mark is there."""
    with Client(path) as client:
        client.hello()
        show(client, 2, end)
        pipe.send("shown")
        pipe.recv()
        pipe.send(int(client.record(2).invited))
        slab = map_slab(join(client, 2, end))
        pipe.send((int(slab.lease_id), int(slab.slot[0].offer), int(slab.slot[0].peer.port)))
        pipe.recv()


def test_two_processes_meet_in_a_slab(monitor: MonitorProcess, client: Client) -> None:
    with ExitStack() as stack:
        with loopback_listener() as listener:
            ours = stack.enter_context(socket.create_connection(listener.getsockname()))
            theirs = stack.enter_context(listener.accept()[0])
        show(client, 5, ours)
        other = stack.enter_context(Other(_answers, monitor.path, theirs))
        assert other.says() == "shown"
        first = join(client, 5, ours)
        assert (first.status, first.descriptors) == (messages.STATUS_OK, ())
        other.pipe.send("go on")
        assert other.says() == 1
        lease, offer, port = other.says()
        assert (offer, port) == (layout.OFFER_ACCEPTED, theirs.getsockname()[1])
        assert client.record(5).invited == 1
        assert map_slab(join(client, 5, ours)).lease_id == lease


def test_what_is_no_connection_is_refused(client: Client) -> None:
    with loopback_listener() as listener, socket.socket() as unconnected:
        for wrong in (listener, unconnected):
            assert join(client, 0, wrong).status == messages.STATUS_BAD
        assert client.ask(messages.MSG_JOIN, messages.JOIN.pack(index=0)).status == messages.STATUS_BAD
