"""nginx that reads its configuration again, and that is replaced by another binary, under load.

No request may be refused or cut. A worker that ends lets its connections finish; the next one has the same listening
socket, inherited by fork (reload) or by exec (upgrade). The new binary gets of the environment what the configuration
names: with LD_PRELOAD it runs under the library as the old one did, without it on kernel TCP.
"""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.programs.http_load import HttpLoad
from tests.programs.needs import need
from tests.support.combinations import Combination, every_combination
from tests.support.host import Host, Sums
from tests.support.processes import Processes, free_port, kill_group, wait_listening, wait_until

SIZES = (5, 3_000, 400_000)
RELOADS = 3
CONFIGURATION = """
daemon on; worker_processes 2; user root; pid {folder}/nginx.pid; error_log stderr; {environment}
events {{ worker_connections 256; }}
http {{
    access_log off; keepalive_requests 1000000; root {folder}/www;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; }}
}}
"""
KEEP_LIBRARY = "env LD_PRELOAD; env SDCORE_RUNTIME_DIR;"


class Nginx:
    """A master with its workers, and the files it serves.

    The master is a daemon, with a session of its own: nginx replaces no other.
    """

    def __init__(
        self, host: Host, processes: Processes, combination: Combination, folder: Path, environment: str = KEEP_LIBRARY
    ) -> None:
        self.port = free_port()
        self._pid_file = folder / "nginx.pid"
        www = folder / "www"
        www.mkdir()
        self.files = {str(size): www / str(size) for size in SIZES}
        for size in SIZES:
            (www / str(size)).write_bytes(os.urandom(size))
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=self.port, environment=environment))
        words = [need("nginx", "nginx-light"), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
        launched = processes.start(words, host.environment(combination.server))
        self.log = partial(processes.log, launched)
        assert launched.wait(10) == 0, self.log()
        wait_listening(self.port)
        wait_until(lambda: bool(self._noted_master()), "the master has written its number")
        self.master = self.session = int(self._pid_file.read_text())
        wait_until(lambda: len(children(self.master)) == 2, "two workers")

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill what is left of the session."""
        kill_group(self.session)

    def reload(self) -> None:
        """Read the configuration again; return when the old workers have gone."""
        before = children(self.master)
        os.kill(self.master, signal.SIGHUP)
        wait_until(lambda: not before & children(self.master), "the old workers have gone", 20)

    def upgrade(self) -> None:
        """Start the binary again beside the running one, then end the old one."""
        old = self.master
        os.kill(old, signal.SIGUSR2)
        wait_until(lambda: self._noted_master() not in ("", f"{old}\n"), "a new binary")
        self.master = int(self._pid_file.read_text())
        wait_until(lambda: len(children(self.master)) == 2, "the new binary has two workers")
        os.kill(old, signal.SIGWINCH)
        wait_until(lambda: children(old) <= {self.master}, "the old workers have gone", 20)
        end(old)

    def _noted_master(self) -> str:
        """What the file of the master's number says; nothing while there is none, between two binaries."""
        try:
            return self._pid_file.read_text()
        except FileNotFoundError:
            return ""

    def stop(self) -> None:
        """End the master that is in charge now; nothing alarming may have been logged."""
        end(self.master)
        assert "[alert]" not in self.log(), self.log()


def children(master: int) -> set[int]:
    """The children of a master."""
    return {int(word) for word in Path(f"/proc/{master}/task/{master}/children").read_text().split()}


def end(master: int) -> None:
    """Ask a master to end in order, and wait for it."""
    os.kill(master, signal.SIGQUIT)
    wait_until(lambda: ended(master), "the master has ended")


def ended(pid: int) -> bool:
    """Whether a process has gone, or waits only to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@every_combination
def test_reload_cuts_nothing(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    before = host.sums()
    with Nginx(host, processes, combination, tmp_path) as nginx:
        load = HttpLoad(processes, host.environment(combination.client), nginx.port, nginx.files)
        for _ in range(RELOADS):
            load.wait_more(100)
            nginx.reload()
        load.wait_more(100)
        answers = load.finish()
        nginx.stop()
    combination.check(host.printed_sums().since(before), answers * sum(SIZES) // len(SIZES))


def upgrade_under_load(nginx: Nginx, load: HttpLoad, host: Host) -> Sums:
    """Replace the binary; return what moved once the new one alone served."""
    load.wait_more(100)
    nginx.upgrade()
    before = host.sums()
    load.wait_more(200)
    assert load.finish() >= 300
    nginx.stop()
    return host.printed_sums().since(before)


@every_combination
def test_upgrade_cuts_nothing(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    with Nginx(host, processes, combination, tmp_path) as nginx:
        load = HttpLoad(processes, host.environment(combination.client), nginx.port, nginx.files)
        moved = upgrade_under_load(nginx, load, host)
    combination.check(moved, 100 * sum(SIZES) // len(SIZES))


@pytest.mark.parametrize("client", [False, True], ids=["kernel", "sdcore"])
def test_upgrade_to_a_server_without_library(client: bool, host: Host, processes: Processes, tmp_path: Path) -> None:
    with Nginx(host, processes, Combination(server=True, client=client), tmp_path, environment="") as nginx:
        load = HttpLoad(processes, host.environment(client), nginx.port, nginx.files)
        moved = upgrade_under_load(nginx, load, host)
    assert moved.shm_bytes <= 4 * 2 * max(SIZES), moved  # what each of four clients had under way before
    if client:
        assert moved.tcp_bytes > moved.shm_bytes, moved
        assert moved.reasons["peer_plain"] > 0, moved
