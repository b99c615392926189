"""Running `sdcore` as its users do: as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def sdcore(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "sdcore.cli", *words]
    return subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, timeout=30, check=False)


def one_line(text: str) -> bool:
    """Whether a message is exactly one line."""
    return text.count("\n") == 1 and len(text) > 10
