"""The life of a monitor: one for each directory, gone and back, told to stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sdcore.monitor import lock, paths
from sdcore.monitor.control import Control, NoMonitor, Refused
from sdcore.protocol import messages
from tests.monitor.fake import Client, MonitorProcess, Other, eventually, loopback_listener, map_slab
from tests.monitor.test_lease import _asks_as


def start_another(monitor: MonitorProcess) -> subprocess.CompletedProcess[str]:
    """Start a second monitor in the same directory."""
    command = [sys.executable, "-m", "sdcore.monitor", "--dir", str(monitor.directory)]
    return subprocess.run(command, env=monitor.environ, capture_output=True, text=True, timeout=20, check=False)


def test_two_never_serve_the_same_directory(monitor: MonitorProcess, client: Client) -> None:
    second = start_another(monitor)
    assert second.returncode == 3
    assert "another monitor" in second.stderr
    assert client.hello().status == messages.STATUS_OK


def test_after_a_crash_processes_attach_and_register_again(monitor: MonitorProcess, client: Client) -> None:
    with loopback_listener() as listener, socket.socket() as sock:
        client.listen(listener)
        old = map_slab(client.lease(sock, *listener.getsockname()))
        monitor.kill()
        assert client.ends()
        assert client.status is not None
        assert client.status.alive == 1  # nobody could write it any more
        monitor.start()
        with Client(monitor.path, os.dup(client.region)) as again:
            again.hello()
            number = again.listen(listener)
            assert map_slab(again.lease(sock, *listener.getsockname())).listener_id == number
        assert old.revoked == 0  # what was established goes on


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_stop_shows_on_the_status_page_and_leaves_no_socket(runtime_dir: Path, how: signal.Signals) -> None:
    process = MonitorProcess(runtime_dir)
    with Client(process.path) as client:
        client.hello()
        assert client.status is not None
        process.process.send_signal(how)
        assert client.ends()
        assert client.status.alive == 0
    assert process.process.wait(10) == 0
    assert not process.path.exists()


def test_a_request_to_stop_is_answered_and_obeyed(runtime_dir: Path) -> None:
    process = MonitorProcess(runtime_dir)
    with Control(paths.RuntimeDir(runtime_dir)) as control:
        assert control.peer.pid == process.process.pid
        control.stop()
        assert control.wait_closed()
    assert process.process.wait(10) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")
def test_a_stranger_cannot_stop_it(monitor: MonitorProcess) -> None:
    monitor.directory.chmod(0o755)
    monitor.path.chmod(0o666)
    with Other(_tries_to_stop, monitor.directory) as other:
        # It would not even believe a monitor of another user, were that not root.
        assert "another user" in other.says()
    assert monitor.process.poll() is None


def _tries_to_stop(pipe, directory: Path) -> None:  # type: ignore[no-untyped-def]
    """Ask for a stop as nobody."""
    os.setresuid(65534, 65534, 65534)
    with Control(paths.RuntimeDir(directory)) as control:
        try:
            control.stop()
        except Refused as error:
            pipe.send(str(error))
    pipe.recv()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")
def test_policy_is_read_again_on_hangup(runtime_dir: Path) -> None:
    config = runtime_dir / "config.toml"
    config.write_text("")
    process = MonitorProcess(runtime_dir, SDCORE_CONFIG=str(config))
    runtime_dir.chmod(0o755)
    process.path.chmod(0o666)
    with Client(process.path) as server, loopback_listener() as listener:
        server.hello()
        server.listen(listener)
        assert server.status is not None
        generation = server.status.listeners
        config.write_text("[policy]\nallow_users = [[0, 65534]]\n")
        process.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: server.status is not None and server.status.listeners > generation)
        with Other(_asks_as, process.path, 65534, *listener.getsockname()) as other:
            assert other.says()[0] == messages.STATUS_OK
            slab = map_slab(server.leases_of(listener))
            config.write_text("")
            process.process.send_signal(signal.SIGHUP)
            assert eventually(lambda: slab.revoked == 1)
        config.write_text("nonsense")
        process.process.send_signal(signal.SIGHUP)
        assert server.hello().status == messages.STATUS_OK
    assert process.terminate() == 0


def test_a_stale_socket_is_replaced_but_a_file_is_not(runtime_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
        stale.bind(str(runtime_dir / "monitor.sock"))
    process = MonitorProcess(runtime_dir)
    assert process.terminate() == 0
    (runtime_dir / "monitor.sock").write_text("precious")
    second = start_another(process)
    assert second.returncode == 2
    assert (runtime_dir / "monitor.sock").read_text() == "precious"


def test_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    held = lock.acquire(tmp_path / "lock")
    with pytest.raises(lock.AlreadyServed):
        lock.acquire(tmp_path / "lock")
    os.close(held)
    os.close(lock.acquire(tmp_path / "lock"))


# The runtime directory ------------------------------------------------------------------------------------------------


def test_a_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    runtime = paths.RuntimeDir(tmp_path / "new")
    paths.prepare(runtime)
    assert runtime.path.stat().st_mode & 0o777 == 0o700
    paths.prepare(runtime)


def test_a_directory_that_lets_others_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(paths.RuntimeDirError, match="lets others in"):
        paths.prepare(paths.RuntimeDir(tmp_path / "open"))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(paths.RuntimeDirError, match="not a directory of ours"):
        paths.prepare(paths.RuntimeDir(tmp_path / "link"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 65534, 65534)
    with pytest.raises(paths.RuntimeDirError, match="belongs to user 65534"):
        paths.prepare(paths.RuntimeDir(tmp_path / "theirs"))


@pytest.mark.parametrize("chosen", ["relative/path", "/etc/passwd", "/" + "x" * 200])
def test_an_impossible_directory_is_named(chosen: str) -> None:
    with pytest.raises(paths.RuntimeDirError, match="SDCORE_RUNTIME_DIR: "):
        paths.find({"SDCORE_RUNTIME_DIR": chosen}, 0)


def test_nobody_serves_where_there_is_nothing(tmp_path: Path) -> None:
    assert not paths.serves(paths.RuntimeDir(tmp_path))
    with pytest.raises(NoMonitor, match="no monitor serves"):
        Control(paths.RuntimeDir(tmp_path))
