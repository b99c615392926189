"""The C programs in shim/: how they are built and run, with and without the library."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

SOURCES = Path(__file__).parent / "shim"
PLAIN = ("-O1",)
FORTIFIED = ("-O2", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2")
SHARED = ("-O1", "-shared", "-fPIC")
RUN_S = 60


def build(name: str, folder: Path, flags: tuple[str, ...] = PLAIN) -> Path:
    """Compile one source file to a program in `folder`; warnings are errors."""
    program = folder / name
    words = ("cc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", *flags)
    subprocess.run((*words, "-o", str(program), str(SOURCES / f"{name}.c")), check=True)
    return program


def run(program: Path, environ: Mapping[str, str], *arguments: str) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        subprocess.CalledProcessError: it failed; its notes are the outputs.
        subprocess.TimeoutExpired: it did not end within RUN_S seconds.
    """
    done = subprocess.run(
        (str(program), *arguments),
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, f"{program.name} ended with {done.returncode}\n{done.stdout}"
    return done.stdout
