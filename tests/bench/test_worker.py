"""Both sides of every measurement agree, end, and fail loudly."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sdcore.cli.bench.pair import Pair, WorkerError, worker_path

SMALL = ["--count", "60", "--warmup", "20", "--connections", "10", "--idle-ms", "50"]


def pair(measure: str, transport: str, tmp_path: Path, *extra: str) -> Pair:
    address = str(tmp_path / "s") if transport == "unix" else "127.0.0.1:0"
    return Pair([measure, "--transport", transport, *SMALL, *extra], os.environ, address)


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("size", ["1", "8", "4097", "1048576"])
@pytest.mark.parametrize("measure", ["roundtrip", "stream"])
def test_both_sides_finish_every_size(measure: str, size: str, transport: str, tmp_path: Path) -> None:
    with pair(measure, transport, tmp_path, "--size", size) as both:
        client, server = both.results()
    assert client.count == server.count == 60
    assert client.seconds > 0
    assert server.cpu_ns > 0


@pytest.mark.parametrize("size", ["1", "8", "4097", "1048576"])
@pytest.mark.parametrize("measure", ["roundtrip", "stream"])
def test_the_bare_ring_finishes_every_size(measure: str, size: str, tmp_path: Path) -> None:
    with pair(measure, "bare", tmp_path, "--size", size, "--yield") as both:
        client, server = both.results()
    assert client.count == server.count == 60


@pytest.mark.parametrize("measure", ["threads", "family"])
def test_users_in_turn_finish_on_the_bare_ring(measure: str, tmp_path: Path) -> None:
    with pair(measure, "bare", tmp_path, "--yield") as both:
        client, server = both.results()
    assert client.count == server.count == 60


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize(
    "measure", ["connect", "idle", "threads", "family", "beside", "first-owner", "first-thread", "first-child"]
)
def test_both_sides_finish(measure: str, transport: str, tmp_path: Path) -> None:
    with pair(measure, transport, tmp_path) as both:
        client, _ = both.results()
    assert client.count == (1 if measure == "idle" else 60)
    assert measure != "idle" or client.seconds >= 0.05


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_many_counts_each_echo_once(transport: str, tmp_path: Path) -> None:
    with pair("many", transport, tmp_path) as both:
        client, server = both.results()
    assert server.count == 80
    assert 60 - 10 <= client.count <= 60, "the warm-up may end a few echoes late, within one epoll_wait"


def test_memory_waits_at_base_and_at_open(tmp_path: Path) -> None:
    with pair("memory", "tcp", tmp_path) as both:
        both.client.expect("base")
        assert open_sockets(both.client.pid) == 1
        both.client.go_on()
        both.client.expect("open")
        assert open_sockets(both.client.pid) == 11
        both.client.go_on()
        both.results()


def test_single_round_trips_are_as_many_as_those_of_the_mean(tmp_path: Path) -> None:
    with pair("roundtrip", "tcp", tmp_path) as both:
        client, _ = both.results()
    assert 0 < client.call_p50_ns <= client.call_p99_ns


def test_sockets_stay_open_until_the_caller_has_looked(tmp_path: Path) -> None:
    with pair("roundtrip", "tcp", tmp_path) as both:
        both.results()
        assert open_sockets(both.client.pid) == 1


def test_a_client_whose_server_dies_fails_and_says_so(tmp_path: Path) -> None:
    with pair("roundtrip", "tcp", tmp_path, "--count", "100000000") as both:
        both.server.process.kill()
        with pytest.raises(WorkerError, match=r"connect|recv|send"):
            both.results()


def test_nothing_is_left_behind_after_a_failure(tmp_path: Path) -> None:
    def fail() -> None:
        with pair("idle", "tcp", tmp_path, "--idle-ms", "50000") as both:
            left.extend([both.server.process, both.client.process])
            raise KeyError

    left: list[subprocess.Popen[str]] = []
    with pytest.raises(KeyError):
        fail()
    assert all(process.returncode is not None for process in left)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["server"],
        ["nobody", "stream"],
        ["server", "nothing"],
        ["server", "connect", "--transport", "bare"],
        ["server", "stream", "--size", "0"],
        ["server", "stream", "--count", "-1"],
        ["server", "stream", "--transport", "udp"],
        ["client", "many", "--connections", "2000", "--count", "1", "--warmup", "1"],
        ["server", "stream", "--unknown"],
    ],
)
def test_wrong_use_is_told_with_an_example(words: list[str]) -> None:
    done = subprocess.run([worker_path(), *words], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2
    assert "example: sd-bench-worker" in done.stderr
    assert done.stdout == ""


def open_sockets(pid: int) -> int:
    """How many sockets a process has."""
    return sum("socket:" in os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir())
