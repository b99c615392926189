"""haproxy in front of two servers, reloaded under load: the new worker gets the listening sockets from the old one."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.programs.http_load import HttpLoad
from tests.programs.needs import SCRIPTS, need
from tests.support.combinations import Combination, main_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, stop, wait_listening, wait_until

SIZES = (8, 3_000, 400_000)
CONFIGURATION = """
global
    maxconn 200
    stats socket {folder}/control level admin expose-fd listeners
defaults
    mode http
    option redispatch 1
    retries 3
    retry-on all-retryable-errors
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend web
    bind 127.0.0.1:{port}
    default_backend servers
backend servers
    balance roundrobin
    server one 127.0.0.1:{one}
    server two 127.0.0.1:{two}
"""


def content(size: int) -> bytes:
    """What the servers hold at a path of this size."""
    return b"%08d" % size * (size // 8)


def files(folder: Path) -> dict[str, Path]:
    """For each path what the servers answer."""
    paths = {str(size): folder / str(size) for size in SIZES}
    for size in SIZES:
        paths[str(size)].write_bytes(content(size))
    return paths


def start_server(processes: Processes, env: dict[str, str]) -> int:
    """Start one of the two; return its port."""
    port = free_port()
    server = processes.start([sys.executable, str(SCRIPTS / "asyncio_server.py"), str(port)], env)
    wait_listening(port, server)
    return port


@main_combination
def test_two_servers(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    """The proxy is the server of the combination; its servers run as the client does."""
    haproxy = need("haproxy", "haproxy")
    before = host.sums()
    one, two = (start_server(processes, host.environment(combination.client)) for _ in range(2))
    port = free_port()
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(CONFIGURATION.format(folder=tmp_path, port=port, one=one, two=two))
    words = [haproxy, "-W", "-db", "-S", f"unix@{tmp_path}/master", "-f", str(configuration)]
    proxy = processes.start(words, host.environment(combination.server))
    wait_listening(port, proxy)
    load = HttpLoad(processes, host.environment(combination.client), port, files(tmp_path))
    load.wait_more(100)
    proxy.send_signal(signal.SIGUSR2)
    wait_until(lambda: processes.log(proxy).count("Loading success") >= 2, "the new worker")
    load.wait_more(100)
    answers = load.finish()
    assert stop(proxy) in (0, 143), processes.log(proxy)
    combination.check(host.printed_sums().since(before), 2 * answers * sum(SIZES) // len(SIZES))
