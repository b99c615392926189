"""The scenarios as the tests see them: their names and flags, and how one is run.

A scenario (c/harness.h) holds one end of a connection; a puppet holds the other, in the same process or in another one.
What it prints on the kernel is what it must print under the library.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import zlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.compiler import build_program
from tests.support.processes import Outcome, Processes, kill

SOURCES = Path(__file__).parent / "c"
FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-g", "-Wall", "-Wextra", "-Werror", "-pthread")
TIMEOUT_S = 30.0
PUPPET_END_S = 2.0
_SCENARIO = re.compile(r"^SCENARIO\((\w+),\s*([A-Z |]+)\)$", re.MULTILINE)


@dataclass(frozen=True)
class Scenario:
    """One scenario.

    Attributes:
        name: its name in C.
        file: where it stands.
        transport: RING, MIXED or ANY: which way its bytes must go under the library; see c/harness.h.
        other_only: it needs the puppet in another process.
        once: it makes both ends by hand, so there is no second role to play.
    """

    name: str
    file: str
    transport: str
    other_only: bool
    once: bool

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Variant:
    """How a scenario is run.

    Attributes:
        end: accepted or connected: the end that the scenario holds; with -unix behind it over AF_UNIX.
        puppet: own (a thread), other (another process under the library), plain (another process without it).
    """

    end: str
    puppet: str

    def __str__(self) -> str:
        return f"{self.end}-{self.puppet}"


def scenarios(files: Collection[str] = ()) -> list[Scenario]:
    """The scenarios of these files of c/, or all, in the order of their files."""
    found = []
    for path in sorted(path for path in SOURCES.glob("*.c") if not files or path.stem in files):
        for name, text in _SCENARIO.findall(path.read_text()):
            flags = set(text.replace("|", " ").split())
            (transport,) = flags & {"RING", "MIXED", "ANY"}
            found.append(Scenario(name, path.stem, transport, "OTHER" in flags, "ONCE" in flags))
    return found


def variants(scenario: Scenario) -> list[Variant]:
    """The ways in which a scenario makes sense."""
    ends = ("accepted",) if scenario.once else ("accepted", "connected")
    puppets = ("other", "plain") if scenario.other_only else ("own", "other", "plain")
    return [Variant(end, puppet) for end in ends for puppet in puppets]


def unix_variants(scenario: Scenario) -> list[Variant]:
    """The ways in which it makes sense over AF_UNIX: end and puppet matter for what is special there.

    Of others, whose code is TCP's, half are enough, at one end or the other; SDCORE_ENDS=all plays all at both.
    """
    if scenario.file == "unixes":
        return [Variant(f"{v.end}-unix", v.puppet) for v in variants(scenario) if v.puppet in {"own", "other", "plain"}]
    ends = sorted({v.end for v in variants(scenario) if v.puppet == "other"})
    if os.environ.get("SDCORE_ENDS") != "all":
        chosen = zlib.crc32(scenario.name.encode()) % 4
        ends = ends[chosen : chosen + 1]
    return [Variant(f"{end}-unix", "other") for end in ends]


def build(target: Path, *more: str) -> Path:
    """Compile all scenarios into one program, with the warnings of the project."""
    return build_program(target, sorted(SOURCES.glob("*.c")), (*FLAGS, *more))


def run(
    program: Path,
    scenario: Scenario,
    variant: Variant,
    processes: Processes,
    *,
    env: Mapping[str, str],
    puppet_env: Mapping[str, str] | None = None,
) -> Outcome:
    """Run one scenario to its end. `puppet_env` is for a puppet in another process; None stands for `env`."""
    if variant.puppet == "own":
        return processes.run([str(program), scenario.name, variant.end, "-1"], env, timeout_s=TIMEOUT_S)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            words = [str(program), "puppet", str(theirs.fileno())]
            puppet = processes.start(words, puppet_env or env, pass_fds=(theirs.fileno(),))
        words = [str(program), scenario.name, variant.end, str(ours.fileno())]
        outcome = processes.run(words, env, timeout_s=TIMEOUT_S, pass_fds=(ours.fileno(),))
    with suppress(subprocess.TimeoutExpired):
        puppet.wait(PUPPET_END_S)  # nobody gives it orders any more
    kill(puppet)
    return outcome
