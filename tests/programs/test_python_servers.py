"""python -m http.server and a small asyncio server, with curl."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.programs.needs import SCRIPTS, need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening

SIZES = (8, 4096, 100_000, 5_000_000)


def content(size: int) -> bytes:
    """What the server holds at a path of this size."""
    return b"%08d" % size * (size // 8)


def fetch(processes: Processes, env: dict[str, str], folder: Path, port: int) -> None:
    """Get every size, twice over one connection if the server keeps it."""
    targets = [(size, folder / f"got-{size}-{turn}") for turn in range(2) for size in SIZES]
    command = [need("curl", "curl"), "-sS", "--fail", "--max-time", "20"]
    for size, target in targets:
        command += [f"http://127.0.0.1:{port}/{size}", "-o", str(target)]
    processes.check(command, env)
    for size, target in targets:
        assert target.read_bytes() == content(size)


@every_combination
def test_http_server(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    meter = Meter(host, combination)
    port = free_port()
    for size in SIZES:
        (tmp_path / str(size)).write_bytes(content(size))
    words = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    server = processes.start(words, host.environment(combination.server))
    wait_listening(port, server)
    fetch(processes, host.environment(combination.client), tmp_path, port)
    assert server.poll() is None
    meter.check(bytes_min=2 * 2 * sum(SIZES))


@every_combination
def test_asyncio_server(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    meter = Meter(host, combination)
    port = free_port()
    words = [sys.executable, str(SCRIPTS / "asyncio_server.py"), str(port)]
    server = processes.start(words, host.environment(combination.server))
    wait_listening(port, server)
    env = host.environment(combination.client)
    fetch(processes, env, tmp_path, port)
    body = tmp_path / "body"
    body.write_bytes(content(3_000_000))
    url = f"http://127.0.0.1:{port}/"
    processes.check([need("curl", "curl"), "-sS", "--data-binary", f"@{body}", url, "-o", str(tmp_path / "back")], env)
    assert (tmp_path / "back").read_bytes() == body.read_bytes()
    assert processes.log(server) == ""
    meter.check(bytes_min=2 * (2 * sum(SIZES) + 2 * 3_000_000))
