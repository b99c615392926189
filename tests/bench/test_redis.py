"""redis on the kernel, as bench and demo run it."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import pytest

from sdcore.cli import demo
from sdcore.cli.bench import redis, routes
from sdcore.cli.bench.pair import WorkerError
from sdcore.cli.bench.redis import Load

installed = pytest.mark.skipif(redis.missing() is not None, reason=f"{redis.missing()} is not installed")


@installed
def test_a_load_gives_an_answer_for_each_test(tmp_path: Path) -> None:
    with redis.server(os.environ, tmp_path, None) as port:
        answers = redis.benchmark(os.environ, port, Load(5, 4, 1000, ("get", "set")), None)
    assert set(answers) == {"get", "set"}
    assert all(answer.requests_per_s > 0 and 0 < answer.p50_us <= answer.p99_us for answer in answers.values())


@installed
def test_the_server_ends_with_its_block_and_keeps_nothing(tmp_path: Path) -> None:
    with redis.server(os.environ, tmp_path, None) as port:
        assert redis._answers(port)
    assert not redis._answers(port)
    assert list(tmp_path.iterdir()) == []


@installed
def test_a_benchmark_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "BENCHMARK_SECONDS_MAX", 0.3)
    with pytest.raises(WorkerError, match="not done within"):
        redis.benchmark(os.environ, redis._free_port(), Load(1, 1, 1), None)  # it asks for ever where nobody listens


@installed
def test_a_benchmark_that_refuses_is_an_error(tmp_path: Path) -> None:
    with redis.server(os.environ, tmp_path, None) as port, pytest.raises(WorkerError, match="redis-benchmark ended"):
        redis.benchmark(os.environ, port, Load(1, 1, 1, ("nothing",)), None)


@pytest.fixture
def infinite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """An environment whose redis-benchmark is done within a millisecond, which it divides by."""
    return pretended(monkeypatch, tmp_path, "inf")


def pretended(monkeypatch: pytest.MonkeyPatch, directory: Path, rate: str) -> dict[str, str]:
    program = directory / "redis-benchmark"
    answer = f'"test","rps","avg_latency_ms","p50_latency_ms","p99_latency_ms"\nGET,{rate},1,1,1'
    program.write_text(f"#!/bin/sh\ncat << END\n{answer}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return dict(os.environ)


def test_a_rate_is_taken_as_redis_benchmark_says_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment = pretended(monkeypatch, tmp_path, "1000.5")
    assert redis.benchmark(environment, 1, Load(1, 1, 3), None)["get"].requests_per_s == 1000.5


def test_a_rate_that_its_clock_cannot_tell_is_an_error(infinite: dict[str, str]) -> None:
    with pytest.raises(WorkerError, match="3 requests are too few"):
        redis.benchmark(infinite, 1, Load(1, 1, 3), None)


def test_a_warm_up_may_be_too_short_for_its_clock(infinite: dict[str, str]) -> None:
    assert math.isinf(redis.warm_up(infinite, 1, Load(1, 1, 3), None)["get"].requests_per_s)


def test_a_demo_may_warm_up_too_shortly_for_the_clock(infinite: dict[str, str]) -> None:
    route = routes.kernel_routes()["tcp"]
    line = demo.Line(Load(1, 1, 10), "get")
    with pytest.raises(WorkerError, match="10 requests are too few"):  # not its tenth, which was asked first
        demo._ask(replace(route, environment=infinite), 1, Load(1, 1, 10), None, [line])


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis.missing() == "redis-server"


def test_times_of_redis_are_read_as_milliseconds() -> None:
    names = ("test", "rps", "avg_latency_ms", "min_latency_ms", "p50_latency_ms", "p95_latency_ms", "p99_latency_ms")
    values = ("GET", "1000.5", "0.065", "0.01", "0.060", "0.09", "0.130")
    output = "noise\n" + "\n".join(",".join(f'"{word}"' for word in line) for line in (names, values)) + "\n"
    assert redis._parse(output) == {"get": redis.Answer(1000.5, 65.0, 60.0, 130.0)}
