"""Use an installed package once: `python tools/smoke.py`, with the environment's own Python and from any folder.

An echo server and a client, both plain Python under `sdcore run`, must talk through shared memory; the cffi module must
load. Exit status 1 and one line if not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

SDCORE = Path(sysconfig.get_path("scripts")) / "sdcore"
TIMEOUT_S = 30

SERVER = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
while data := connection.recv(4096):
    connection.sendall(data)
"""
CLIENT = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(b"hello")
print(connection.recv(4096).decode(), flush=True)
sys.stdin.read()
"""


class SmokeError(Exception):
    """The package does not do what it should; the text says what."""


def check(holds: bool, claim: str) -> None:
    """Raise SmokeError with the claim unless it holds."""
    if not holds:
        raise SmokeError(f"not so: {claim}")


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python program under sdcore; its standard input and output are pipes."""
    command = [str(SDCORE), "run", "--", sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> str:
    """Return the first line that a program prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def sockets() -> list[dict[str, Any]]:
    """Return what `sdcore ss` knows."""
    shown = subprocess.run([str(SDCORE), "ss", "--json"], check=True, capture_output=True, text=True, timeout=TIMEOUT_S)
    found: list[dict[str, Any]] = json.loads(shown.stdout)["sockets"]
    return found


def check_files() -> None:
    """The library and the cffi module come from the installed package."""
    from sdcore._native import lib
    from sdcore.native import library_path

    package = Path(sysconfig.get_path("platlib"))
    check(library_path().is_relative_to(package), f"{library_path()} lies in {package}")
    check(bool(dir(lib)), "the cffi module has functions")


def check_echo() -> None:
    """Two programs talk, through shared memory."""
    server = start(SERVER)
    client = start(CLIENT, first_line(server))
    try:
        check(first_line(client) == "hello", "the echo came back")
        ways = [row["transport"] for row in sockets() if row["state"] == "established"]
        check(ways == ["shm", "shm"], f"both ends of the connection use shm, not {ways}")
        client.communicate(timeout=TIMEOUT_S)
        check(server.wait(TIMEOUT_S) == 0, "the server saw the end")
    finally:
        client.kill()
        server.kill()


def main() -> int:
    """Check everything with a monitor of our own; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="sd-") as folder:
        os.environ["SDCORE_RUNTIME_DIR"] = folder
        try:
            check_files()
            check_echo()
        except SmokeError as error:
            print(f"smoke: {error}", file=sys.stderr)
            return 1
        finally:
            subprocess.run([str(SDCORE), "monitor", "stop"], check=False, capture_output=True, timeout=TIMEOUT_S)
    print(f"smoke: socksdirect {version('socksdirect')} works")
    return 0


if __name__ == "__main__":
    sys.exit(main())
