"""A monitor of the test's own, and environments for programs with and without the library.

A test that only looked at results could pass while every connection silently fell back to kernel TCP. So `Host` also
reads the totals of the monitor: how many bytes went by shared memory, how many by kernel TCP, and why.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdcore.monitor.control import Control, NoMonitor, Refused
from sdcore.monitor.paths import RuntimeDir
from sdcore.native import library_path
from tests.support.processes import WAIT_S, kill, wait_until

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "sdcore.cli")


@dataclass(frozen=True)
class Sums:
    """Bytes that programs of this host have moved, each byte counted where it was sent and where it was received."""

    shm_bytes: int
    tcp_bytes: int
    reasons: dict[str, int]

    def since(self, before: Sums) -> Sums:
        """What came after `before`."""
        reasons = {name: count - before.reasons.get(name, 0) for name, count in self.reasons.items()}
        return Sums(
            self.shm_bytes - before.shm_bytes,
            self.tcp_bytes - before.tcp_bytes,
            {name: count for name, count in reasons.items() if count},
        )


def sums_of(totals: dict[str, Any]) -> Sums:
    """Read the totals as `sdcore ss --totals --json` prints them."""

    def moved(transport: str) -> int:
        total = totals["transports"].get(transport, {"sent_bytes": 0, "received_bytes": 0})
        return int(total["sent_bytes"]) + int(total["received_bytes"])

    reasons = {name: int(reason["count"]) for name, reason in totals["reasons"].items()}
    return Sums(moved("shm"), moved("tcp"), reasons)


class Host:
    """A private runtime directory and the monitor that serves there."""

    def __init__(self, system: bool = False, config: str = "") -> None:
        """`system` makes the monitor serve all users, each apart from the others; needs root. `config` is its own."""
        self.directory = Path(tempfile.mkdtemp(prefix="sd-"))
        self._system = system
        if system:
            self.directory.chmod(0o755)
        self.library = library_path()
        self.monitor: subprocess.Popen[bytes] | None = None
        self._log = self.directory.with_suffix(".log")
        self._config = self.directory / "config.toml"
        self._config.write_text(config)

    def environment(self, shim: bool, **more: str) -> dict[str, str]:
        """The environment of a program, with or without the library. No other setting of ours is inherited."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SDCORE_") and k != "LD_PRELOAD"}
        if shim:
            # A library built with a sanitizer needs its runtime behind it, before libc.
            preload = [str(self.library), *os.environ.get("SANITIZER_RUNTIME", "").split()]
            kept |= {"LD_PRELOAD": " ".join(preload), "SDCORE_RUNTIME_DIR": str(self.directory)}
        return kept | more

    def start_monitor(self) -> None:
        """Start the monitor and wait until it serves."""
        words = [*COMMAND, "monitor", "start", "--foreground", "--monitor-dir", str(self.directory)]
        words += ["--system"] * self._system
        with self._log.open("ab") as log:
            self.monitor = subprocess.Popen(
                words,
                env=self.environment(False, PYTHONPATH=str(ROOT), SDCORE_CONFIG=str(self._config)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self.serves, "the monitor serves")
        except AssertionError as error:
            error.add_note(self.monitor_log())
            raise

    def serves(self) -> bool:
        """Whether the monitor answers."""
        assert self.monitor is None or self.monitor.poll() is None, f"the monitor ended\n{self.monitor_log()}"
        try:
            self.status()
        except (NoMonitor, Refused):
            return False
        return True

    def monitor_log(self) -> str:
        """What the monitor wrote."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def kill_monitor(self) -> None:
        """kill -9 of the monitor: no orderly end."""
        assert self.monitor is not None
        self.monitor.send_signal(signal.SIGKILL)
        self.monitor.wait(WAIT_S)
        self.monitor = None

    def close(self) -> None:
        """End the monitor and remove its directory. A monitor that died by itself is a failure."""
        died = self.monitor is not None and self.monitor.poll() is not None
        log = self.monitor_log()
        if self.monitor is not None:
            kill(self.monitor)
        shutil.rmtree(self.directory, ignore_errors=True)
        self._log.unlink(missing_ok=True)
        assert not died, f"the monitor died\n{log[-3000:]}"

    def status(self) -> dict[str, Any]:
        """The monitor's status document."""
        with Control(RuntimeDir(self.directory)) as control:
            return control.status()

    def sockets(self) -> list[dict[str, Any]]:
        """Every socket that the monitor shows."""
        with Control(RuntimeDir(self.directory)) as control:
            rows: list[dict[str, Any]] = control.sockets()["sockets"]
            return rows

    def sums(self) -> Sums:
        """Totals of every program, living or gone, asked on the monitor's own socket: quick."""
        with Control(RuntimeDir(self.directory)) as control:
            return sums_of(control.sockets()["totals"])

    def printed_sums(self) -> Sums:
        """The same as users get it: by `sdcore ss --totals --json`."""
        words = (*COMMAND, "ss", "--totals", "--json", "--monitor-dir", str(self.directory))
        environ = self.environment(False, PYTHONPATH=str(ROOT))
        done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=30, check=True)
        return sums_of(json.loads(done.stdout))

    def wait_alone(self, timeout_s: float = WAIT_S) -> None:
        """Wait until the monitor has seen the end of every program: from then on the totals stand."""
        wait_until(lambda: self.status()["processes"] == 0, "no process is attached", timeout_s)
