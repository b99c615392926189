"""What real programs do under the library is a possible history of the machines."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from sdsim.conform.judge import Verdict, judge
from tests.conformance.recording import LONG, RecordingHost
from tests.programs.needs import need
from tests.programs.test_nginx import nginx
from tests.programs.test_redis import Redis
from tests.programs.test_unix_sockets import short_folder, wait_bound
from tests.semantics.test_coming_back import Setting
from tests.support.combinations import BOTH
from tests.support.processes import Processes, kill, wait_until

SHARING = str(Path(__file__).with_name("sharing.py"))
REQUESTS = 400_000 if LONG else 20_000
LINES_MIN = 1_000_000 if LONG else 80_000
long_run = pytest.mark.timeout(600 if LONG else 120)


def judged(host: RecordingHost, unserved_most: int = 0) -> Verdict:
    """Judge what was recorded; of every connection both ends must be there, but for some whose server was stopped."""
    host.wait_alone()
    verdict = judge([host.log])
    assert verdict.failed == 0
    assert verdict.connections == verdict.whole + verdict.withdrawn + verdict.unserved > 0
    assert verdict.unserved <= unserved_most
    assert verdict.again == 0
    return verdict


@long_run
def test_redis_and_its_clients(recorded: RecordingHost, processes: Processes) -> None:
    redis = Redis(recorded, processes, BOTH)
    half = str(REQUESTS // 2)
    assert redis.benchmark("-n", half, "-c", "20", "-t", "set,get", "-d", "3000") == 2
    assert redis.benchmark("-n", half, "-c", "20", "-P", "4", "--threads", "2", "-t", "set,get") == 2
    redis.cli("shutdown", "nosave")
    assert redis.server.wait(10) == 0
    verdict = judged(recorded)
    assert sum(verdict.lines.values()) > LINES_MIN
    assert verdict.connections > 40


@long_run
def test_redis_and_its_clients_over_a_unix_socket(recorded: RecordingHost, processes: Processes) -> None:
    environ = recorded.environment(shim=True)
    benchmark = [need("redis-benchmark", "redis-tools"), "-q", "-t", "set,get"]
    with short_folder() as folder:
        place = ["-s", str(folder / "s")]
        words = [need("redis-server", "redis-server"), "--port", "0", "--unixsocket", place[1], "--save", ""]
        server = processes.start(words, environ)
        wait_bound(folder / "s", server)
        for more in (["-c", "20", "-d", "3000"], ["-c", "20", "-P", "4", "--threads", "2"]):
            processes.check([*benchmark, *place, "-n", str(REQUESTS // 2), *more], environ)
        processes.check([need("redis-cli", "redis-tools"), *place, "shutdown", "nosave"], environ)
        assert server.wait(10) == 0
    assert judged(recorded).connections > 40


@long_run
def test_nginx_with_two_workers(recorded: RecordingHost, processes: Processes, tmp_path: Path) -> None:
    wrk = need("wrk", "wrk")
    seconds = 10 if LONG else 1
    with nginx(recorded, processes, BOTH, tmp_path) as port:
        for path, *header in (("on/1000000",), ("off/100", "-H", "Connection: close")):
            words = [wrk, "-t2", "-c10", f"-d{seconds}s", *header, f"http://127.0.0.1:{port}/{path}"]
            assert "Socket errors" not in processes.check(words, recorded.environment(shim=True), timeout_s=60)
    # wrk stops amid its requests, and nginx is stopped at once: a connection may stay in the backlog
    assert judged(recorded, unserved_most=10).connections > 20


@long_run
def test_forked_processes_that_share_connections(recorded: RecordingHost, processes: Processes) -> None:
    processes.check([sys.executable, SHARING, "20000" if LONG else "3000"], recorded.environment(shim=True))
    verdict = judged(recorded)
    assert verdict.processes == 4
    assert verdict.lines["token_owner"] > 20


@pytest.mark.parametrize("way", ["exec", "pass"])
def test_a_connection_that_is_handed_on_and_comes_back(way: str, recorded: RecordingHost, processes: Processes) -> None:
    ended = Setting(recorded, processes).talk(way, "both")
    assert ended.client == "complete\n"
    verdict = judged(recorded)
    assert verdict.connections == 2
    assert verdict.lines["joiner"] > 4
    assert verdict.lines["mover"] + verdict.lines["leaver"] > 8


def test_a_process_that_is_killed_leaves_a_good_log(recorded: RecordingHost, processes: Processes) -> None:
    redis = Redis(recorded, processes, BOTH)
    benchmark = need("redis-benchmark", "redis-tools")
    words = [benchmark, "-p", str(redis.port), "-q", "-n", "10000000", "-c", "8", "-t", "set"]
    client = processes.start(words, recorded.environment(shim=True))
    wait_until(lambda: recorded.log.stat().st_size > 30 * 65536, "some thousand transitions are recorded")
    redis.server.send_signal(signal.SIGKILL)
    redis.server.wait(10)
    kill(client)
    recorded.wait_alone()
    verdict = judge([recorded.log])
    assert sum(verdict.lines.values()) > 20_000
    assert verdict.whole >= 8
