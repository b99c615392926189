"""node: an HTTP server and an HTTP client."""

from __future__ import annotations

from tests.programs.needs import SCRIPTS, need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening


@every_combination
def test_requests_uploads_downloads(combination: Combination, host: Host, processes: Processes) -> None:
    node = need("node", "nodejs")
    meter = Meter(host, combination)
    port = free_port()
    script = str(SCRIPTS / "http.js")
    server = processes.start([node, script, "server", str(port)], host.environment(combination.server))
    wait_listening(port, server)
    client = [node, script, "client", str(port)]
    assert processes.check(client, host.environment(combination.client)) == "done\n"
    assert server.poll() is None
    meter.check(bytes_min=2 * 2 * 3 * 4_000_000)
