"""Start programs that always end.

Every program gets a session of its own, so that what it forks ends with it, by the number of a process that this test
run started. Nothing here waits without a limit.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

WAIT_S = 10.0


@dataclass(frozen=True)
class Outcome:
    """How a program ended.

    Attributes:
        code: its exit code, negative for a signal, None if it had to be killed because its time was up.
        output: what it printed, errors included where they were not kept apart.
        errors: its standard error, empty if it went to `output`.
    """

    code: int | None
    output: str
    errors: str

    def __str__(self) -> str:
        ending = "did not end in time" if self.code is None else f"ended with {self.code}"
        return f"{ending}\n{self.output}\n{self.errors}"


class Processes:
    """The programs of one test; leaving the context kills what still runs."""

    def __init__(self, folder: Path) -> None:
        """`folder` keeps the outputs of programs that run in the background."""
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        self._logs: dict[int, Path] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            kill(process)
        for log in self._logs.values():  # pytest shows this for a test that failed
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")

    def start(
        self, words: Sequence[str], env: Mapping[str, str], pass_fds: Sequence[int] = (), cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program in the background; its output goes to a file that a failing test shows."""
        log = self._folder / f"{len(self._running)}-{Path(words[0]).name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                words,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
                cwd=cwd or self._folder,
            )
        self._running.append(process)
        self._logs[process.pid] = log
        return process

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """What a program of `start` has printed until now."""
        return self._logs[process.pid].read_text(errors="replace")

    def run(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        *,
        timeout_s: float = 30.0,
        text: str | None = None,
        pass_fds: Sequence[int] = (),
        cwd: Path | None = None,
    ) -> Outcome:
        """Run a program to its end, or kill it (and what it forked) when the time is up."""
        with subprocess.Popen(
            words,
            env=dict(env),
            stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=pass_fds,
            cwd=cwd or self._folder,
        ) as process:
            data = None if text is None else text.encode()
            try:
                output, errors = process.communicate(data, timeout=timeout_s)
                code: int | None = process.returncode
            except subprocess.TimeoutExpired:
                kill(process)
                output, errors = process.communicate(timeout=WAIT_S)
                code = None
            else:
                kill_group(process.pid)
        return Outcome(code, output.decode(errors="replace"), errors.decode(errors="replace"))

    def check(
        self, words: Sequence[str], env: Mapping[str, str], *, timeout_s: float = 30.0, text: str | None = None
    ) -> str:
        """Run a program that must succeed; return its output."""
        outcome = self.run(words, env, timeout_s=timeout_s, text=text)
        assert outcome.code == 0, f"{' '.join(words)}: {outcome}"
        return outcome.output


def kill_group(leader: int) -> None:
    """Kill what is left of a session that we made."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and all that it forked, and reap it."""
    kill_group(process.pid)
    with suppress(ProcessLookupError):
        process.kill()
    process.wait(WAIT_S)


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM, timeout_s: float = 5.0) -> int | None:
    """Ask a program to end and wait for it; None, and killed, if it did not."""
    process.send_signal(number)
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        kill(process)
        return None


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = WAIT_S, pause_s: float = 0.01) -> None:
    """Wait until the condition holds.

    Raises:
        AssertionError: it did not within the time limit.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(pause_s)


def free_port() -> int:
    """A port that nobody uses now, outside the range from which the kernel gives ports to clients."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(port: int) -> bool:
    """Whether something listens at a port of this host; asks the kernel, makes no connection."""
    wanted = f":{port:04X}"
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(FileNotFoundError):
            for line in Path(name).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[1].endswith(wanted) and columns[3] == "0A":
                    return True
    return False


def wait_listening(port: int, process: subprocess.Popen[bytes] | None = None, timeout_s: float = WAIT_S) -> None:
    """Wait until a server listens; fail at once if its process has ended."""

    def ready() -> bool:
        assert process is None or process.poll() is None, f"the server ended with {process and process.returncode}"
        return listens(port)

    wait_until(ready, f"a server at port {port}", timeout_s)
