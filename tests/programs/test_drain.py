"""sdcore drain while a real program is at work: no error, and what comes afterwards goes by kernel TCP."""

from __future__ import annotations

import subprocess

import pytest

from sdcore.cli.drain import ALL, wait
from sdcore.monitor.control import Control
from sdcore.monitor.paths import RuntimeDir
from tests.programs.test_redis import Redis
from tests.support.combinations import Combination
from tests.support.host import COMMAND, ROOT, Host
from tests.support.processes import Processes, wait_until

BOTH = Combination(server=True, client=True)
CLIENTS = 20
REQUESTS = 120_000


def drain(host: Host, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [*COMMAND, "drain", *words, "--monitor-dir", str(host.directory)]
    environ = host.environment(False, PYTHONPATH=str(ROOT))
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def transports(host: Host) -> set[str]:
    """By which ways the connections go that stand now."""
    return {row["transport"] for row in host.sockets() if row["state"] == "established"}


@pytest.mark.parametrize("whom", ["server", "client", "all"])
def test_redis_goes_on_while_it_is_drained(whom: str, processes: Processes) -> None:
    host = Host()
    try:
        host.start_monitor()
        check_drained_at_work(whom, host, processes)
    finally:
        host.close()


def check_drained_at_work(whom: str, host: Host, processes: Processes) -> None:
    """Drain one of both, or all, in the middle of a benchmark."""
    redis = Redis(host, processes, BOTH)
    words = [redis._benchmark, "-p", str(redis.port), "-c", str(CLIENTS), "-n", str(REQUESTS), "-t", "set,get", "-q"]
    client = processes.start(words, host.environment(True))
    wait_until(lambda: sum(row["transport"] == "shm" for row in host.sockets()) >= 2 * CLIENTS, "it is at work")
    before = host.sums()
    with Control(RuntimeDir(host.directory)) as control:
        outcome = wait(control, {"server": redis.server.pid, "client": client.pid, "all": ALL}[whom], 20)
    assert outcome["left"] == []
    assert outcome["moved"] == outcome["sockets"] >= CLIENTS
    assert client.poll() is None, "the benchmark was over too soon to tell"
    wait_until(lambda: transports(host) == {"tcp"}, "the other end has moved, too")
    drained = host.sums()
    assert client.wait(60) == 0
    output = processes.log(client)
    assert output.count("requests per second") == 2
    assert "rror" not in output
    assert host.sums().since(drained).tcp_bytes > 1_000_000
    assert host.sums().since(before).reasons["drained"] >= 2 * CLIENTS
    if whom != "client":
        assert redis.cli("ping") == "PONG"
    redis.cli("shutdown", "nosave")
    assert redis.server.wait(10) == 0


def test_a_program_that_makes_no_call_is_told_of_and_moves_later(processes: Processes) -> None:
    host = Host()
    try:
        host.start_monitor()
        redis = Redis(host, processes, BOTH)
        subscriber = redis.subscribe("news")
        wait_until(lambda: redis.cli("publish", "news", "first") == "1", "a subscriber")
        subscriber.send_signal(19)  # SIGSTOP
        done = drain(host, str(subscriber.pid), "--timeout", "0.5")
        assert done.returncode == 3
        assert "1 socket has not moved within 0.5 s:" in done.stderr
        assert f"redis-cli,{subscriber.pid}" in done.stderr
        subscriber.send_signal(18)  # SIGCONT
        assert drain(host, str(subscriber.pid)).returncode == 0
        assert redis.cli("publish", "news", "last") == "1"
        wait_until(lambda: "last" in processes.log(subscriber), "the last message came")
        assert [row["reason"] for row in host.sockets() if row["pid"] == subscriber.pid] == ["drained"]
        redis.cli("shutdown", "nosave")
    finally:
        host.close()
