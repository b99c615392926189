"""Run every command of a tutorial, in order, in one shell: `python tools/run_tutorial.py PAGE`.

Commands are the lines with `$ ` in blocks marked `console`. A line below a command is output to expect from it, in
which `...` stands for anything. The first command that fails or prints something else ends the run, exit status 1. The
run has a monitor's folder of its own, and what is left running at the end is ended.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMEOUT_S = 600
END = "end-of-command"


@dataclass
class Command:
    """A command and the lines it should print."""

    text: str
    expected: list[str] = field(default_factory=list)


def commands(page: str) -> list[Command]:
    """Return the commands of a page in order."""
    found: list[Command] = []
    for block in BLOCK.findall(page):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:]))
            else:
                found[-1].expected.append(line)
    return found


def script(steps: list[Command]) -> str:
    """Return the shell script that runs the steps and marks the end of each one's output."""
    lines = ["set -eo pipefail"]
    for number, step in enumerate(steps):
        lines += [step.text, f"echo; echo {END} {number}"]
    return "\n".join(lines)


def fits(expected: list[str], printed: str) -> bool:
    """Tell whether the expected lines occur in what was printed, in this order."""
    pattern = ".*".join(".*".join(map(re.escape, line.split("..."))) for line in expected)
    return re.search(pattern, printed, re.DOTALL) is not None


def run_shell(text: str) -> tuple[int, str]:
    """Run a script in a process group of its own; return its exit status and all it printed."""
    with tempfile.TemporaryDirectory(prefix="sd-") as folder, tempfile.TemporaryFile("w+") as output:
        environment = {**os.environ, "SDCORE_RUNTIME_DIR": folder}
        shell = subprocess.Popen(
            ["bash", "-c", text], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
            process_group=0,
        )  # fmt: skip
        try:
            status = shell.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            status = -1
        finally:
            end_group(shell.pid)
        output.seek(0)
        return status, output.read()


def end_group(group: int) -> None:
    """End what still runs of a process group."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def first_fault(steps: list[Command], printed: str) -> str | None:
    """Return what went wrong first, or None if every step ran and printed what it should."""
    rest = printed
    for number, step in enumerate(steps):
        output, mark, rest = rest.partition(f"\n{END} {number}\n")
        if not mark:
            return f"this failed: {step.text}"
        if not fits(step.expected, output):
            return f"this printed something else than {step.expected}: {step.text}"
    return None


def main(page: Path) -> int:
    """Run the tutorial in a page and say how it went."""
    steps = commands(page.read_text())
    status, printed = run_shell(script(steps))
    fault = first_fault(steps, printed) or (f"exit status {status}" if status else None)
    if fault:
        print(printed, f"{page}: {fault}", sep="\n", file=sys.stderr)
        return 1
    print(f"{page}: {len(steps)} commands did what the page says")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
