"""Servers of every kind at their Unix sockets: one thread, several, a process for each connection, workers."""

from __future__ import annotations

import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs.needs import SCRIPTS, as_user, need
from tests.programs.test_memcached import PAYLOAD_BYTES
from tests.programs.test_nginx import content
from tests.programs.test_postgres import PACKAGE, USER, cluster
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, stop, wait_until

__all__ = ["cluster"]

LARGE_BYTES = 5_000_000
SIZES = (1, 4096, 65537, 10_000_000)
NGINX = """
daemon off; master_process on; worker_processes 2; user root; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off; root {folder}/www; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream self {{ server unix:{folder}/s; keepalive 4; }}
    server {{
        listen unix:{folder}/s;
        location /on/ {{ alias {folder}/www/; sendfile on; }}
        location /off/ {{ alias {folder}/www/; sendfile off; }}
        location /proxy/ {{ proxy_pass http://self/on/; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


@contextmanager
def short_folder() -> Iterator[Path]:
    """The path of a Unix socket may have 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="sd-u-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def wait_bound(path: Path, server: subprocess.Popen[bytes]) -> None:
    """Until the server has made its socket."""

    def bound() -> bool:
        assert server.poll() is None, f"the server ended with {server.returncode}"
        return path.exists() and stat.S_ISSOCK(path.stat().st_mode)

    wait_until(bound, f"a server at {path}")


@every_combination
def test_redis(combination: Combination, host: Host, processes: Processes) -> None:
    meter, env = Meter(host, combination), host.environment(combination.client)
    cli, benchmark = need("redis-cli", "redis-tools"), need("redis-benchmark", "redis-tools")
    with short_folder() as folder:
        path = folder / "s"
        words = [need("redis-server", "redis-server"), "--port", "0", "--unixsocket", str(path), "--save", ""]
        server = processes.start(words, host.environment(combination.server))
        wait_bound(path, server)
        large = "0123456789" * (LARGE_BYTES // 10)
        assert processes.check([cli, "-s", str(path), "-x", "set", "large"], env, text=large).strip() == "OK"
        assert processes.check([cli, "-s", str(path), "get", "large"], env).strip() == large
        clients = processes.check([cli, "-s", str(path), "client", "list"], env)
        assert re.search(rf"addr={path}:0 laddr={path}:0", clients), clients
        command = [benchmark, "-s", str(path), "-q"]
        for more in (["-n", "10000", "-c", "50"], ["-n", "20000", "-c", "20", "-P", "16"]):
            output = processes.check([*command, *more, "-t", "set,get,lpush"], env)
            assert len(re.findall(r"[\d.]+ requests per second", output)) == 3, output
        processes.check([cli, "-s", str(path), "shutdown", "nosave"], env)
        assert server.wait(10) == 0
    meter.check(bytes_min=4 * LARGE_BYTES)


@every_combination
def test_memcached(combination: Combination, host: Host, processes: Processes) -> None:
    meter = Meter(host, combination)
    with short_folder() as folder:
        path = folder / "s"
        words = [need("memcached", "memcached"), "-u", "root", "-s", str(path), "-t", "4", "-m", "200"]
        server = processes.start(words, host.environment(combination.server))
        wait_bound(path, server)
        client = [sys.executable, str(SCRIPTS / "memcached_client.py"), str(path)]
        output = processes.check(client, host.environment(combination.client))
        assert output.startswith("0 failures"), output
        assert stop(server) == 0
    meter.check(bytes_min=2 * 2 * PAYLOAD_BYTES)


@every_combination
def test_postgres(combination: Combination, shared_host: Host, cluster: Path, processes: Processes) -> None:
    meter = Meter(shared_host, combination)
    settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "logging_collector=off"]
    words = [need("postgres", PACKAGE), "-D", str(cluster / "data"), "-k", str(cluster), "-p", "5432", *settings]
    server = processes.start(as_user(USER, *words), shared_host.environment(combination.server), cwd=cluster)
    wait_until(lambda: "ready to accept connections" in processes.log(server), "postgres is ready", 20)
    client = as_user(USER, need("pgbench", PACKAGE), "-h", str(cluster), "-p", "5432", "-U", USER, USER)
    env = shared_host.environment(combination.client)
    processes.check([*client, "-i", "-q", "-s", "1"], env)
    output = processes.check([*client, "-c", "4", "-j", "2", "-t", "100"], env)
    assert re.search(r"actually processed: 400/400", output), output
    output = processes.check([*client, "-S", "-C", "-c", "2", "-t", "30"], env)  # a connection for each transaction
    assert re.search(r"actually processed: 60/60", output), output
    assert stop(server, signal.SIGINT) == 0, processes.log(server)
    meter.check(bytes_min=1_000_000)


@every_combination
def test_nginx(combination: Combination, host: Host, processes: Processes) -> None:
    meter = Meter(host, combination)
    curl = [need("curl", "curl"), "-sS", "--fail", "--max-time", "20", "--unix-socket"]
    with short_folder() as folder:
        (folder / "www").mkdir()
        for size in SIZES:
            (folder / "www" / str(size)).write_bytes(content(size))
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
        words = [need("nginx", "nginx-light"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
        server = processes.start(words, host.environment(combination.server))
        wait_bound(folder / "s", server)
        for way in ("on", "off", "proxy"):
            names = [word for size in SIZES for word in (f"http://x/{way}/{size}", "-o", str(folder / f"got-{size}"))]
            processes.check([*curl, str(folder / "s"), *names], host.environment(combination.client))
            assert all((folder / f"got-{size}").read_bytes() == content(size) for size in SIZES)
        assert stop(server) == 0, processes.log(server)
        assert "[alert]" not in processes.log(server), processes.log(server)
    if combination.server == combination.client:  # else what nginx says to itself goes by shared memory
        meter.check(bytes_min=2 * 2 * SIZES[-1])
