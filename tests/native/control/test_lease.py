"""Laws of leases: asked for once, refused once, dropped when revoked, given back when unused."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import pytest

from sdcore.monitor import memory, wire
from sdcore.protocol import layout, messages
from tests.native.control.driven import Driven
from tests.native.control.fake_monitor import FakeMonitor, Reply, denied

LOOK_S = 1.1
GRACE_S = 2.1
BACKOFF_S = 0.25


def lease_requests(monitor: FakeMonitor) -> int:
    return monitor.kinds().count(messages.MSG_LEASE)


def revoke(monitor: FakeMonitor, lease_id: int) -> None:
    """As the monitor does it: nobody gets this lease any more."""
    monitor.book.leases[lease_id].revoke()
    del monitor.book.listener_of[lease_id]


def test_a_lease_is_asked_for_once(monitor: FakeMonitor, server: Driven, process: Driven) -> None:
    listening = server.listen()
    first = process.granted(listening.port)
    assert first.listener_id == listening.listener_id
    assert process.granted(listening.port) == first
    assert lease_requests(monitor) == 1


def test_a_slab_is_mapped_once_and_its_descriptor_closed(monitor: FakeMonitor, process: Driven) -> None:
    listening = process.listen()
    process.lease(7)
    fds, _ = process.counts()
    lease = process.granted(listening.port)
    assert process.leases(listening) == [lease.lease_id]
    assert process.counts() == (fds, 1), "client and server of one lease in one process: one mapping"


def test_a_refusal_is_remembered_until_a_listener_comes(monitor: FakeMonitor, process: Driven) -> None:
    assert [process.lease(7), process.lease(7)] == ["peer_plain"] * 2
    assert lease_requests(monitor) == 1
    monitor.page.move_listeners()
    assert process.lease(7) == "peer_plain"
    assert lease_requests(monitor) == 2


def test_a_refusal_is_forgotten_at_another_monitor(start_monitor: Callable[..., FakeMonitor], process: Driven) -> None:
    first = start_monitor()
    assert process.lease(7) == "peer_plain"
    first.stop()
    second = start_monitor()
    process.sleep(LOOK_S)
    process.ask("look")
    process.sleep(LOOK_S)
    process.ask("look")
    assert process.lease(7) == "peer_plain"
    assert lease_requests(second) == 1, "although both count their listeners from the same number"


def test_the_reason_of_a_refusal_is_kept(monitor: FakeMonitor, process: Driven) -> None:
    monitor.answers[messages.MSG_LEASE] = lambda request, _: [denied(request, layout.REASON_POLICY)]
    assert [process.lease(7), process.lease(7)] == ["policy"] * 2


def test_a_listener_that_comes_during_the_question_is_not_missed(monitor: FakeMonitor, process: Driven) -> None:
    def deny_and_move(request, _):  # type: ignore[no-untyped-def]
        monitor.page.move_listeners()
        return [denied(request, layout.REASON_PEER_PLAIN)]

    monitor.answers[messages.MSG_LEASE] = deny_and_move
    process.lease(7)
    process.lease(7)
    assert lease_requests(monitor) == 2


def test_a_revoked_lease_is_not_used_again(monitor: FakeMonitor, server: Driven, process: Driven) -> None:
    listening = server.listen()
    first = process.granted(listening.port)
    revoke(monitor, first.lease_id)
    second = process.granted(listening.port)
    assert second.lease_id != first.lease_id
    assert second.place != first.place, "connections of the first one go on"


def test_a_full_lease_brings_a_further_one(monitor: FakeMonitor, server: Driven, process: Driven) -> None:
    listening = server.listen()
    first = process.granted(listening.port)
    fill(monitor, first.lease_id)
    second = process.granted(listening.port, full=first)
    assert second.lease_id != first.lease_id
    assert monitor.requests[-1][1].full_lease == first.lease_id  # type: ignore[union-attr]
    assert process.granted(listening.port) == second


def test_room_in_an_older_lease_is_used_before_more_is_asked_for(
    monitor: FakeMonitor, server: Driven, process: Driven
) -> None:
    listening = server.listen()
    first = process.granted(listening.port)
    fill(monitor, first.lease_id)
    second = process.granted(listening.port, full=first)
    asked = lease_requests(monitor)
    fill(monitor, first.lease_id, layout.OFFER_FREE)
    assert process.granted(listening.port, full=second) == first
    assert lease_requests(monitor) == asked


def fill(monitor: FakeMonitor, lease_id: int, offer: int = layout.OFFER_ACCEPTED) -> None:
    """Set the offer word of every slot."""
    for slot in range(layout.SLOTS):
        at = layout.SLAB.offsets["slot"] + slot * layout.SLOT.size + layout.SLOT.offsets["offer"]
        os.pwrite(monitor.book.leases[lease_id].fd, offer.to_bytes(4, sys.byteorder), at)


def test_unanswered_offers_back_off_longer_each_time(monitor: FakeMonitor, server: Driven, process: Driven) -> None:
    listening = server.listen()
    lease = process.granted(listening.port)
    process.ask(f"unanswered {lease.lease_id}")
    process.ask(f"unanswered {lease.lease_id}")
    assert process.lease(listening.port) == "offer_timeout"
    process.sleep(BACKOFF_S)
    assert process.granted(listening.port) == lease
    process.ask(f"unanswered {lease.lease_id}")
    process.sleep(BACKOFF_S)
    assert process.lease(listening.port) == "offer_timeout"
    process.sleep(BACKOFF_S)
    assert process.granted(listening.port) == lease


def test_destinations_beyond_the_table_are_asked_for_again(monitor: FakeMonitor, process: Driven) -> None:
    ports = range(1, 2001)
    assert {process.lease(port) for port in ports} == {"peer_plain"}
    assert {process.lease(port) for port in range(1901, 2001)} == {"peer_plain"}
    assert lease_requests(monitor) == 2000, "the newest ones are remembered"
    assert process.lease(1) == "peer_plain"
    assert lease_requests(monitor) == 2001, "the oldest one is not"


def test_a_server_learns_each_slab_once(monitor: FakeMonitor, server: Driven) -> None:
    listening = server.listen()
    one, two = (monitor.new_lease(listening.listener_id) for _ in range(2))
    assert server.leases(listening, refresh=False) == []
    assert server.leases(listening) == [two, one]
    asked = len(monitor.requests)
    assert server.leases(listening) == [two, one]
    assert len(monitor.requests) == asked, "the generation did not move"
    three = monitor.new_lease(listening.listener_id)
    assert server.leases(listening) == [three, two, one]
    assert server.leases(listening, refresh=False) == [three, two, one]


def spoil(monitor: FakeMonitor, lease_id: int, field: str) -> None:
    """Write garbage into a slab's head, as the other side of the lease can before this one has seen it."""
    os.pwrite(monitor.book.leases[lease_id].fd, b"\xff" * 4, layout.SLAB.offsets[field])


@pytest.mark.parametrize("field", ["magic", "version", "lease_id", "listener_id"])
def test_a_slab_that_a_client_spoilt_costs_its_server_that_lease_only(
    field: str, monitor: FakeMonitor, server: Driven
) -> None:
    listening = server.listen()
    one, two, three = (monitor.new_lease(listening.listener_id) for _ in range(3))
    spoil(monitor, two, field)
    process_id = server.process_id()
    assert server.leases(listening) == [three, one]
    assert server.process_id() == process_id, "the monitor did nothing wrong"


@pytest.mark.parametrize("field", ["magic", "version", "lease_id", "listener_id"])
def test_a_slab_that_a_server_spoilt_costs_its_client_that_lease_only(
    field: str, monitor: FakeMonitor, server: Driven, process: Driven
) -> None:
    bad, good = server.listen(), server.listen()

    def spoilt(request: wire.Request, descriptors: list[int]) -> Sequence[Reply]:
        replies = monitor.by_the_book(request, descriptors)
        spoil(monitor, max(monitor.book.leases), field)
        return replies

    monitor.answers[messages.MSG_LEASE] = spoilt
    assert process.lease(bad.port) == "violation"
    del monitor.answers[messages.MSG_LEASE]
    process.granted(good.port)


def test_a_broken_connection_does_not_double_what_is_known(monitor: FakeMonitor, server: Driven) -> None:
    listening = server.listen()
    one, two = (monitor.new_lease(listening.listener_id) for _ in range(2))
    assert server.leases(listening) == [two, one]
    monitor.disconnect()
    server.sleep(LOOK_S)
    server.ask("look")
    server.sleep(LOOK_S)
    server.ask("look")
    assert server.leases(listening) == [two, one]
    assert monitor.kinds().count(messages.MSG_LEASES_OF) == 6, "it asked again"
    assert server.counts()[1] == 2


def test_slabs_of_a_monitor_that_is_gone_stay_good(start_monitor, server: Driven) -> None:  # type: ignore[no-untyped-def]
    first = start_monitor()
    listening = server.listen()
    lease = first.new_lease(listening.listener_id)
    assert server.leases(listening) == [lease]
    first.stop()
    assert server.leases(listening) == [lease]
    second = start_monitor()
    server.sleep(LOOK_S)
    server.ask("look")
    server.sleep(LOOK_S)
    server.ask("look")
    again = second.new_lease(server.listener_id(listening))
    assert server.leases(listening) == [again, lease]
    assert server.counts()[1] == 2, "the same number at another monitor is another slab"


def test_an_unregistered_listener_is_told_and_forgotten(monitor: FakeMonitor, server: Driven) -> None:
    listening = server.listen()
    server.ask(f"unlisten {listening.fd}")
    assert monitor.book.listeners == {}
    kind, body = monitor.requests[-1]
    assert kind == messages.MSG_UNLISTEN
    assert body is not None
    assert body.listener_id == listening.listener_id


def test_an_offer_is_found_after_its_listener_closed(monitor: FakeMonitor, server: Driven, process: Driven) -> None:
    listening = server.listen()
    lease = process.granted(listening.port)
    assert server.leases(listening) == [lease.lease_id]
    server.ask(f"pend {listening.fd}")
    server.ask(f"unlisten {listening.fd}")
    assert server.ask("pending") == f"leases {lease.lease_id}"


@pytest.mark.parametrize("ending", ["unlisten", "abandon"])
def test_a_socket_object_that_is_used_again_is_a_new_listener(
    monitor: FakeMonitor, server: Driven, ending: str
) -> None:
    first = server.listen()
    server.ask(f"{ending} {first.fd}")
    second = server.listen()
    assert second.fd == first.fd
    assert second.listener_id not in (0, first.listener_id)
    assert server.leases(second) == []


def test_a_revoked_slab_is_given_back_when_nothing_uses_it(
    monitor: FakeMonitor, server: Driven, process: Driven
) -> None:
    listening = server.listen()
    lease = process.granted(listening.port)
    process.ask(f"holds 1 {lease.lease_id}")
    revoke(monitor, lease.lease_id)
    sweep(process)
    assert process.counts()[1] == 1, "a connection uses it"
    process.ask("holds 1 0")
    process.sleep(LOOK_S)
    process.ask("look")
    assert process.counts()[1] == 0
    process.sleep(GRACE_S)
    assert process.granted(listening.port).place == lease.place, "its place is used for the next slab"


def test_the_slabs_of_dead_clients_go_when_another_comes(monitor: FakeMonitor, server: Driven) -> None:
    listening = server.listen()
    leases = [monitor.new_lease(listening.listener_id) for _ in range(5)]
    assert server.leases(listening) == leases[::-1]
    for lease_id in leases[1:4]:
        revoke(monitor, lease_id)
    assert server.leases(listening) == leases[::-1]
    newest = monitor.new_lease(listening.listener_id)
    assert server.leases(listening) == [newest, leases[4], leases[0]]
    assert server.counts()[1] == 3


def test_a_slab_with_a_connection_is_kept(monitor: FakeMonitor, server: Driven) -> None:
    listening = server.listen()
    lease_id = monitor.new_lease(listening.listener_id)
    assert server.leases(listening) == [lease_id]
    server.ask(f"holds 1 {lease_id}")
    revoke(monitor, lease_id)
    sweep(server)
    assert server.leases(listening) == [lease_id]
    server.ask("holds 1 0")
    sweep(server)
    assert server.leases(listening) == []


def test_a_slab_with_an_offer_in_the_backlog_is_kept(monitor: FakeMonitor, server: Driven) -> None:
    listening = server.listen()
    lease_id = monitor.new_lease(listening.listener_id)
    assert server.leases(listening) == [lease_id]
    fill(monitor, lease_id, layout.OFFER_OFFERED)
    revoke(monitor, lease_id)
    sweep(server)
    assert server.leases(listening) == [lease_id]
    fill(monitor, lease_id, layout.OFFER_ACCEPTED)
    server.sleep(LOOK_S)
    server.ask("look")
    assert server.leases(listening) == []
    assert server.counts()[1] == 0


def sweep(process: Driven) -> None:
    """Let it notice what is revoked, wait, and give it back."""
    process.sleep(LOOK_S)
    process.ask("look")
    process.sleep(GRACE_S)
    process.ask("look")


def test_a_heavy_fence_is_noticed(monitor: FakeMonitor, server: Driven, process: Driven) -> None:
    listening = server.listen()
    lease_id = monitor.new_lease(listening.listener_id)
    monitor.book.leases[lease_id] = memory.Slab(lease_id, listening.listener_id, heavy_fence=True)
    assert process.ask("heavy") == "no"
    process.granted(listening.port)
    assert process.ask("heavy") == "yes"


def test_a_forked_child_keeps_what_its_parent_knew(monitor: FakeMonitor, server: Driven, process: Driven) -> None:
    listening = server.listen()
    lease = process.granted(listening.port)
    process.fork()
    assert process.granted(listening.port) == lease
    process.end_child()
