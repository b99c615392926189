"""strace and gdb at a program under the library: attached while it works, let go again, and there from its start."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.programs.needs import need
from tests.support.combinations import BOTH, Meter
from tests.support.host import Host
from tests.support.processes import Outcome, Processes, free_port, stop, wait_listening, wait_until

REQUESTS = 30_000
VALUE_BYTES = 500


class Redis:
    """A server and a load on it."""

    def __init__(self, host: Host, processes: Processes) -> None:
        self._env = host.environment(True)
        self._processes = processes
        self.port = free_port()
        words = [need("redis-server", "redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = processes.start(words, self._env)
        wait_listening(self.port, self.process)

    def load(self) -> subprocess.Popen[bytes]:
        """Ask it without a pause."""
        words = [need("redis-benchmark", "redis-tools"), "-p", str(self.port), "-q", "-t", "set,get"]
        return self._processes.start([*words, "-n", str(REQUESTS), "-d", str(VALUE_BYTES), "-c", "10"], self._env)

    def answers(self) -> bool:
        """Whether it answers now."""
        words = [need("redis-cli", "redis-tools"), "-p", str(self.port), "ping"]
        return self._processes.check(words, self._env) == "PONG\n"


def may_trace(processes: Processes, host: Host, program: str) -> None:
    """Skip where the system forbids to trace at all."""
    outcome = processes.run([program, "-o", "/dev/null", "true"], host.environment(False))
    if outcome.code != 0:
        pytest.skip(f"tracing is forbidden here: {outcome.errors.strip()}")


def test_strace_comes_and_goes(host: Host, processes: Processes, tmp_path: Path) -> None:
    strace = need("strace", "strace")
    may_trace(processes, host, strace)
    meter = Meter(host, BOTH)
    redis = Redis(host, processes)
    load = redis.load()
    log = tmp_path / "trace"
    for _ in range(3):
        tracer = processes.start([strace, "-f", "-o", str(log), "-p", str(redis.process.pid)], host.environment(False))
        wait_until(lambda: log.exists() and log.stat().st_size > 1000, "something was traced")
        assert stop(tracer, signal.SIGINT) in (0, -signal.SIGINT, 130), processes.log(tracer)
        log.unlink()
        assert redis.answers()
    assert load.wait(40) == 0, processes.log(load)
    assert redis.process.poll() is None
    meter.check(bytes_min=2 * 2 * REQUESTS * VALUE_BYTES)


def test_gdb_comes_and_goes(host: Host, processes: Processes) -> None:
    gdb = need("gdb", "gdb")
    may_trace(processes, host, need("strace", "strace"))
    meter = Meter(host, BOTH)
    redis = Redis(host, processes)
    load = redis.load()
    look = ("-ex", "thread apply all backtrace 3", "-ex", "call (int)getpid()", "-ex", "detach")
    words = [gdb, "-nx", "-batch", "-iex", "set debuginfod enabled off", *look, "-p"]

    def looked_at(pid: int) -> Outcome:
        return processes.run([*words, str(pid)], host.environment(False), timeout_s=60)

    # Some versions cannot call anything on a processor with more state than they know.
    plain = processes.start(["sleep", "100"], host.environment(False)).pid
    calls = f"$1 = {plain}" in looked_at(plain).output
    for _ in range(2):
        outcome = looked_at(redis.process.pid)
        assert outcome.code == 0, str(outcome)
        wanted = f"$1 = {redis.process.pid}" if calls else f"process {redis.process.pid}) detached"
        assert wanted in outcome.output, str(outcome)
        assert redis.answers()
    assert load.wait(40) == 0, processes.log(load)
    assert redis.process.poll() is None
    meter.check(bytes_min=2 * 2 * REQUESTS * VALUE_BYTES)


def test_a_program_started_by_strace(host: Host, processes: Processes, tmp_path: Path) -> None:
    """Tracer and program both have the library."""
    strace = need("strace", "strace")
    may_trace(processes, host, strace)
    meter = Meter(host, BOTH)
    redis = Redis(host, processes)
    benchmark = [need("redis-benchmark", "redis-tools"), "-p", str(redis.port), "-q", "-t", "set,get", "-n", "2000"]
    words = [strace, "-f", "-o", str(tmp_path / "trace"), *benchmark, "-d", str(VALUE_BYTES), "-c", "5"]
    assert "requests per second" in processes.check(words, host.environment(True), timeout_s=60)
    meter.check(bytes_min=2 * 2 * 2000 * VALUE_BYTES)
