"""A server that gets its listening socket from a manager without the library, as from systemd or inetd."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from tests.programs.needs import SCRIPTS, need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes

SIZE = 300_000
REQUESTS = 5


@every_combination
def test_inherited_listener_serves(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    meter = Meter(host, combination)
    curl = need("curl", "curl")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        words = [sys.executable, str(SCRIPTS / "activated_server.py"), str(listener.fileno())]
        server = processes.start(words, host.environment(combination.server), pass_fds=[listener.fileno()])
        for size in [1] + [SIZE] * REQUESTS:  # the first is served before anybody knows that the server accepts there
            target = str(tmp_path / "answer")
            url = f"http://127.0.0.1:{port}/{size}"
            processes.check([curl, "-sS", "--fail", "-o", target, url], host.environment(combination.client))
            assert Path(target).read_bytes() == b"x" * size
    assert server.poll() is None
    meter.check(bytes_min=2 * REQUESTS * SIZE)
