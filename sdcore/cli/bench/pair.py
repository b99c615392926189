"""Two processes of sd-bench-worker: a server and a client, from start to end.

The workers keep their sockets open until their standard input ends, so the caller can ask the monitor about them first.
Everything is bounded: after `SECONDS_MAX` both are killed, and the failure names what they said.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pydantic import BaseModel, ConfigDict

WORKER_NAME = "sd-bench-worker"
SECONDS_MAX = 60.0


class WorkerError(Exception):
    """A measurement that could not be made; the text is one line."""


class WorkerResult(BaseModel):
    """What one side reports, nanoseconds of CLOCK_MONOTONIC; the fields are those of worker.h."""

    model_config = ConfigDict(frozen=True)

    count: int
    start_ns: int
    end_ns: int
    call_p50_ns: int
    call_p99_ns: int
    cpu_ns: int

    @property
    def seconds(self) -> float:
        """How long the timed part took."""
        return (self.end_ns - self.start_ns) / 1e9


def worker_path() -> Path:
    """The worker: beside this file in an installed package, in the build folder of an editable one.

    Raises:
        WorkerError: the package was installed without it.
    """
    found = files("sdcore.cli.bench").joinpath(WORKER_NAME)
    path = found if isinstance(found, Path) else Path(__file__).parent / WORKER_NAME
    if not path.is_file():
        raise WorkerError(f"{path}: no such file; install socksdirect with pip")
    return path


class Worker:
    """One process of the worker. Not a context manager: `Pair` owns it."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [str(worker_path()), *arguments],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def line(self) -> str:
        """The next line it prints. Blocks until then.

        Raises:
            WorkerError: it ended instead.
        """
        if line := _pipe(self.process.stdout).readline():
            return line.rstrip("\n")
        self.kill()
        said = _pipe(self.process.stderr).read().strip()
        raise WorkerError(said.splitlines()[0] if said else f"{WORKER_NAME} ended with {self.process.returncode}")

    def expect(self, word: str) -> str:
        """The rest of the next line, which must begin with `word`."""
        line = self.line()
        if not line.startswith(word):
            raise WorkerError(f"{WORKER_NAME} said {line!r} instead of {word!r}")
        return line[len(word) :].strip()

    def go_on(self) -> None:
        """Answer "base", "open" or "ready"."""
        _pipe(self.process.stdin).write("\n")

    def result(self) -> WorkerResult:
        """Its result, the last line. Blocks until the measurement is over."""
        return WorkerResult.model_validate(json.loads(self.line()))

    def kill(self) -> None:
        """End it now, if it has not ended."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Let it end by itself, or kill it after a while; give its pipes back."""
        try:
            _pipe(self.process.stdin).close()
            self.process.wait(timeout=5)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.kill()
        finally:
            _pipe(self.process.stdout).close()
            _pipe(self.process.stderr).close()


class Pair:
    """A server and a client of one measurement; a context manager.

    Args:
        arguments: the same for both, beginning with the name of the measure.
        environment: of both processes.
        address: where the server shall listen.
        cores: server's and client's core; None leaves a side to the scheduler.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        address: str,
        cores: tuple[int | None, int | None] = (None, None),
        client_arguments: Sequence[str] = (),
    ) -> None:
        self._workers: list[Worker] = []
        self._late = False
        self._watchdog = threading.Timer(SECONDS_MAX, self._kill)
        self._watchdog.daemon = True
        self._watchdog.start()
        try:
            self.server = self._start("server", arguments, environment, address, cores[0])
            found = self.server.expect("listening ")
            self.client = self._start("client", [*arguments, *client_arguments], environment, found, cores[1])
        except BaseException:
            self.close()
            raise

    def _start(
        self, side: str, arguments: Sequence[str], environment: Mapping[str, str], address: str, core: int | None
    ) -> Worker:
        pinned = [] if core is None else ["--core", str(core)]
        worker = Worker([side, *arguments, "--address", address, *pinned], environment)
        self._workers.append(worker)
        return worker

    def results(self) -> tuple[WorkerResult, WorkerResult]:
        """The client's and the server's result. Blocks until both have measured; their sockets are still open then.

        Raises:
            WorkerError: one of them failed, or it took longer than `SECONDS_MAX`.
        """
        try:
            return self.client.result(), self.server.result()
        except WorkerError as error:
            if self._late:
                raise WorkerError(f"not done within {SECONDS_MAX:g} s") from error
            raise

    @property
    def pids(self) -> tuple[int, ...]:
        """Of both processes."""
        return tuple(worker.pid for worker in self._workers)

    def _kill(self) -> None:
        self._late = True
        for worker in self._workers:
            worker.process.kill()

    def close(self) -> None:
        """End both, the client first as in life."""
        self._watchdog.cancel()
        for worker in reversed(self._workers):
            worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers if kind else ():
            worker.process.kill()
        self.close()


def _pipe(stream: IO[str] | None) -> IO[str]:
    """A stream that was made by PIPE, so that it is there."""
    assert stream is not None
    return stream
