"""Starting a monitor from another program.

The monitor is a fresh interpreter: it must not carry a preload, the arguments or the threads of whoever starts it. It
detaches itself once its socket accepts connections, so the caller only waits for its exit code. Kept free of slow
imports, since `sdcore run` comes through here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping

from sdcore.monitor.paths import RuntimeDir, serves

START_TIMEOUT_S = 30.0
EXIT_FAULT = 1
EXIT_USAGE = 2
EXIT_SERVED = 3


class StartError(Exception):
    """The monitor did not start; the text is one line for the user.

    Attributes:
        exit_code: EXIT_USAGE if configuration or environment is at fault.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def command(runtime: RuntimeDir, *, detach: bool) -> list[str]:
    """The command line of a monitor."""
    words = [sys.executable, "-P", "-m", "sdcore.monitor", "--dir", str(runtime.path)]
    return words + ["--system"] * runtime.system + ["--detach"] * detach


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The monitor's environment: no preload, and modules found where this process finds them."""
    kept = {name: value for name, value in environ.items() if name != "LD_PRELOAD"}
    kept["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return kept


def start(runtime: RuntimeDir, environ: Mapping[str, str]) -> bool:
    """Start a monitor and return when it serves. Blocks for about a third of a second.

    Returns:
        False if another one serves there already.

    Raises:
        StartError: it could not start.
    """
    try:
        done = subprocess.run(
            command(runtime, detach=True),
            env=environment(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartError(f"the monitor could not be started: {error}", EXIT_FAULT) from None
    if done.returncode not in (0, EXIT_SERVED):
        lines = done.stderr.strip().splitlines() or [f"the monitor ended with {done.returncode}"]
        raise StartError(lines[-1], EXIT_USAGE if done.returncode == EXIT_USAGE else EXIT_FAULT)
    _wait_until_served(runtime)
    return done.returncode == 0


def _wait_until_served(runtime: RuntimeDir) -> None:
    """Whoever was faster holds the lock, but may not listen yet."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not serves(runtime):
        if time.monotonic() > deadline_s:
            raise StartError(f"a monitor holds {runtime.lock}, but does not serve", EXIT_FAULT)
        time.sleep(0.005)
