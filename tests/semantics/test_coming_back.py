"""A connection that is handed on to a program with the library goes back to shared memory, and no byte minds it."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.host import Host, Sums
from tests.support.processes import Processes, free_port, wait_listening, wait_until

PROGRAM = str(Path(__file__).with_name("handing.py"))
WAYS = ("exec", "spawn", "pass")
END_S = 10


@dataclass(frozen=True)
class Ended:
    """What became of a talk.

    Attributes:
        client: what the client printed.
        moved: bytes by transport.
        server, code: how the server ended, and the client.
    """

    client: str
    moved: Sums
    server: int
    code: int | None


@dataclass(frozen=True)
class Setting:
    """Where talks are held."""

    host: Host
    processes: Processes

    @property
    def shim(self) -> dict[str, str]:
        """The environment of the programs."""
        return self.host.environment(shim=True)

    def server(self, way: str, kind: str, library: str, dies: int) -> tuple[subprocess.Popen[bytes], str]:
        """A server that listens, and its port."""
        port = str(free_port())
        words = [sys.executable, PROGRAM, "server", port, way, kind, library, str(dies)]
        server = self.processes.start(words, self.shim)
        wait_listening(int(port), server)
        return server, port

    def talk(self, way: str, kind: str, *, library: str = "with", dies: tuple[int, int] = (0, 0)) -> Ended:
        """Hold one. `dies`: when the next program does, and when the client does."""
        before = self.host.sums()
        server, port = self.server(way, kind, library, dies[0])
        client = self.processes.run([sys.executable, PROGRAM, "client", port, kind, str(dies[1])], self.shim)
        try:
            code = server.wait(END_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the server did not end\n{client}")
        self.host.wait_alone()
        return Ended(client.output + client.errors, self.host.sums().since(before), code, client.code)


@pytest.fixture
def setting(host: Host, processes: Processes) -> Setting:
    """Under the library, with a monitor."""
    return Setting(host, processes)


@pytest.mark.parametrize("way", WAYS)
def test_it_comes_back(way: str, setting: Setting) -> None:
    ended = setting.talk(way, "echo")
    assert (ended.client, ended.server) == ("complete\n", 0)
    assert ended.moved.shm_bytes > 4 * ended.moved.tcp_bytes > 0
    assert ended.moved.reasons["came_back"] > 0


@pytest.mark.parametrize("kind", ["both", "level", "edge"])
@pytest.mark.parametrize("way", WAYS)
def test_streams_both_ways_go_on_while_it_changes(way: str, kind: str, setting: Setting) -> None:
    ended = setting.talk(way, kind)
    assert (ended.client, ended.server) == ("complete\n", 0)


def test_it_comes_back_as_often_as_it_is_handed_on(setting: Setting) -> None:
    ended = setting.talk("pass", "chain")
    assert (ended.client, ended.server) == ("complete\n", 0)
    assert ended.moved.reasons["handed_on"] == 4
    assert ended.moved.shm_bytes > ended.moved.tcp_bytes


@pytest.mark.parametrize("kind", ["echo", "both"])
@pytest.mark.parametrize("way", WAYS)
def test_a_program_without_the_library_goes_on_by_the_kernel(way: str, kind: str, setting: Setting) -> None:
    ended = setting.talk(way, kind, library="without")
    assert (ended.client, ended.server) == ("complete\n", 0)
    assert "handed_on" not in ended.moved.reasons
    assert ended.moved.tcp_bytes > ended.moved.shm_bytes


def test_it_does_not_come_back_while_another_program_holds_it(setting: Setting) -> None:
    ended = setting.talk("hold", "echo")
    assert (ended.client, ended.server) == ("complete\n", 0)
    assert ended.moved.tcp_bytes > 4 * ended.moved.shm_bytes


def test_its_close_is_not_the_end_while_another_program_holds_it_unseen(setting: Setting) -> None:
    ended = setting.talk("by", "echo")
    assert (ended.client, ended.server) == ("complete\n", 0)
    assert ended.moved.reasons["came_back"] > 0
    assert ended.moved.shm_bytes > ended.moved.tcp_bytes / 2


DEATHS = [("echo", calls) for calls in (1, 3, 4, 5, 6, 7, 8, 10, 40)] + [("both", calls) for calls in (2, 6, 20, 50)]


@pytest.mark.parametrize(("kind", "calls"), DEATHS)
def test_a_death_of_the_next_program_is_the_end(kind: str, calls: int, setting: Setting) -> None:
    ended = setting.talk("pass", kind, dies=(calls, 0))
    assert ended.client.startswith("cut off: ")
    assert "other" not in ended.client


@pytest.mark.parametrize("calls", [6, 8, 9, 10, 11, 12, 13, 15, 40])
def test_a_death_of_the_client_is_the_end(calls: int, setting: Setting) -> None:
    ended = setting.talk("pass", "echo", dies=(0, calls))
    assert (ended.code, ended.server) == (-9, 0)


@pytest.mark.parametrize("calls", [6, 8, 10, 12, 20])
def test_a_death_of_the_monitor_changes_nothing(calls: int, own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    setting = Setting(own_host, processes)
    server, port = setting.server("pass", "echo", "with", 0)
    client = processes.start([sys.executable, PROGRAM, "client", port, "echo", f"pause{calls}"], setting.shim)
    wait_until(lambda: "paused" in processes.log(client), "the client pauses")
    own_host.kill_monitor()
    client.send_signal(signal.SIGCONT)
    assert (client.wait(END_S), server.wait(END_S)) == (0, 0)
    assert processes.log(client) == "paused\ncomplete\n"
