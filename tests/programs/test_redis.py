"""redis-server with redis-cli and redis-benchmark."""

from __future__ import annotations

import re
import subprocess

from tests.programs.needs import need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening, wait_until

LARGE_BYTES = 5_000_000


class Redis:
    """A running server and the ways to talk to it."""

    def __init__(self, host: Host, processes: Processes, combination: Combination) -> None:
        self.port = free_port()
        self._processes = processes
        self._env = host.environment(combination.client)
        server = need("redis-server", "redis-server")
        self._cli = need("redis-cli", "redis-tools")
        self._benchmark = need("redis-benchmark", "redis-tools")
        words = [server, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.server = processes.start(words, host.environment(combination.server))
        wait_listening(self.port, self.server)

    def cli(self, *words: str, text: str | None = None) -> str:
        """Run redis-cli; return what it printed."""
        return self._processes.check([self._cli, "-p", str(self.port), *words], self._env, text=text).strip()

    def subscribe(self, channel: str) -> subprocess.Popen[bytes]:
        """Start a subscriber."""
        return self._processes.start([self._cli, "-p", str(self.port), "subscribe", channel], self._env)

    def benchmark(self, *words: str) -> int:
        """Run redis-benchmark; return how many tests it finished."""
        command = [self._benchmark, "-p", str(self.port), "-q", *words]
        output = self._processes.check(command, self._env)
        assert "rror" not in output, output
        return len(re.findall(r"[\d.]+ requests per second", output))


@every_combination
def test_commands_and_large_values(combination: Combination, host: Host, processes: Processes) -> None:
    meter = Meter(host, combination)
    redis = Redis(host, processes, combination)
    assert redis.cli("set", "key", "value") == "OK"
    assert redis.cli("get", "key") == "value"
    large = "0123456789" * (LARGE_BYTES // 10)
    assert redis.cli("-x", "set", "large", text=large) == "OK"
    assert redis.cli("strlen", "large") == str(LARGE_BYTES)
    assert redis.cli("get", "large") == large
    assert re.search(r"addr=127.0.0.1:[1-9]\d* laddr=127.0.0.1:" + str(redis.port), redis.cli("client", "list"))
    commands = "".join(f"SET key:{i} value{i}\r\n" for i in range(20000))
    assert "errors: 0, replies: 20000" in redis.cli("--pipe", text=commands)
    redis.cli("shutdown", "nosave")
    assert redis.server.wait(10) == 0
    meter.check(bytes_min=4 * LARGE_BYTES)


@every_combination
def test_subscribers_get_what_is_published(combination: Combination, host: Host, processes: Processes) -> None:
    meter = Meter(host, combination)
    redis = Redis(host, processes, combination)
    subscribers = [redis.subscribe("news") for _ in range(3)]
    wait_until(lambda: redis.cli("publish", "news", "first") == "3", "three subscribers")
    assert redis.cli("publish", "news", "last") == "3"
    wait_until(lambda: all("last" in processes.log(each) for each in subscribers), "the last message came")
    assert redis.cli("-i", "0", "blpop", "queue", "0.2") == ""
    redis.cli("shutdown", "nosave")
    assert [subscriber.wait(10) is not None for subscriber in subscribers] == [True] * 3
    meter.check()


@every_combination
def test_benchmark(combination: Combination, host: Host, processes: Processes) -> None:
    meter = Meter(host, combination)
    redis = Redis(host, processes, combination)
    assert redis.benchmark("-n", "2000", "-c", "1", "-t", "ping_mbulk,set") == 2
    assert redis.benchmark("-n", "10000", "-c", "50", "-t", "ping_mbulk,set,get,lpush,lrange_100") == 6
    assert redis.benchmark("-n", "20000", "-c", "20", "-P", "16", "-t", "set,get") == 2
    assert redis.benchmark("-n", "5000", "-c", "20", "--threads", "2", "-t", "set,get") == 2
    assert redis.benchmark("-n", "200", "-c", "5", "-d", "200000", "-t", "set,get") == 2
    redis.cli("shutdown", "nosave")
    meter.check(bytes_min=2 * 400 * 200_000)
