"""Laws of attaching: once, to a monitor that is trusted, again when it is back, and never in the way."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sdcore.monitor import kernel, wire
from sdcore.protocol import layout, messages
from tests.native.control.driven import Driven
from tests.native.control.fake_monitor import FakeMonitor, Reply, denied, ok

RETRY_S = 0.15
LOOK_S = 1.1


def hello_of(monitor: FakeMonitor, index: int) -> dict[str, int]:
    """The n-th hello that came."""
    return vars([body for kind, body in monitor.requests if kind == messages.MSG_HELLO][index])


def test_a_process_attaches_once(monitor: FakeMonitor, process: Driven) -> None:
    assert process.process_id() == 0
    assert process.lease(7) == "peer_plain"
    assert process.lease(8) == "peer_plain"
    assert monitor.kinds() == [messages.MSG_HELLO, messages.MSG_LEASE, messages.MSG_LEASE]
    assert process.process_id() == 1


def test_the_hello_says_what_the_process_can(monitor: FakeMonitor, process: Driven) -> None:
    process.lease(7)
    hello = hello_of(monitor, 0)
    assert hello["version"] == layout.LAYOUT_VERSION
    assert hello["capabilities"] == messages.HELLO_MEMBARRIER
    assert (hello["parent_id"], hello["secret"]) == (0, 0)
    assert hello["child_secret"] != 0


def test_without_a_monitor_nothing_is_leased_and_nothing_stays_open(process: Driven) -> None:
    before = process.counts()
    assert [process.lease(port) for port in (7, 8, 9)] == ["no_monitor"] * 3
    assert process.counts() == before


def test_a_monitor_that_comes_later_is_found(start_monitor: Callable[..., FakeMonitor], process: Driven) -> None:
    assert process.lease(7) == "no_monitor"
    start_monitor()
    assert process.lease(7) == "no_monitor", "the next try has its time"
    process.sleep(RETRY_S)
    assert process.lease(7) == "peer_plain"


def test_a_refused_hello_gives_its_reason(monitor: FakeMonitor, process: Driven) -> None:
    monitor.answers[messages.MSG_HELLO] = lambda request, _: [denied(request, layout.REASON_VERSION)]
    assert process.lease(7) == "version"
    assert process.process_id() == 0


def test_listeners_are_registered_again_at_a_monitor_that_returns(
    start_monitor: Callable[..., FakeMonitor], process: Driven
) -> None:
    first = start_monitor()
    one, two = process.listen(), process.listen()
    first.stop()
    second = start_monitor(first_id=500)
    process.sleep(LOOK_S)
    process.ask("look")
    process.sleep(RETRY_S)
    process.ask("look")
    process.sleep(LOOK_S)
    process.ask("look")
    assert second.kinds().count(messages.MSG_LISTEN) == 2
    assert {process.listener_id(one), process.listener_id(two)} == set(second.book.listeners.values())
    assert process.process_id() >= 500


def test_a_silent_monitor_costs_one_wait(monitor: FakeMonitor, process: Driven) -> None:
    process.lease(7)
    monitor.answers[messages.MSG_LEASE] = lambda request, _: []
    began = time.monotonic()
    assert process.lease(8) == "no_monitor"
    assert 0.9 < time.monotonic() - began < 3
    process.sleep(3 * RETRY_S)
    began = time.monotonic()
    assert [process.lease(port) for port in range(9, 19)] == ["no_monitor"] * 10
    assert time.monotonic() - began < 0.5


def garbage_replies() -> dict[str, Callable[[wire.Request], Reply]]:
    """Replies to a lease request that are none."""
    lease = messages.LEASE.pack(lease_id=9, listener_id=9)
    status = wire.format_packet
    return {
        "nothing": lambda r: Reply(b""),
        "a part of a header": lambda r: Reply(status(r.type, r.seq)[:9]),
        "another type": lambda r: Reply(status(r.type + 1, r.seq, lease), [good_slab()]),
        "another number": lambda r: Reply(status(r.type, r.seq + 1, lease), [good_slab()]),
        "an unknown status": lambda r: Reply(status(r.type, r.seq, status=77)),
        "an unknown reason": lambda r: Reply(status(r.type, r.seq, status=1, reason=1000)),
        "too short": lambda r: ok(r, lease[:-1], [good_slab()]),
        "too long": lambda r: ok(r, lease + b"x", [good_slab()]),
        "far too long": lambda r: ok(r, lease * 100, [good_slab()]),
        "no descriptor": lambda r: ok(r, lease),
        "two descriptors": lambda r: ok(r, lease, [good_slab(), good_slab()]),
        "ten descriptors": lambda r: ok(r, lease, [good_slab() for _ in range(10)]),
        "a denial with a descriptor": lambda r: Reply(status(r.type, r.seq, status=1, reason=3), [null_file()]),
        "a file instead of a slab": lambda r: ok(r, lease, [null_file()]),
        "a memfd that is not sealed": lambda r: ok(r, lease, [memfd(layout.SLAB_BYTES, slab_head(), seal=False)]),
        "a slab of the wrong size": lambda r: ok(r, lease, [memfd(layout.SLAB_BYTES - 4096, slab_head())]),
    }


def null_file() -> int:
    """A descriptor of something that is no memory."""
    return os.open(os.devnull, os.O_RDONLY)


def good_slab() -> int:
    """A slab with which nothing is wrong."""
    return memfd(layout.SLAB_BYTES, slab_head())


def slab_head(**changes: int) -> bytes:
    """The first words of a slab."""
    fields = {
        "magic": layout.SLAB_MAGIC, "version": layout.LAYOUT_VERSION, "lease_id": 9, "listener_id": 9,
    } | changes  # fmt: skip
    return layout.SLAB.pack(**fields)[: layout.SLAB.offsets["side"]]


def memfd(size: int, head: bytes = b"", *, seal: bool = True) -> int:
    """Memory that begins with `head`."""
    fd = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    os.pwrite(fd, head, 0)
    if seal:
        fcntl.fcntl(fd, kernel.F_ADD_SEALS, kernel.F_SEAL_SHRINK | kernel.F_SEAL_GROW)
    return fd


def test_a_slab_with_which_nothing_is_wrong_is_used(monitor: FakeMonitor, process: Driven) -> None:
    lease = messages.LEASE.pack(lease_id=9, listener_id=9)
    monitor.answers[messages.MSG_LEASE] = lambda request, _: [ok(request, lease, [good_slab()])]
    assert process.granted(8).lease_id == 9, "the others differ from it in one thing each"


@pytest.mark.parametrize("what", sorted(garbage_replies()))
def test_a_reply_that_is_none_costs_the_monitor_its_connection(
    what: str, monitor: FakeMonitor, process: Driven
) -> None:
    process.lease(7)
    before = process.counts()
    make = garbage_replies()[what]
    monitor.answers[messages.MSG_LEASE] = lambda request, _: [make(request)]
    assert process.lease(8) == "no_monitor"
    assert process.process_id() == 0
    del monitor.answers[messages.MSG_LEASE]
    process.sleep(RETRY_S)
    assert process.lease(8) == "peer_plain", "a better monitor is believed again"
    assert process.counts() == before


def test_a_status_page_that_could_shrink_is_not_mapped(monitor: FakeMonitor, process: Driven) -> None:
    welcome = messages.WELCOME.pack(process_id=1)
    page = layout.STATUS.pack(magic=layout.STATUS_MAGIC, version=layout.LAYOUT_VERSION)
    monitor.answers[messages.MSG_HELLO] = lambda r, _: [ok(r, welcome, [memfd(layout.STATUS.size, page, seal=False)])]
    assert process.lease(7) == "no_monitor"
    monitor.answers[messages.MSG_HELLO] = lambda r, _: [ok(r, welcome, [memfd(layout.STATUS.size, page)])]
    process.sleep(RETRY_S)
    assert process.lease(7) == "peer_plain"


def test_a_child_attaches_as_itself_and_proves_its_parent(monitor: FakeMonitor, process: Driven) -> None:
    process.lease(7)
    parent = process.process_id()
    process.fork()
    assert process.process_id() == 0
    process.lease(8)
    child = process.process_id()
    process.fork()
    process.lease(9)
    assert process.process_id() not in (0, parent, child)
    process.end_child()
    assert process.process_id() == child
    process.end_child()
    assert process.lease(10) == "peer_plain"
    assert process.process_id() == parent
    first, second, third = (hello_of(monitor, n) for n in range(3))
    assert (second["parent_id"], second["secret"]) == (parent, first["child_secret"])
    assert (third["parent_id"], third["secret"]) == (child, second["child_secret"])
    assert len({first["child_secret"], second["child_secret"], third["child_secret"]}) == 3


def test_a_child_of_a_process_that_never_attached_has_no_parent(monitor: FakeMonitor, process: Driven) -> None:
    process.fork()
    process.lease(7)
    process.end_child()
    assert (hello_of(monitor, 0)["parent_id"], hello_of(monitor, 0)["secret"]) == (0, 0)


def test_a_serving_child_attaches_without_being_asked(monitor: FakeMonitor, process: Driven) -> None:
    listening = process.listen()
    process.fork()
    process.ask("look")
    assert process.process_id() not in (0, 1)
    assert monitor.kinds().count(messages.MSG_LISTEN) == 2
    assert process.listener_id(listening) == listening.listener_id, "the same socket, by its cookie"
    process.end_child()


def test_nothing_is_sent_into_a_descriptor_that_the_program_put_there(monitor: FakeMonitor, process: Driven) -> None:
    process.lease(7)
    assert process.ask("overlay").startswith("overlaid")
    assert process.lease(8) == "no_monitor"
    assert process.ask("overlaid") == "empty, open"
    process.sleep(RETRY_S)
    assert process.lease(8) == "peer_plain"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can serve as another user")
def test_a_monitor_of_another_user_is_not_believed(runtime_dir: Path, process: Driven) -> None:
    os.chmod(runtime_dir, 0o777)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(runtime_dir / "monitor.sock"))
        os.seteuid(12345)
        try:
            listener.listen(1)
        finally:
            os.seteuid(0)
        assert process.lease(7) == "no_monitor"
        listener.settimeout(5)
        peer, _ = listener.accept()
        with peer:
            assert peer.recv(100) == b"", "it hung up without a word"
