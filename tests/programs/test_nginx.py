"""nginx, a master and two workers, with curl and wrk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs.needs import need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, stop, wait_listening

SIZES = (1, 100, 4096, 65537, 1_000_000, 10_000_000)
CLOSE = ("-H", "Connection: close")
WRK_RUNS = (("/on/1",), ("/off/100", *CLOSE), ("/off/65537",), ("/on/1000000", *CLOSE))
CONFIGURATION = """
daemon off; master_process on; worker_processes 2; user root; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off; keepalive_timeout 20; keepalive_requests 100000; root {folder}/www;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /on/ {{ alias {folder}/www/; sendfile on; tcp_nopush on; }}
        location /off/ {{ alias {folder}/www/; sendfile off; }}
        location /proxy/ {{ proxy_pass http://127.0.0.1:{port}/on/; proxy_http_version 1.1; }}
    }}
}}
"""


def content(size: int) -> bytes:
    """What a file of this size holds."""
    return (b"%08d" % size + bytes(range(256)) * (size // 256 + 1))[:size] if size > 8 else b"x" * size


@contextmanager
def nginx(host: Host, processes: Processes, combination: Combination, folder: Path) -> Iterator[int]:
    """Serve files of all sizes; give the port. Ends with the graceful stop, which must end both workers."""
    port = free_port()
    (folder / "www").mkdir()
    for size in SIZES:
        (folder / "www" / str(size)).write_bytes(content(size))
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    words = [need("nginx", "nginx-light"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    server = processes.start(words, host.environment(combination.server))
    wait_listening(port, server)
    yield port
    assert stop(server) == 0, processes.log(server)
    assert "[alert]" not in processes.log(server), processes.log(server)


def fetch(processes: Processes, env: dict[str, str], folder: Path, base: str, *words: str) -> None:
    """Get every file in one run of curl, twice, and compare."""
    targets = [(size, folder / f"got-{size}-{turn}") for turn in range(2) for size in SIZES]
    command = [need("curl", "curl"), "-sS", "--fail", "--max-time", "20", *words]
    for size, target in targets:
        command += [f"{base}/{size}", "-o", str(target)]
    processes.check(command, env)
    for size, target in targets:
        assert target.read_bytes() == content(size), f"{base}/{size}"


@every_combination
def test_curl_gets_every_size(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    meter = Meter(host, combination)
    env = host.environment(combination.client)
    with nginx(host, processes, combination, tmp_path) as port:
        for path in ("on", "off"):
            fetch(processes, env, tmp_path, f"http://127.0.0.1:{port}/{path}")
            fetch(processes, env, tmp_path, f"http://127.0.0.1:{port}/{path}", "-H", "Connection: close")
        ranged = f"http://127.0.0.1:{port}/on/1000000"
        processes.check([need("curl", "curl"), "-sS", "-r", "1000-1999", "-o", str(tmp_path / "part"), ranged], env)
        assert (tmp_path / "part").read_bytes() == content(1_000_000)[1000:2000]
    meter.check(bytes_min=2 * 8 * sum(SIZES))


@every_combination
def test_proxy_is_client_and_server(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    before = host.printed_sums()
    with nginx(host, processes, combination, tmp_path) as port:
        fetch(processes, host.environment(combination.client), tmp_path, f"http://127.0.0.1:{port}/proxy")
    moved = host.printed_sums().since(before)
    ways = combination.server + (combination.server and combination.client)  # nginx talks to itself, too
    assert moved.shm_bytes >= 2 * ways * 2 * sum(SIZES)


@every_combination
def test_wrk(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    wrk = need("wrk", "wrk")
    meter = Meter(host, combination)
    env = host.environment(combination.client)
    with nginx(host, processes, combination, tmp_path) as port:
        for path, *header in WRK_RUNS:
            output = processes.check([wrk, "-t2", "-c10", "-d1s", *header, f"http://127.0.0.1:{port}{path}"], env)
            assert "Socket errors" not in output, output
            assert "Non-2xx" not in output, output
            (requests,) = re.findall(r"(\d+) requests in", output)
            assert int(requests) >= 10, output
    meter.check(bytes_min=1_000_000)
