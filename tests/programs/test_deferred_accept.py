"""A server with TCP_DEFER_ACCEPT, as Apache sets it: the kernel would wait for data that come through the ring."""

from __future__ import annotations

import sys

import pytest

from tests.programs.needs import SCRIPTS, need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening, wait_until


@every_combination
@pytest.mark.parametrize("when", ["before", "after"])
def test_deferred_accept(combination: Combination, when: str, host: Host, processes: Processes) -> None:
    meter = Meter(host, combination)
    port = free_port()
    words = [sys.executable, str(SCRIPTS / "deferring_server.py"), str(port), when]
    server = processes.start(words, host.environment(combination.server))
    wait_listening(port, server)
    wait_until(lambda: processes.log(server).endswith("\n"), "the server has told its option")
    assert processes.log(server) == "31\n"  # 30 seconds in the kernel's steps
    client = [need("socat", "socat"), "-t", "5", "-", f"TCP:127.0.0.1:{port}"]
    for _ in range(3):
        assert processes.check(client, host.environment(combination.client), text="hello\n") == "hello\n"
    meter.check(bytes_min=2 * 2 * 3 * len("hello\n"))
