"""redis-server and redis-benchmark, unmodified, for the measure `redis` and for the demo.

The server keeps nothing, listens on a port of its own on loopback, and ends with the block that started it. Client and
server are pinned to their cores, as in all measures.
"""

from __future__ import annotations

import csv
import io
import math
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdcore.cli.bench.measures import Point
from sdcore.cli.bench.pair import WorkerError
from sdcore.cli.bench.routes import Route, Share

PROGRAMS = ("redis-server", "redis-benchmark")
START_SECONDS_MAX = 10.0
BENCHMARK_SECONDS_MAX = 60.0
ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Load:
    """What redis-benchmark shall do: `requests` of each test in `tests`, by `clients`, `pipeline` at a time."""

    clients: int
    pipeline: int
    requests: int
    tests: tuple[str, ...] = ("get",)


@dataclass(frozen=True)
class Answer:
    """One line of redis-benchmark."""

    requests_per_s: float
    mean_us: float
    p50_us: float
    p99_us: float


def missing() -> str | None:
    """The redis program that is not installed, if any."""
    return next((name for name in PROGRAMS if shutil.which(name) is None), None)


@contextmanager
def server(environment: Mapping[str, str], directory: Path, core: int | None) -> Iterator[int]:
    """A redis-server until the end of the block; gives its port. Blocks until it answers.

    Raises:
        WorkerError: it does not start.
    """
    port = _free_port()
    words = ["--port", str(port), "--bind", ADDRESS, "--save", "", "--appendonly", "no", "--daemonize", "no"]
    words += ["--dir", str(directory), "--loglevel", "warning"]
    process = subprocess.Popen(
        _pinned(["redis-server", *words], core),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _await_answer(process, port)
        yield port
    finally:
        process.terminate()
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def benchmark(environment: Mapping[str, str], port: int, load: Load, core: int | None) -> dict[str, Answer]:
    """Run redis-benchmark once; an answer for each test, by its name in small letters. Blocks until it is done.

    Raises:
        WorkerError: it failed, took too long or not as much as its clock can tell, or said something unknown.
    """
    answers = warm_up(environment, port, load, core)
    if any(math.isinf(answer.requests_per_s) for answer in answers.values()):  # its clock counts milliseconds
        raise WorkerError(f"{load.requests} requests are too few: redis-benchmark was done within a millisecond")
    return answers


def warm_up(environment: Mapping[str, str], port: int, load: Load, core: int | None) -> dict[str, Answer]:
    """As `benchmark`, where nobody needs the rate: it may be infinite, because few requests take less than its clock.

    Raises:
        WorkerError: it failed, took too long, or said something unknown.
    """
    words = ["redis-benchmark", "-h", ADDRESS, "-p", str(port), "-c", str(load.clients), "-P", str(load.pipeline)]
    words += ["-n", str(load.requests), "-t", ",".join(load.tests), "--csv"]
    try:
        done = subprocess.run(
            _pinned(words, core),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BENCHMARK_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WorkerError(f"redis-benchmark was not done within {BENCHMARK_SECONDS_MAX:g} s") from None
    answers = _parse(done.stdout)
    if done.returncode != 0 or not all(test in answers for test in load.tests):
        said = (done.stderr or done.stdout).strip().splitlines()
        raise WorkerError(f"redis-benchmark ended with {done.returncode}: {said[-1] if said else 'nothing said'}")
    return answers


def requests_per_s(
    point: Point, route: Route, cores: tuple[int | None, int | None], directory: Path
) -> tuple[float, Share | None]:
    """The measure `redis`: requests a second of a load, after a warm-up on the same server; and the proof.

    The proof begins once the server answers, because what asks it until then is a plain program.
    """
    load = Load(point.connections or 1, 1, point.count)
    warmup = Load(load.clients, 1, point.warmup)
    with server(route.environment, directory, cores[0]) as port, route.watched() as watch:
        warm_up(route.environment, port, warmup, cores[1])
        rate = benchmark(route.environment, port, load, cores[1])["get"].requests_per_s
        watch.look()
    return rate, watch.share


def _parse(output: str) -> dict[str, Answer]:
    """The CSV of redis-benchmark; its times are milliseconds."""
    start = output.find('"test"')
    if start < 0:
        return {}
    return {
        line["test"].split(" ")[0].lower(): Answer(
            float(line["rps"]),
            float(line["avg_latency_ms"]) * 1000,
            float(line["p50_latency_ms"]) * 1000,
            float(line["p99_latency_ms"]) * 1000,
        )
        for line in csv.DictReader(io.StringIO(output[start:]))
    }


def _pinned(words: list[str], core: int | None) -> list[str]:
    """By taskset, which is gone when the program runs: nothing has to happen between fork and exec."""
    return words if core is None else ["taskset", "--cpu-list", str(core), *words]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port: int = probe.getsockname()[1]
    return port


def _await_answer(process: subprocess.Popen[str], port: int) -> None:
    until = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < until:
        if _answers(port):
            return
        time.sleep(0.02)
    process.kill()
    said = process.communicate()[0].strip().splitlines()
    raise WorkerError(f"redis-server did not start: {said[-1] if said else os.strerror(0)}")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((ADDRESS, port), timeout=1) as probe:
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
    except OSError:
        return False
