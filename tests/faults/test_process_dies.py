"""kill -9 of one end, at any moment: the other gets what was sent, then the end that Linux gives, at once."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.parts import script
from tests.support.host import Host
from tests.support.processes import Processes, free_port, kill, wait_listening, wait_until

NOTICE_S = 0.1
MARGIN_S = 0.4  # for a machine with more work than cores


@dataclass(frozen=True)
class Case:
    """Who does what when one end dies.

    Attributes:
        dying: what the end does that is killed: send, receive, idle.
        living: what the other end does.
        endings: how the kernel may end the living end.
    """

    dying: str
    living: str
    endings: frozenset[str]

    def __str__(self) -> str:
        return f"{self.dying}-{self.living}"


CASES = (
    Case("send", "receive", frozenset({"eof"})),
    Case("idle", "idle", frozenset({"eof"})),
    Case("receive", "send", frozenset({"ECONNRESET", "EPIPE"})),
    Case("both", "both", frozenset({"ECONNRESET", "eof"})),
)
SHIMS = pytest.mark.parametrize("shim", [False, True], ids=["kernel", "sdcore"])
ALL = list(itertools.product(CASES, ("listen", "connect"), ("block", "poll", "epoll")))


@dataclass(frozen=True)
class Setting:
    """Where the ends run: under which monitor, with the library or without."""

    host: Host
    processes: Processes
    shim: bool
    folder: Path


class Ends:
    """Both ends, running."""

    def __init__(self, case: Case, role: str, how: str, setting: Setting) -> None:
        """`role` is what the dying end does: listen or connect."""
        self.port = free_port()
        self._setting = setting
        self.files = (setting.folder / "dying", setting.folder / "living")
        for file in self.files:
            file.write_bytes(bytes(8))
        dying = [role, str(self.port), case.dying, "block", str(self.files[0])]
        living = ["connect" if role == "listen" else "listen", str(self.port), case.living, how, str(self.files[1])]
        if role == "listen":
            self.dying, self.living = self._start(dying), self._start(living)
        else:
            self.living, self.dying = self._start(living), self._start(dying)
        wait_until(lambda: "connected" in self.log(self.dying), "the first end is connected")
        wait_until(lambda: "connected" in self.log(self.living), "the second end is connected")

    def _start(self, words: list[str]) -> subprocess.Popen[bytes]:
        """Start an end; if it listens, wait until both the kernel and the monitor know it."""
        host, shim = self._setting.host, self._setting.shim
        process = self._setting.processes.start(script("flow.py", *words), host.environment(shim))
        if words[0] == "listen":
            wait_listening(self.port, process)
            wait_until(lambda: not shim or host.status()["listeners"] == 1, "the monitor knows the listener")
        return process

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """What an end printed."""
        return self._setting.processes.log(process)

    def transports(self) -> list[str]:
        """How the monitor sees the connection: one row for each end that is established."""
        pids = {self.dying.pid, self.living.pid}
        rows = [row for row in self._setting.host.sockets() if row["pid"] in pids]
        return [row["transport"] for row in rows if row["state"] == "established"]

    def accelerated(self) -> bool:
        """Whether both ends have settled on shared memory."""
        wait_until(lambda: len(self.transports()) == 2, "the monitor shows both ends")
        time.sleep(0.15)  # an offer waits so long
        return self.transports() == ["shm", "shm"]

    def kill(self) -> float:
        """Kill one end; when that was."""
        self.dying.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        self.dying.wait(5)
        return killed

    def progress(self) -> tuple[int, int]:
        """Bytes that the dying and the living end had moved."""
        dying, living = (int.from_bytes(file.read_bytes(), "little") for file in self.files)
        return dying, living


def accelerated_ends(case: Case, role: str, how: str, setting: Setting) -> Ends:
    """Both ends on a connection by shared memory, if under the library.

    Where the machine is so busy that an offer is not taken up in time, another connection is tried.
    """
    for _ in range(5):
        ends = Ends(case, role, how, setting)
        if not setting.shim or ends.accelerated():
            return ends
        kill(ends.living)
        kill(ends.dying)
        setting.host.wait_alone()
    pytest.fail(f"no connection went by shared memory: {setting.host.sums().reasons}")


@SHIMS
@pytest.mark.parametrize(("case", "role", "how"), ALL, ids=str)
def test_the_other_end_is_told(
    case: Case, role: str, how: str, *, shim: bool, host: Host, processes: Processes, tmp_path: Path
) -> None:
    ends = accelerated_ends(case, role, how, Setting(host, processes, shim, tmp_path))
    if case.dying != "idle":
        wait_until(lambda: min(ends.progress()) > 1_000_000, "bytes flow")
    else:
        time.sleep(0.2)  # both wait
    killed = ends.kill()
    ends.living.wait(5)
    report = json.loads(ends.log(ends.living).splitlines()[-1])
    assert report["end"] in case.endings, report
    assert report["damaged"] == 0, report
    assert report["at"] - killed < NOTICE_S + MARGIN_S, f"noticed only after {report['at'] - killed:.3f} s"
    if case.dying == "send":
        assert report["moved"] >= ends.progress()[0], "bytes that were sent before the kill are lost"


@SHIMS
def test_a_sender_that_waits_for_room_is_told(shim: bool, host: Host, processes: Processes, tmp_path: Path) -> None:
    case = Case("receive", "send", frozenset({"ECONNRESET", "EPIPE"}))
    ends = accelerated_ends(case, "listen", "block", Setting(host, processes, shim, tmp_path))
    wait_until(lambda: ends.progress()[1] > 1_000_000, "bytes flow")
    ends.dying.send_signal(signal.SIGSTOP)
    time.sleep(0.3)  # the buffers are full by now
    stuck = ends.progress()[1]
    time.sleep(0.1)
    assert ends.progress()[1] == stuck
    killed = ends.kill()
    ends.living.wait(5)
    report = json.loads(ends.log(ends.living).splitlines()[-1])
    assert report["end"] in case.endings, report
    assert report["at"] - killed < NOTICE_S + MARGIN_S


def test_of_a_long_message_each_piece_comes_though_the_sender_dies_in_the_last(
    host: Host, processes: Processes
) -> None:
    """All but the last two, which are one: so who polls on another core copies the first while the others are put."""
    before, port = host.sums(), free_port()
    receiver = processes.start(script("torn_receiver.py", str(port)), host.environment(True))
    wait_listening(port, receiver)
    sender = processes.start(script("torn_sender.py", str(port)), host.environment(True))
    assert sender.wait(20) == -signal.SIGSEGV, processes.log(sender)
    assert receiver.wait(20) == 0, processes.log(receiver)
    assert processes.log(receiver).split() == [str(192 * 1024), "True"]
    host.wait_alone()
    assert host.sums().since(before).tcp_bytes == 0
