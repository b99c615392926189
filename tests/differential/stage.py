"""Two stages, one on kernel TCP and one under the library, and what a program did on each.

A stage is a process of c/ that lives long and plays many programs; each has processes of its own, forked for it.
"""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType

from tests.differential.calls import Program, header
from tests.support.compiler import build_program
from tests.support.host import Host, Sums
from tests.support.processes import kill

SOURCES = Path(__file__).parent / "c"
FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread")
UNLOAD_S = 0.5  # connections on which nobody calls stay
PROGRAM_S = 60.0

_EVENT = struct.Struct("=ii qiiQ8s6i")
_HEAD = struct.Struct("=3i")


class Kind(IntEnum):
    """What an event says; the same order as `enum kind` of c/stage.h."""

    RETURNED = 0
    BLOCKED = 1
    STARTED = 2
    BUSY = 3
    NOBODY = 4
    LATER = 5
    CUT = 6
    STILL = 7
    WENT_WRONG = 8
    END = 9


@dataclass(frozen=True)
class Event:
    """What became of a step.

    Attributes:
        kind: returned, blocked and so on.
        step: number of the step, from 0.
        value: what the call returned.
        error: errno if it failed.
        broken_pipes: SIGPIPEs during the call.
        digest: of the bytes received.
        first: the first of them.
        extra: what else the call gave: events, flags, names; see c/.
    """

    kind: Kind
    step: int
    value: int = 0
    error: int = 0
    broken_pipes: int = 0
    digest: int = 0
    first: bytes = b""
    extra: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pace:
    """How long to wait before a call counts as blocked, and how long to rest after each step."""

    settle_ms: float
    rest_ms: float = 0.0


class StageDied(Exception):
    """The conductor ended, or did not answer in time."""


def build(folder: Path) -> Path:
    """Compile the C half."""
    (folder / "calls.h").write_text("\n".join(header()) + "\n")
    target = folder / "stage"
    return build_program(target, sorted(SOURCES.glob("*.c")), (*FLAGS, f"-I{folder}", f"-I{SOURCES}"))


class Stage:
    """One running conductor."""

    def __init__(self, program: Path, env: Mapping[str, str]) -> None:
        """Start it with this environment."""
        self._program = program
        self._env = dict(env)
        self._process = self._begin()

    def _begin(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(self._program)],
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def close(self) -> None:
        """End it and all that it began."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        kill(self._process)

    def again(self) -> None:
        """Replace a conductor that went wrong."""
        self.close()
        self._process = self._begin()

    def ask(self, program: Program, pace: Pace) -> None:
        """Hand a program over."""
        head = _HEAD.pack(len(program), int(pace.settle_ms * 1000), int(pace.rest_ms * 1000))
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(head + b"".join(step.packed() for step in program))
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise StageDied("before the program") from error

    def answer(self, timeout_s: float = PROGRAM_S) -> tuple[Event, ...]:
        """Collect what became of it."""
        events: list[Event] = []
        data = b""
        deadline = time.monotonic() + timeout_s
        while not events or events[-1].kind != Kind.END:
            data += self._more(deadline)
            whole = len(data) - len(data) % _EVENT.size
            events += map(_event, _EVENT.iter_unpack(data[:whole]))
            data = data[whole:]
        return tuple(events[:-1])

    def _more(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise StageDied("no answer in time")
        data = self._process.stdout.read1(1 << 16)  # type: ignore[attr-defined]
        if not data:
            raise StageDied(f"exit code {self._process.wait(2)}")
        return bytes(data)


def _event(fields: Sequence[int | bytes]) -> Event:
    kind, step, value, error, broken_pipes, digest, first, *extra = fields
    numbers = [int(number) for number in extra]
    while numbers and not numbers[-1]:
        numbers.pop()
    assert isinstance(first, bytes)
    return Event(
        Kind(int(kind)),
        int(step),
        int(value),
        int(error),
        int(broken_pipes),
        int(digest),
        first.rstrip(b"\0"),
        tuple(numbers),
    )


Run = tuple[tuple[Event, ...], tuple[Event, ...]]


class Theatre:
    """Both stages, and the monitor behind one of them."""

    def __init__(self, program: Path, host: Host) -> None:
        """Start the built `program` twice; the host's monitor serves."""
        self._host = host
        unload = f"env -u LD_PRELOAD {sys.executable} -m sdcore.cli drain %d --timeout {UNLOAD_S}"
        unload += f" --monitor-dir {host.directory} >/dev/null 2>&1"
        more = {"PYTHONPATH": os.pathsep.join(sys.path), "STAGE_UNLOAD": unload}
        self._stages = [
            Stage(program, host.environment(shim=False)),
            Stage(program, host.environment(shim=True, **more)),
        ]
        self.programs = 0

    def __enter__(self) -> Theatre:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stage in self._stages:
            stage.close()

    def run(self, program: Program, pace: Pace) -> Run:
        """Play a program on both, at the same time: on the kernel, and under the library."""
        self.programs += 1
        try:
            for stage in self._stages:
                stage.ask(program, pace)
            kernel, library = (stage.answer() for stage in self._stages)
        except StageDied:
            for stage in self._stages:
                stage.again()
            raise
        if any(step.call == "unload" for step in program):
            self._stages[1].again()  # it holds for all that the conductor forks
        return kernel, library

    def sums(self) -> Sums:
        """The bytes moved by now, of programs that are over."""
        self._host.wait_alone()
        return self._host.sums()
