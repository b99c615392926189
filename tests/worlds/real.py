"""A program in real processes under the library, its steps given out one after the other by named pipes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from tests.support.host import Host
from tests.support.processes import Processes
from tests.worlds.reference import CLIENT, SERVER, Given, Step

ACTOR = str(Path(__file__).with_name("actor.py"))


class Real:
    """One program; `folder` is for its pipes."""

    def __init__(self, host: Host, processes: Processes, folder: Path) -> None:
        self._environ = host.environment(shim=True)
        self._processes = processes
        self._folder = folder
        self._pipes: dict[int, tuple[TextIO, TextIO]] = {}

    def play(self, steps: Sequence[Step]) -> list[Given]:
        """Every step; what each gave."""
        with ExitStack() as pipes:
            for number in (SERVER, CLIENT):
                self._make(number)
                words = [sys.executable, ACTOR, str(self._folder), str(number)]
                self._processes.start(words, self._environ)
                self._open(number, pipes)
            port = self._ask(Step("listen", SERVER)).size
            return [self._step(step, port, pipes) for step in steps]

    def _step(self, step: Step, port: int, pipes: ExitStack) -> Given:
        if step.verb == "fork":
            self._make(step.child)
        given = self._ask(step, **({"size": port} if step.verb == "connect" else {}))
        if step.verb == "fork":
            self._open(step.child, pipes)
        return given

    def _make(self, number: int) -> None:
        for name in ("steps", "given"):
            os.mkfifo(self._folder / f"{number}.{name}")

    def _open(self, number: int, pipes: ExitStack) -> None:
        steps = pipes.enter_context((self._folder / f"{number}.steps").open("w"))
        self._pipes[number] = steps, pipes.enter_context((self._folder / f"{number}.given").open())

    def _ask(self, step: Step, **more: Any) -> Given:
        steps, given = self._pipes[step.process]
        print(json.dumps({**asdict(step), "end": str(step.end), **more}), file=steps, flush=True)
        answer = given.readline()
        assert answer, f"process {step.process} died at {step}"
        return Given(*json.loads(answer))
