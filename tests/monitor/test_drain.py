"""Draining: what the monitor decides, whom it asks to move, and what it says is left."""

from __future__ import annotations

import os
import socket

from sdcore.monitor import events
from sdcore.monitor.control import Control
from sdcore.monitor.decisions import Monitor
from sdcore.monitor.identity import Address, SocketId
from sdcore.monitor.paths import RuntimeDir
from sdcore.monitor.policy import Policy
from sdcore.protocol import layout
from tests.monitor.fake import Client, MonitorProcess, eventually, loopback_listener, map_slab
from tests.monitor.test_decisions import LOOPBACK, attach
from tests.monitor.test_lease import ACCEPTED, new_bell
from tests.monitor.test_report import SHM, show

HERE = Address(LOOPBACK, 80)


def serve(monitor: Monitor, number: int, cookie: int = 10) -> int:
    """A process listens; returns the listener's number."""
    effects = monitor.handle(events.Listen(number, SocketId(cookie, 1, HERE, listening=True)), 0)
    (reply,) = [effect for effect in effects if isinstance(effect, events.Listening)]
    return reply.listener_id


def ask(monitor: Monitor, number: int) -> tuple[events.Effect, ...]:
    """A process wants to connect there."""
    return monitor.handle(events.WantLease(number, SocketId(0, 1, HERE), HERE), 0)


def leased(effects: tuple[events.Effect, ...]) -> int:
    """The slab that was granted."""
    (reply,) = [effect for effect in effects if isinstance(effect, events.Leased)]
    return reply.lease_id


def test_draining_a_client_drains_its_slabs_and_denies_it_new_ones() -> None:
    monitor = Monitor(Policy())
    server, client, other = attach(monitor, 1, region=1), attach(monitor, 2, region=2), attach(monitor, 3, region=3)
    serve(monitor, server)
    slab, untouched = leased(ask(monitor, client)), leased(ask(monitor, other))
    effects = monitor.handle(events.Drain(2), 0)
    assert [events.MarkDrained(slab), events.PressSlab(slab)] == [e for e in effects if e != events.Done()]
    assert ask(monitor, client) == (events.Denied(layout.REASON_DRAINED),)
    assert leased(ask(monitor, other)) == untouched


def test_draining_a_server_drains_the_slabs_of_its_clients() -> None:
    monitor = Monitor(Policy())
    server, client = attach(monitor, 1, region=1), attach(monitor, 2, region=2)
    serve(monitor, server)
    slab = leased(ask(monitor, client))
    assert events.PressSlab(slab) in monitor.handle(events.Drain(1), 0)
    assert ask(monitor, client) == (events.Denied(layout.REASON_DRAINED),)


def test_a_server_that_listens_no_more_is_drained_of_what_it_accepted() -> None:
    monitor = Monitor(Policy())
    server, client = attach(monitor, 1, region=1), attach(monitor, 2, region=2)
    listener = serve(monitor, server)
    slab = leased(ask(monitor, client))
    monitor.handle(events.WantLeasesOf(server, SocketId(10, 1, HERE, listening=True), 0), 0)
    monitor.handle(events.Unlisten(server, listener), 0)
    assert events.PressSlab(slab) in monitor.handle(events.Drain(1), 0)


def test_a_drained_slab_that_nobody_uses_is_given_up() -> None:
    monitor = Monitor(Policy())
    server, client = attach(monitor, 1, region=1), attach(monitor, 2, region=2)
    serve(monitor, server)
    slab = leased(ask(monitor, client))
    monitor.handle(events.Drain(2), 0)
    assert monitor.handle(events.Unused(slab), 0) == (events.DropSlab(slab),)


def test_what_a_drained_program_forks_is_drained() -> None:
    monitor = Monitor(Policy())
    server, parent = attach(monitor, 1, region=1), attach(monitor, 2, region=2)
    serve(monitor, server)
    monitor.handle(events.Drain(2), 0)
    child = attach(monitor, 3, region=2, parent_id=parent)
    assert ask(monitor, child) == (events.Denied(layout.REASON_DRAINED),)
    assert monitor.drained_count == 2


def test_all_means_also_those_that_come_later() -> None:
    monitor = Monitor(Policy())
    monitor.handle(events.Drain(), 0)
    server, client = attach(monitor, 1, region=1), attach(monitor, 2, region=2)
    serve(monitor, server)
    assert ask(monitor, client) == (events.Denied(layout.REASON_DRAINED),)


def test_a_user_drains_nobody_elses_programs() -> None:
    monitor = Monitor(Policy())
    server, client = attach(monitor, 1, uid=1, region=1), attach(monitor, 2, uid=1, region=2)
    serve(monitor, server)
    monitor.handle(events.Drain(2, uid=5), 0)
    monitor.handle(events.Drain(None, uid=5), 0)
    assert leased(ask(monitor, client))


def test_an_address_is_open_again_when_its_drained_program_has_gone() -> None:
    monitor = Monitor(Policy())
    old, client, new = attach(monitor, 1, region=1), attach(monitor, 2, region=2), attach(monitor, 3, region=3)
    serve(monitor, old)
    serve(monitor, new, cookie=11)
    slab = leased(ask(monitor, client))
    monitor.handle(events.Drain(1), 0)
    assert ask(monitor, client) == (events.Denied(layout.REASON_DRAINED),)
    assert events.ListenersMoved() in monitor.handle(events.Died(old), 0)
    assert leased(ask(monitor, client)) > slab


# Of a real monitor ----------------------------------------------------------------------------------------------------


def test_both_sides_are_asked_to_move_and_woken_when_they_are_drained(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener, socket.socket() as sock:
        client.listen(listener)
        slab = map_slab(client.lease(sock, *listener.getsockname()))
        map_slab(client.leases_of(listener))
        slab.slot[7].offer = ACCEPTED
        bells = [new_bell() for _ in range(3)]
        slab.slot[7].dir[0].data_wait.sleepers[2] = bells[0][1]
        slab.slot[7].dir[1].room_wait.sleepers[0] = bells[1][1]
        slab.slot[7].dir[0].data_wait.armed = layout.ARM_SLEEPER
        slab.side[0].doorbell[5], slab.side[0].asleep = bells[2][1], 1 << 5
        with Control(RuntimeDir(monitor.directory)) as control:
            control.drain(os.getpid())
        for bell, _ in bells:
            with bell:
                assert bell.recv(16)
        assert slab.revoked == layout.REVOKED_DRAINED
        assert [side.ready[7] for side in slab.side] == [layout.READY_LOOK] * 2
        assert slab.slot[7].dir[0].data_wait.armed == layout.ARM_SLEEPER | layout.ARM_DRAIN
        assert slab.slot[7].dir[1].data_wait.armed == layout.ARM_DRAIN
        assert slab.slot[7].dir[1].room_wait.armed == 0
        assert slab.slot[8].dir[0].data_wait.armed == 0


def test_a_drained_slab_is_asked_again_until_nobody_uses_it(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener, socket.socket() as sock:
        client.listen(listener)
        slab = map_slab(client.lease(sock, *listener.getsockname()))
        slab.slot[7].offer = ACCEPTED
        with Control(RuntimeDir(monitor.directory)) as control:
            control.drain(os.getpid())
            slab.slot[7].dir[0].data_wait.armed = 0  # lost, as to a client that clears its slot
            assert eventually(lambda: slab.slot[7].dir[0].data_wait.armed == layout.ARM_DRAIN)
            assert control.status()["leases"] == 1
            slab.slot[7].offer = 0
            assert eventually(lambda: control.status()["leases"] == 0)
            assert slab.revoked == layout.REVOKED_DRAINED


def test_what_is_left_is_what_slots_hold(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener, socket.socket() as sock:
        client.listen(listener)
        slab = map_slab(client.lease(sock, *listener.getsockname()))
        show(client, 0, transport=SHM, slot=7, lease_id=slab.lease_id)
        show(client, 1, transport=SHM, slot=8, lease_id=slab.lease_id)
        show(client, 2, transport=SHM, slot=8, lease_id=99, pid=2**22 + 1)
        record, slot = client.record(0), slab.slot[7]
        slot.local.ip, slot.local.port = record.local.ip, record.local.port
        slot.peer.ip, slot.peer.port = record.peer.ip, record.peer.port
        slot.offer = ACCEPTED
        with Control(RuntimeDir(monitor.directory)) as control:
            outcome = control.drain(os.getpid())
            assert (outcome["processes"], outcome["before"]) == (1, 1)
            assert [row["fd"] for row in outcome["left"]] == [10]
            assert [row["orphaned"] for row in outcome["left"]] == [False]
            assert control.drain(1)["processes"] == 0
