"""postgres, which forks for each connection, with pgbench."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.needs import need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, stop, wait_until

PACKAGE = "postgresql"
USER = "postgres"


def as_postgres(*words: str) -> list[str]:
    """The command line as the server's user: postgres refuses to run as root."""
    if os.geteuid() != 0:
        return list(words)
    setpriv = need("setpriv", "util-linux")
    return [setpriv, f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *words]


@pytest.fixture(scope="module")
def shared_host() -> Iterator[Host]:
    """A monitor for all users, since the server is not ours; with a library that its user may read."""
    host = Host(system=os.geteuid() == 0)
    try:
        host.start_monitor()
        host.library = Path(shutil.copy(host.library, host.directory / "libsd.so"))
        host.library.chmod(0o755)
        yield host
    finally:
        host.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """An empty database in a directory of its own."""
    initdb = need("initdb", PACKAGE)
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(USER)
        except KeyError:
            pytest.skip(f"no user {USER} (Debian package {PACKAGE})")
    folder = Path(tempfile.mkdtemp(prefix="sd-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
    words = as_postgres(initdb, "-D", str(folder / "data"), "-A", "trust", "--no-sync", "-U", USER)
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=60)
    yield folder
    shutil.rmtree(folder)


@every_combination
def test_pgbench(combination: Combination, shared_host: Host, cluster: Path, processes: Processes) -> None:
    pgbench = need("pgbench", PACKAGE)
    meter = Meter(shared_host, combination)
    port = free_port()
    settings = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "logging_collector=off"]
    words = [need("postgres", PACKAGE), "-D", str(cluster / "data"), "-k", str(cluster), "-p", str(port), *settings]
    server = processes.start(as_postgres(*words), shared_host.environment(combination.server), cwd=cluster)
    wait_until(lambda: "ready to accept connections" in processes.log(server), "postgres is ready", 20)
    client = as_postgres(pgbench, "-h", "127.0.0.1", "-p", str(port), "-U", USER, USER)
    env = shared_host.environment(combination.client)
    processes.check([*client, "-i", "-q", "-s", "1"], env)
    output = processes.check([*client, "-c", "4", "-j", "2", "-t", "100"], env)
    assert "number of failed transactions: 0" in output, output
    assert re.search(r"actually processed: 400/400", output), output
    output = processes.check([*client, "-S", "-C", "-c", "2", "-t", "30"], env)  # a connection for each transaction
    assert re.search(r"actually processed: 60/60", output), output
    assert stop(server, signal.SIGINT) == 0, processes.log(server)
    meter.check(bytes_min=1_000_000)
