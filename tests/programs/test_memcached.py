"""memcached with four threads, and a client of its text protocol."""

from __future__ import annotations

import sys

from tests.programs.needs import SCRIPTS, need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, stop, wait_listening

PAYLOAD_BYTES = 8 * 20 * 575_220


@every_combination
def test_every_value_comes_back(combination: Combination, host: Host, processes: Processes) -> None:
    meter = Meter(host, combination)
    port = free_port()
    words = [need("memcached", "memcached"), "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "4"]
    server = processes.start([*words, "-m", "200"], host.environment(combination.server))
    wait_listening(port, server)
    client = [sys.executable, str(SCRIPTS / "memcached_client.py"), str(port)]
    output = processes.check(client, host.environment(combination.client))
    assert output.startswith("0 failures"), output
    assert stop(server) == 0
    meter.check(bytes_min=2 * 2 * PAYLOAD_BYTES)
