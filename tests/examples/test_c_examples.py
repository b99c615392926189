"""The examples in C: the same sources on the kernel's sockets and linked with the library."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sdcore.cli.bench.routes import Watch, kernel_environment, sdcore_route
from sdcore.native import library_path
from tests.examples.talk import assert_shared, counted, talk

SOURCES = Path(__file__).parents[2] / "examples" / "c"
PROGRAMS = ("rate_server", "rate_client", "pingpong", "epoll_server", "many_clients")


@dataclass(frozen=True)
class Built:
    """Where the programs are, how they run, and who sees what they do."""

    directory: Path
    environment: Mapping[str, str]
    watch: Watch

    def __call__(self, name: str, *arguments: str) -> list[str]:
        return [str(self.directory / name), *arguments]


def make(target: str, out: Path, **variables: str) -> None:
    words = ["make", "-s", "-C", str(SOURCES), target, f"OUT={out}"]
    words += ["CFLAGS=-std=gnu11 -O2 -Wall -Wextra -Werror", *(f"{name}={value}" for name, value in variables.items())]
    subprocess.run(words, check=True, timeout=100)


@pytest.fixture(scope="module")
def on_kernel(tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("kernel")
    make("kernel", out)
    return Built(out / "kernel", kernel_environment(), Watch())


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("linked")
    make("all", out, SD_DIR=str(library_path().parent))
    return out


@pytest.fixture
def with_library(linked: Path, runtime_dir: Path) -> Iterator[Built]:
    with sdcore_route(runtime_dir) as route, route.watched() as watch:
        without_preload = {name: value for name, value in route.environment.items() if name != "LD_PRELOAD"}
        yield Built(linked, without_preload, watch)


@pytest.fixture(params=["on_kernel", "with_library"])
def built(request: pytest.FixtureRequest) -> Iterator[Built]:
    """Each test runs on both; the library must have carried (almost) everything, or it was no test of it."""
    programs: Built = request.getfixturevalue(request.param)
    yield programs
    if request.param == "with_library":
        assert_shared(programs.watch)


def test_the_server_counts_what_the_client_sent(built: Built) -> None:
    served, sent = talk(
        built("rate_server", "0", "64"), built("rate_client", "127.0.0.1", "{port}", "64", "1"), built.environment
    )
    assert counted(served) == counted(sent) > 0


def test_every_ping_comes_back(built: Built) -> None:
    client = built("pingpong", "client", "127.0.0.1", "{port}", "1000", "500")
    _, asked = talk(built("pingpong", "server", "0", "1000"), client, built.environment)
    assert counted(asked) == 500


def test_the_epoll_server_serves_every_client(built: Built) -> None:
    served, asked = talk(
        built("epoll_server", "0"), built("many_clients", "127.0.0.1", "{port}", "50", "1"), built.environment
    )
    assert served.splitlines()[-1].startswith("50 clients; ")
    assert counted(served) == counted(asked) + 50, "each client has one message under way when counting ends"


@pytest.mark.parametrize("program", PROGRAMS)
def test_wrong_use_prints_the_usage(on_kernel: Built, program: str) -> None:
    done = subprocess.run(on_kernel(program, *"123456789"), capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
    assert "example: " in done.stderr


def test_the_makefile_builds_every_source() -> None:
    assert sorted(path.stem for path in SOURCES.glob("*.c")) == sorted(PROGRAMS)
