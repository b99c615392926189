"""Who sleeps looks by himself now and then: a ring may not reach him, and he must not sleep for good."""

from __future__ import annotations

import os

import pytest

from tests.faults.parts import script
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening


@pytest.mark.skipif(os.geteuid() != 0, reason="making a network namespace takes root")
@pytest.mark.parametrize("how", ["recv", "poll", "epoll"])
def test_a_thread_in_another_network_namespace_does_not_sleep_for_good(
    how: str, host: Host, processes: Processes
) -> None:
    before, port = host.sums(), free_port()
    server = processes.start(script("late_server.py", str(port)), host.environment(True))
    wait_listening(port, server)
    asker = processes.start(script("elsewhere.py", str(port), how), host.environment(True))
    assert asker.wait(30) == 0, processes.log(asker)
    assert server.wait(5) == 0, processes.log(server)
    host.wait_alone()
    assert host.sums().since(before).tcp_bytes == 0
