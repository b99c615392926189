"""Java: the HTTP server of the JDK, its HTTP client (selectors), and blocking sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.needs import SCRIPTS, need
from tests.support.combinations import Combination, Meter, main_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening

LIMITS = ("-Xmx200m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
LARGE_BYTES = 1_000_003 + 4_000_000


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled program."""
    need("java", "default-jdk-headless")
    folder = tmp_path_factory.mktemp("java")
    with Processes(folder) as processes:
        compiler = [need("javac", "default-jdk-headless"), "-d", str(folder), str(SCRIPTS / "Http.java")]
        processes.check(compiler, {"PATH": "/usr/bin:/bin"}, timeout_s=60)
    return folder


@main_combination
def test_requests_uploads_downloads(combination: Combination, host: Host, processes: Processes, program: Path) -> None:
    meter = Meter(host, combination)
    port = free_port()
    java = [need("java", "default-jdk-headless"), *LIMITS, "-cp", str(program), "Http"]
    server = processes.start([*java, "server", str(port)], host.environment(combination.server))
    wait_listening(port, server, 30)
    client = [*java, "client", str(port)]
    assert processes.check(client, host.environment(combination.client), timeout_s=60) == "done\n"
    assert server.poll() is None
    meter.check(bytes_min=2 * 3 * LARGE_BYTES)
