"""The examples in Python, as they are and, with one line changed, on the standard module's sockets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sdcore.cli.bench.routes import Watch, kernel_environment, sdcore_route
from tests.examples.talk import assert_shared, counted, talk

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


@dataclass(frozen=True)
class Programs:
    """Where the examples are, how they run, and who sees what they do."""

    directory: Path
    environment: Mapping[str, str]
    watch: Watch

    def __call__(self, name: str, *arguments: str) -> list[str]:
        return [sys.executable, str(self.directory / name), *arguments]


@pytest.fixture
def on_kernel(standard: Path) -> Programs:
    return Programs(standard, kernel_environment(), Watch())


@pytest.fixture
def with_library(runtime_dir: Path) -> Iterator[Programs]:
    with sdcore_route(runtime_dir) as route, route.watched() as watch:
        without_preload = {name: value for name, value in route.environment.items() if name != "LD_PRELOAD"}
        yield Programs(SOURCES, without_preload, watch)


@pytest.fixture(params=["on_kernel", "with_library"])
def programs(request: pytest.FixtureRequest) -> Iterator[Programs]:
    """Each test runs on both; with sdcore.socket (almost) everything must have gone through shared memory."""
    found: Programs = request.getfixturevalue(request.param)
    yield found
    if request.param == "with_library":
        assert_shared(found.watch)


@pytest.mark.parametrize("name", NAMES)
def test_one_import_is_all_that_differs_from_the_standard_module(name: str) -> None:
    lines = (SOURCES / name).read_text("utf-8").splitlines()
    assert sum(line in STANDARD for line in lines) == 1
    assert sum("sdcore" in line for line in lines) == 1


def test_the_server_counts_what_the_client_sent(programs: Programs) -> None:
    served, sent = talk(
        programs("rate_server.py", "--port", "0", "--size", "64"),
        programs("rate_client.py", "127.0.0.1", "{port}", "--size", "64", "--seconds", "0.5"),
        programs.environment,
    )
    assert counted(served) == counted(sent) > 0


def test_every_ping_comes_back(programs: Programs) -> None:
    _, asked = talk(
        programs("pingpong.py", "server", "--port", "0", "--size", "1000"),
        programs("pingpong.py", "client", "127.0.0.1", "{port}", "--size", "1000", "--count", "500"),
        programs.environment,
    )
    assert counted(asked) == 500


def test_the_epoll_server_serves_every_client(programs: Programs) -> None:
    served, asked = talk(
        programs("epoll_server.py", "--port", "0"),
        programs("many_clients.py", "127.0.0.1", "{port}", "--clients", "50", "--seconds", "0.5"),
        programs.environment,
    )
    assert served.splitlines()[-1].startswith("50 clients; ")
    assert counted(served) == counted(asked)


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_an_example(on_kernel: Programs, name: str) -> None:
    done = subprocess.run(on_kernel(name, "--help"), capture_output=True, text=True, timeout=20, check=True)
    assert "Example: python " in done.stdout
