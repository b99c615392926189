"""The control plane of the library alone, built with sanitizers, against a monitor that the test holds in its hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.native.control.driven import Driven
from tests.native.control.fake_monitor import FakeMonitor
from tests.support.compiler import build_program

ROOT = Path(__file__).parents[3]
NATIVE = ROOT / "sdcore" / "native"
PARTS = ("memory", "local", "packet", "slab", "space", "attach", "lease", "listener")
FLAGS = (
    "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", f"-I{NATIVE}",
    "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
)  # fmt: skip


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The harness, compiled with the files under test."""
    program = tmp_path_factory.mktemp("control") / "harness"
    sources = [NATIVE / "core" / f"{part}.c" for part in PARTS]
    return build_program(program, [Path(__file__).parent / "harness.c", *sources], FLAGS)


@pytest.fixture
def environment(runtime_dir: Path) -> dict[str, str]:
    """Where the harness finds the monitor. No preload: the sanitizers are linked in."""
    return {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"} | {
        "SDCORE_RUNTIME_DIR": str(runtime_dir),
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
    }


@pytest.fixture
def start_monitor(runtime_dir: Path) -> Iterator[Callable[..., FakeMonitor]]:
    """Start a monitor; those that still run are stopped at the end."""
    started: list[FakeMonitor] = []

    def start(first_id: int = 1) -> FakeMonitor:
        started.append(FakeMonitor(runtime_dir, first_id))
        return started[-1]

    yield start
    for monitor in started:
        monitor.stop()


@pytest.fixture
def monitor(start_monitor: Callable[..., FakeMonitor]) -> FakeMonitor:
    """A monitor that serves from the beginning."""
    return start_monitor()


@pytest.fixture
def process(harness: Path, environment: dict[str, str]) -> Iterator[Driven]:
    """A process that uses the library."""
    with Driven(harness, environment) as driven:
        yield driven


@pytest.fixture
def server(harness: Path, environment: dict[str, str]) -> Iterator[Driven]:
    """Another one, which listens."""
    with Driven(harness, environment) as driven:
        yield driven
