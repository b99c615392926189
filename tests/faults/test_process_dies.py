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
from tests.support.processes import Processes, free_port, wait_listening, wait_until

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


class Ends:
    """Both ends, running."""

    def __init__(self, case: Case, role: str, how: str, processes: Processes, host: Host, shim: bool, at: Path) -> None:
        """`role` is what the dying end does: listen or connect."""
        self.port = free_port()
        self.files = (at / "dying", at / "living")
        for file in self.files:
            file.write_bytes(bytes(8))
        self._processes = processes
        parts = [(role, case.dying, "block", self.files[0])]
        parts.append(("connect" if role == "listen" else "listen", case.living, how, self.files[1]))
        started = {}
        for part in sorted(parts, reverse=True):  # who listens comes first, and is known before the other connects
            words = [part[0], str(self.port), *part[1:3], str(part[3])]
            started[part[3]] = processes.start(script("flow.py", *words), host.environment(shim))
            if part[0] == "listen":
                wait_listening(self.port, started[part[3]])
                wait_until(lambda: not shim or host.status()["listeners"] == 1, "the monitor knows the listener")
        self.dying, self.living = (started[file] for file in self.files)
        for process in started.values():
            wait_until(lambda p=process: "connected" in self.log(p), "both ends are connected")

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """What an end printed."""
        return self._processes.log(process)

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


@SHIMS
@pytest.mark.parametrize(("case", "role", "how"), ALL, ids=lambda part: str(part))
def test_the_other_end_is_told(
    case: Case, role: str, how: str, shim: bool, host: Host, processes: Processes, tmp_path: Path
) -> None:
    before = host.sums()
    ends = Ends(case, role, how, processes, host, shim, tmp_path)
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
    host.wait_alone()
    if case.dying != "idle":
        assert (host.sums().since(before).shm_bytes > 0) == shim


@SHIMS
def test_a_sender_that_waits_for_room_is_told(
    shim: bool, host: Host, processes: Processes, tmp_path: Path
) -> None:
    case = Case("receive", "send", frozenset({"ECONNRESET", "EPIPE"}))
    ends = Ends(case, "listen", "block", processes, host, shim, tmp_path)
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
