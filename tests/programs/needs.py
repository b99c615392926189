"""Find a program, or skip the test with the name of the package that has it."""

from __future__ import annotations

import os
import pwd
import shutil
from glob import glob
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"
_PATH = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *glob("/usr/lib/postgresql/*/bin")]
)


def need(program: str, package: str) -> str:
    """The absolute path of a program.

    Servers live where ordinary users have no PATH; those places are searched, too.
    """
    found = shutil.which(program, path=_PATH)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return found


def as_user(user: str, *words: str) -> list[str]:
    """The command line as a user, for servers that refuse to run as root. Who is not root stays who they are."""
    if os.geteuid() != 0:
        return list(words)
    return [need("setpriv", "util-linux"), f"--reuid={user}", f"--regid={user}", "--clear-groups", *words]


def need_user(user: str, package: str) -> None:
    """Skip unless root can become this user."""
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(user)
        except KeyError:
            pytest.skip(f"no user {user} (Debian package {package})")
