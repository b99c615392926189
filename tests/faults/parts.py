"""The programs that take part in the tests of faults: an echo server, and clients told what to do."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.support.host import ROOT, Host
from tests.support.processes import Processes, free_port, kill, wait_listening

SCRIPTS = Path(__file__).parent / "scripts"
ANSWER_S = 20.0


def script(name: str, *words: str) -> list[str]:
    """The command line of a script of ours."""
    return [sys.executable, str(SCRIPTS / name), *words]


class Server:
    """An echo server in the background."""

    def __init__(self, host: Host, processes: Processes, kind: str = "echo_server.py") -> None:
        self.port = free_port()
        self.process = processes.start(script(kind, str(self.port)), host.environment(True))
        wait_listening(self.port, self.process)

    def slabs(self) -> int:
        """How many slabs it has mapped."""
        return maps(self.process.pid).count("sdcore-slab")


def maps(pid: int) -> str:
    """What a process has mapped."""
    return Path(f"/proc/{pid}/maps").read_text()


class Client:
    """A client that does one thing at a time. Use as a context manager."""

    def __init__(self, host: Host, shim: bool = True) -> None:
        self.process = subprocess.Popen(
            script("client.py"),
            env=host.environment(shim),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        kill(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def start(self, verb: str, name: str, *number: int) -> None:
        """Tell it to do something, and do not wait."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([verb, name, *number]).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, timeout_s: float = ANSWER_S) -> str:
        """What it answers to the oldest order."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], timeout_s)
        assert ready, f"the client hangs for {timeout_s} s"
        return self.process.stdout.readline().decode().strip()

    def ask(self, verb: str, name: str, *number: int) -> str:
        """Tell it to do something; its answer."""
        self.start(verb, name, *number)
        return self.answer()

    def must(self, verb: str, name: str, *number: int) -> None:
        """Tell it to do something that must succeed."""
        assert (answer := self.ask(verb, name, *number)) == "ok", f"{verb} {name}: {answer}"


def project_environment(host: Host) -> dict[str, str]:
    """The environment of a script that uses the project's own modules, without the library."""
    return host.environment(False, PYTHONPATH=str(ROOT), SDCORE_RUNTIME_DIR=str(host.directory))
