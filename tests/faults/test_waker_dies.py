"""kill -9 of a process in the midst of waking a sleeper: another one that shares the connection can still wake it.

Where the kill comes is not left to luck: the process is traced, see c/waker.c.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening, wait_until

SOURCE = Path(__file__).parent / "c" / "waker.c"
END_S = 110
STRIDE = "61"
"""Instructions between two kills; a prime, so that the places differ from one change of the code to the next."""


Kills = Callable[[str, str, str], int]


@pytest.fixture(scope="module")
def waker(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program, compiled."""
    program = str(tmp_path_factory.mktemp("waker") / "waker")
    words = ("cc", "-std=gnu11", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror")
    subprocess.run((*words, "-o", program, str(SOURCE)), check=True)
    return program


@pytest.fixture
def kills(waker: str, own_host: Host, processes: Processes, tmp_path: Path) -> Kills:
    """Let a sleeper be woken by processes that are killed (how it sleeps, where they die, for what): how many were."""

    def run(how: str, where: str, what: str) -> int:
        own_host.start_monitor()
        book, port = tmp_path / "book", str(free_port())
        book.touch()
        environ = own_host.environment(True)
        sleeping = processes.start([waker, "sleep", port, str(book), how, what], environ)
        wait_listening(int(port), sleeping)
        wait_until(lambda: own_host.status()["listeners"] == 1, "the monitor knows the listener")
        waking = processes.start([waker, "wake", port, str(book), where, what], environ)
        assert waking.wait(END_S) == 0, processes.log(waking)
        assert sleeping.wait(END_S) == 0, processes.log(sleeping)
        assert own_host.sums().tcp_bytes == 0, "measured the kernel"
        return int(processes.log(waking).split()[-1])

    return run


@pytest.mark.parametrize("what", ["data", "room"])
@pytest.mark.parametrize("how", ["block", "poll", "epoll", "edge"])
def test_a_sleeper_whose_waker_dies_before_it_rings_is_woken(how: str, what: str, kills: Kills) -> None:
    assert kills(how, "ring", what) == 5


@pytest.mark.parametrize("what", ["data", "room"])
@pytest.mark.parametrize("how", ["block", "epoll"])
def test_a_sleeper_is_woken_wherever_its_waker_dies(how: str, what: str, kills: Kills) -> None:
    assert kills(how, STRIDE, what) >= 8
