"""Run scripts/http_load.py beside a server that changes under it; nothing may be refused, cut or wrong."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.programs.needs import SCRIPTS
from tests.support.processes import Processes, stop, wait_until


class HttpLoad:
    """A running load; every test ends it by `finish`."""

    def __init__(
        self,
        processes: Processes,
        env: Mapping[str, str],
        port: int,
        files: Mapping[str, Path],
        *,
        ways: Sequence[str] = ("fresh", "fresh", "kept", "slow"),
        launcher: Sequence[str] = (sys.executable, str(SCRIPTS / "http_load.py")),
    ) -> None:
        """`files` says for each path of the server what its answer must be; `launcher` how to start the script."""
        words = [f"{name}={path}" for name, path in files.items()]
        self._processes = processes
        self._process = processes.start([*launcher, str(port), ",".join(ways), *words], env, cwd=Path("/"))

    def answers(self) -> int:
        """How many good answers there were, at least."""
        lines = self._processes.log(self._process).splitlines()
        return int(lines[-1]) if lines and lines[-1].isdigit() else 0

    def wait_more(self, count: int) -> None:
        """Wait for so many further answers."""
        goal = self.answers() + count

        def enough() -> bool:
            assert self._process.poll() is None, self._processes.log(self._process)
            return self.answers() >= goal

        wait_until(enough, f"{count} more answers", 20)

    def finish(self) -> int:
        """End the load; return the number of answers, all of which were right."""
        assert stop(self._process, signal.SIGTERM, 20) == 0, self._processes.log(self._process)
        report = json.loads(self._processes.log(self._process).splitlines()[-1])
        assert report["failures"] == [], report
        return int(report["answers"])
