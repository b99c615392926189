"""The examples in Python. Everything but one line is the standard library's manner: with that line changed, they run on
the kernel's sockets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.talk import counted, talk

SOURCES = Path(__file__).parents[2] / "examples" / "python"
NAMES = sorted(path.name for path in SOURCES.glob("*.py"))
STANDARD = {
    "from sdcore.socket import socket": "from socket import socket",
    "from sdcore.socket import epoll, socket": "from select import epoll\nfrom socket import socket",
}


@pytest.fixture(scope="module")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples with the standard module's import."""
    out = tmp_path_factory.mktemp("standard")
    for name in NAMES:
        lines = (SOURCES / name).read_text("utf-8").splitlines()
        (out / name).write_text("\n".join(STANDARD.get(line, line) for line in lines), "utf-8")
    return out


def python(directory: Path, name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(directory / name), *arguments]


@pytest.mark.parametrize("name", NAMES)
def test_one_import_is_all_that_differs_from_the_standard_module(name: str) -> None:
    lines = (SOURCES / name).read_text("utf-8").splitlines()
    assert sum(line in STANDARD for line in lines) == 1
    assert sum("sdcore" in line for line in lines) == 1


def test_the_server_counts_what_the_client_sent(standard: Path) -> None:
    served, sent = talk(
        python(standard, "rate_server.py", "--port", "0", "--size", "64"),
        python(standard, "rate_client.py", "127.0.0.1", "{port}", "--size", "64", "--seconds", "0.5"),
    )
    assert counted(served) == counted(sent) > 0


def test_every_ping_comes_back(standard: Path) -> None:
    _, asked = talk(
        python(standard, "pingpong.py", "server", "--port", "0", "--size", "1000"),
        python(standard, "pingpong.py", "client", "127.0.0.1", "{port}", "--size", "1000", "--count", "500"),
    )
    assert counted(asked) == 500


def test_the_epoll_server_serves_every_client(standard: Path) -> None:
    served, asked = talk(
        python(standard, "epoll_server.py", "--port", "0"),
        python(standard, "many_clients.py", "127.0.0.1", "{port}", "--clients", "50", "--seconds", "0.5"),
    )
    assert served.splitlines()[-1].startswith("50 clients; ")
    assert counted(served) == counted(asked)


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_an_example(standard: Path, name: str) -> None:
    done = subprocess.run(
        python(standard, name, "--help"), capture_output=True, text=True, timeout=20, check=True, cwd=standard
    )
    assert "Example: python " in done.stdout
