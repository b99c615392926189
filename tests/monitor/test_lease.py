"""Leases between real processes: who gets a slab, who does not, and what becomes of it after a death."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from sdcore.protocol import layout, messages
from tests.monitor.fake import Client, MonitorProcess, Other, eventually, loopback_listener, map_slab
from tests.support.processes import free_port

ACCEPTED = layout.OFFER_STATES + layout.OFFER_ACCEPTED
OFFERED = layout.OFFER_STATES + layout.OFFER_OFFERED
AFTER_DEATH_S = 0.5  # of which 0.4 are for a machine with more work than cores


def test_both_sides_map_the_same_slab(client: Client) -> None:
    with loopback_listener() as listener, socket.socket() as sock:
        number = client.listen(listener)
        one = map_slab(client.lease(sock, *listener.getsockname()))
        other = map_slab(client.leases_of(listener))
        assert (one.magic, one.version) == (layout.SLAB_MAGIC, layout.LAYOUT_VERSION)
        assert one.listener_id == other.listener_id == number
        assert one.lease_id == other.lease_id != 0
        assert (one.heavy_fence, one.revoked) == (0, 0)
        one.slot[3].offer = OFFERED
        assert other.slot[3].offer == OFFERED


def test_the_second_request_gives_the_same_slab_and_a_full_one_gives_another(client: Client) -> None:
    with loopback_listener() as listener, socket.socket() as sock:
        client.listen(listener)
        first = map_slab(client.lease(sock, *listener.getsockname())).lease_id
        assert map_slab(client.lease(sock, *listener.getsockname())).lease_id == first
        second = map_slab(client.lease(sock, *listener.getsockname(), full_lease=first)).lease_id
        assert second > first
        # Who still thinks the first full gets the second: only the newest can be full.
        assert map_slab(client.lease(sock, *listener.getsockname(), full_lease=first)).lease_id == second
        assert client.all_leases_of(listener) == [first, second]


def test_nobody_listening_under_sdcore_is_a_plain_peer(client: Client) -> None:
    with loopback_listener() as listener, socket.socket() as sock:
        reply = client.lease(sock, *listener.getsockname())
        assert (reply.status, reply.reason) == (messages.STATUS_DENIED, layout.REASON_PEER_PLAIN)
        assert reply.descriptors == ()


def test_a_new_listener_and_a_new_lease_move_their_generations(client: Client) -> None:
    assert client.status is not None
    with loopback_listener() as listener, socket.socket() as sock:
        assert (client.status.alive, client.status.listeners, client.status.leases) == (1, 0, 0)
        client.listen(listener)
        assert client.status.listeners == 1
        map_slab(client.lease(sock, *listener.getsockname()))
        map_slab(client.lease(sock, *listener.getsockname()))
        assert (client.status.listeners, client.status.leases) == (1, 1)


@pytest.mark.parametrize(
    ("family", "bound", "asked", "found"),
    [
        (socket.AF_INET, "0.0.0.0", "127.0.0.1", True),
        (socket.AF_INET, "127.0.0.1", "0.0.0.0", True),
        (socket.AF_INET, "127.0.0.2", "127.0.0.1", False),
        (socket.AF_INET6, "::1", "::1", True),
        (socket.AF_INET6, "::", "127.0.0.1", False),
        (socket.AF_INET6, "::ffff:127.0.0.1", "127.0.0.1", True),
    ],
)
def test_a_listener_is_found_as_the_kernel_would(
    client: Client, family: int, bound: str, asked: str, found: bool
) -> None:
    with socket.socket(family) as listener, socket.socket(family) as sock:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bound == "::"))
        listener.bind((bound, 0))
        listener.listen()
        client.listen(listener)
        reply = client.lease(sock, asked, listener.getsockname()[1])
        assert (reply.status == messages.STATUS_OK) == found
        for descriptor in reply.descriptors:
            os.close(descriptor)


def test_a_dual_wildcard_listener_takes_ipv4(client: Client) -> None:
    with loopback_listener(socket.AF_INET6, "::", dualstack_ipv6=True) as listener, socket.socket() as sock:
        number = client.listen(listener)
        assert map_slab(client.lease(sock, "127.0.0.1", listener.getsockname()[1])).listener_id == number


def test_sockets_that_share_a_port_share_their_leases(client: Client) -> None:
    with loopback_listener(reuse_port=True) as one, socket.socket() as other, socket.socket() as sock:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(one.getsockname())
        other.listen()
        assert client.listen(one) == client.listen(other)
        lease = map_slab(client.lease(sock, *one.getsockname())).lease_id
        assert client.all_leases_of(other) == client.all_leases_of(one) == [lease]


def test_a_listener_that_leaves_revokes_its_leases(client: Client) -> None:
    with loopback_listener() as listener, socket.socket() as sock:
        number = client.listen(listener)
        slab = map_slab(client.lease(sock, *listener.getsockname()))
        client.ask(messages.MSG_UNLISTEN, messages.LISTENER.pack(listener_id=number))
        assert slab.revoked == 1
        assert client.lease(sock, *listener.getsockname()).reason == layout.REASON_PEER_PLAIN


def test_a_side_without_membarrier_makes_fences_heavy(monitor: MonitorProcess) -> None:
    with Client(monitor.path) as client, loopback_listener() as listener, socket.socket() as sock:
        client.hello(capabilities=0)
        client.listen(listener)
        assert map_slab(client.lease(sock, *listener.getsockname())).heavy_fence == 1


def test_the_status_page_cannot_be_written_by_processes(client: Client) -> None:
    reply = client.ask(messages.MSG_HELLO, messages.HELLO.pack(version=layout.LAYOUT_VERSION), [client.region])
    (page,) = reply.descriptors
    with pytest.raises(PermissionError):
        os.pwrite(os.open(f"/proc/self/fd/{page}", os.O_RDWR), b"\0", 0)
    os.close(page)


def test_a_slab_in_use_outlives_its_listener_until_the_last_connection_ends(
    monitor: MonitorProcess, client: Client
) -> None:
    with loopback_listener() as listener, socket.socket() as sock:
        number = client.listen(listener)
        slab = map_slab(client.lease(sock, *listener.getsockname()))
        slab.slot[7].offer = ACCEPTED
        client.ask(messages.MSG_UNLISTEN, messages.LISTENER.pack(listener_id=number))
        time.sleep(0.1)
        assert _slabs_held(monitor) == 1
        slab.slot[7].offer = 2 * layout.OFFER_STATES + layout.OFFER_FREE
        assert eventually(lambda: _slabs_held(monitor) == 0)


# Deaths ---------------------------------------------------------------------------------------------------------------


def _connects(pipe: Connection, path: Path, host: str, port: int, offer: int) -> None:
    """Take a lease, put one connection into slot 7, and wait."""
    with Client(path) as client, socket.socket() as sock:
        client.hello()
        slab = map_slab(client.lease(sock, host, port))
        slab.slot[7].offer = offer
        pipe.send(slab.lease_id)
        pipe.recv()


def _listens(pipe: Connection, path: Path, slot_offer: int) -> None:
    """Listen, wait for a client's lease, take up slot 7, and wait."""
    with Client(path) as server, loopback_listener() as listener:
        server.hello()
        server.listen(listener)
        pipe.send(listener.getsockname())
        pipe.recv()
        map_slab(server.leases_of(listener)).slot[7].offer = slot_offer
        pipe.send("taken")
        pipe.recv()


def new_bell() -> tuple[socket.socket, int]:
    """A doorbell and its name."""
    bell, name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), int.from_bytes(os.urandom(4), "big") | 1
    bell.bind(f"\0sdcore-{name:08x}")
    bell.settimeout(5)
    return bell, name


def test_the_server_is_poked_and_woken_when_a_client_is_killed(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener:
        client.listen(listener)
        with Other(_connects, monitor.path, *listener.getsockname(), ACCEPTED) as other:
            other.says()
            slab = map_slab(client.leases_of(listener))
            (thread_bell, thread_name), (epoll_bell, epoll_name) = new_bell(), new_bell()
            slab.slot[7].dir[0].data_wait.sleepers[2] = thread_name
            slab.slot[7].dir[0].data_wait.armed = layout.ARM_SLEEPER
            slab.side[1].doorbell[5], slab.side[1].asleep = epoll_name, 1 << 5
            other.process.kill()
            killed_s = time.monotonic()
            with thread_bell, epoll_bell:
                assert thread_bell.recv(16)
                assert epoll_bell.recv(16)
            assert time.monotonic() - killed_s < AFTER_DEATH_S
            assert slab.revoked == 1
            assert slab.side[1].ready[7] == layout.READY_LOOK
            assert slab.slot[7].dir[0].data_wait.armed == layout.ARM_SLEEPER | layout.ARM_POKE
            assert slab.slot[7].dir[1].room_wait.armed == layout.ARM_POKE
            assert slab.slot[8].dir[0].data_wait.armed == 0
            assert slab.side[1].ready[8] == 0


def test_the_client_is_poked_when_the_server_is_killed(monitor: MonitorProcess, client: Client) -> None:
    with Other(_listens, monitor.path, ACCEPTED) as other, socket.socket() as sock:
        slab = map_slab(client.lease(sock, *other.says()))
        other.pipe.send("leased")
        other.says()
        bell, name = new_bell()
        slab.slot[7].dir[1].data_wait.sleepers[0] = name
        other.process.kill()
        killed_s = time.monotonic()
        with bell:
            assert bell.recv(16)
        assert time.monotonic() - killed_s < AFTER_DEATH_S
        assert slab.revoked == 1
        assert slab.slot[7].dir[1].data_wait.armed == layout.ARM_POKE
        assert slab.side[0].ready[7] == layout.READY_LOOK


def test_an_offer_of_a_dead_client_can_still_be_taken_up(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener:
        client.listen(listener)
        with Other(_connects, monitor.path, *listener.getsockname(), OFFERED) as other:
            lease = other.says()
            other.kill()
        slab = map_slab(client.leases_of(listener))
        assert slab.lease_id == lease
        assert slab.revoked == 1
        slab.slot[7].offer = ACCEPTED
        assert eventually(lambda: client.all_leases_of(listener) == [])


def test_a_dead_client_without_offers_leaves_nothing(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener:
        client.listen(listener)
        with Other(_connects, monitor.path, *listener.getsockname(), ACCEPTED) as other:
            other.says()
            before = _slabs_held(monitor)
            other.kill()
        assert before == 1
        assert eventually(lambda: _slabs_held(monitor) == 0)


def _slabs_held(monitor: MonitorProcess) -> int:
    """How many slabs the monitor has open."""
    held = 0
    for number in os.listdir(f"/proc/{monitor.process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed since
            held += "sdcore-slab" in os.readlink(f"/proc/{monitor.process.pid}/fd/{number}")
    return held


def _tidies_up(pipe: Connection, path: Path, host: str, port: int) -> None:
    """Take a lease, lose the control connection, live on, and come back."""
    region = os.dup(Client(path).region)
    client = Client(path, os.dup(region))
    client.hello()
    with socket.socket() as sock:
        slab = map_slab(client.lease(sock, host, port))
    client.socket.close()
    pipe.send("closed")
    pipe.recv()
    again = Client(path, os.dup(region))
    again.hello()
    pipe.send((slab.revoked, again.process_id == client.process_id))
    pipe.recv()


def test_a_process_that_closes_its_connection_keeps_its_leases(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener:
        client.listen(listener)
        with Other(_tidies_up, monitor.path, *listener.getsockname()) as other:
            assert other.says() == "closed"
            other.pipe.send("go on")
            assert other.says() == (0, True)
            assert len(client.all_leases_of(listener)) == 1


def _becomes_another(pipe: Connection, path: Path, host: str, port: int) -> None:
    """Take a lease, then exec a program that knows nothing of us."""
    client = Client(path)
    client.hello()
    with socket.socket() as sock:
        map_slab(client.lease(sock, host, port))
    pipe.send("leased")
    pipe.recv()
    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(20)"])


def test_a_process_that_becomes_another_program_loses_its_leases(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener:
        client.listen(listener)
        with Other(_becomes_another, monitor.path, *listener.getsockname()) as other:
            other.says()
            slab = map_slab(client.leases_of(listener))
            other.pipe.send("go on")
            assert eventually(lambda: slab.revoked == 1)
            assert other.process.is_alive()


def _joins(pipe: Connection, path: Path, listener: socket.socket, region: int, proof: dict[str, int]) -> None:
    """A forked child: attach with the family's region and the inherited listening socket."""
    with Client(path, region) as child:
        child.hello(**proof)
        pipe.send(child.all_leases_of(listener))
        pipe.recv()


def test_a_forked_server_sees_the_leases_of_the_socket_it_inherited(monitor: MonitorProcess) -> None:
    with Client(monitor.path) as parent, loopback_listener() as listener, socket.socket() as sock:
        parent.hello(child_secret=77)
        number = parent.listen(listener)
        slab = map_slab(parent.lease(sock, *listener.getsockname()))
        proof = {"parent_id": parent.process_id, "secret": 77}
        with Other(_joins, monitor.path, listener, os.dup(parent.region), proof) as child:
            assert child.says() == [slab.lease_id]
            # The listener lives as long as one process holds it.
            parent.ask(messages.MSG_UNLISTEN, messages.LISTENER.pack(listener_id=number))
            assert slab.revoked == 0
            child.kill()
            assert eventually(lambda: slab.revoked == 1)


# Strangers ------------------------------------------------------------------------------------------------------------


def _asks_as(pipe: Connection, path: Path, uid: int, host: str, port: int) -> None:
    """Ask for a lease as another user."""
    os.setresuid(uid, uid, uid)
    with Client(path) as client, socket.socket() as sock:
        client.hello()
        reply = client.lease(sock, host, port)
        pipe.send((reply.status, reply.reason))
        pipe.recv()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")
@pytest.mark.parametrize("allowed", [False, True])
def test_another_user_is_a_stranger_unless_policy_says_otherwise(runtime_dir: Path, allowed: bool) -> None:
    config = runtime_dir / "config.toml"
    config.write_text('[policy]\nallow_users = [[65534, "root"]]\n' if allowed else "")
    process = MonitorProcess(runtime_dir, SDCORE_CONFIG=str(config))
    runtime_dir.chmod(0o755)
    (runtime_dir / "monitor.sock").chmod(0o666)
    with Client(process.path) as server, loopback_listener() as listener:
        server.hello()
        server.listen(listener)
        with Other(_asks_as, process.path, 65534, *listener.getsockname()) as other:
            expected = (messages.STATUS_OK, 0) if allowed else (messages.STATUS_DENIED, layout.REASON_POLICY)
            assert other.says() == expected
    assert process.terminate() == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_another_network_namespace_is_a_stranger(monitor: MonitorProcess, client: Client) -> None:
    script = f"""
import socket, sys
from pathlib import Path
from tests.monitor.fake import Client
with Client(Path({str(monitor.path)!r})) as client, socket.socket() as sock:
    client.hello()
    for host in ("127.0.0.1", "192.0.2.1"):
        print(client.lease(sock, host, int(sys.argv[1])).reason)
"""
    with socket.socket() as listener:
        listener.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND: the address need not be ours
        port = free_port()  # of the loopback too, where a port that the kernel chooses may be a client's
        listener.bind(("192.0.2.1", port))
        listener.listen()
        with socket.create_server(("127.0.0.1", port)) as loopback:
            client.listen(listener)
            client.listen(loopback)
            command = ["unshare", "--net", sys.executable, "-c", script, str(port)]
            done = subprocess.run(command, env=monitor.environ, capture_output=True, text=True, check=False, timeout=20)
    assert done.stdout.split() == [str(layout.REASON_PEER_PLAIN), str(layout.REASON_POLICY)], done.stderr
