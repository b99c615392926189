"""postgres, which forks for each connection, with pgbench."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.needs import as_user, need, need_user
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, stop, wait_until

PACKAGE = "postgresql"
USER = "postgres"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """An empty database in a directory of its own."""
    initdb = need("initdb", PACKAGE)
    need_user(USER, PACKAGE)
    folder = Path(tempfile.mkdtemp(prefix="sd-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
    words = as_user(USER, initdb, "-D", str(folder / "data"), "-A", "trust", "--no-sync", "-U", USER)
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
    server = processes.start(as_user(USER, *words), shared_host.environment(combination.server), cwd=cluster)
    wait_until(lambda: "ready to accept connections" in processes.log(server), "postgres is ready", 20)
    client = as_user(USER, pgbench, "-h", "127.0.0.1", "-p", str(port), "-U", USER, USER)
    env = shared_host.environment(combination.client)
    processes.check([*client, "-i", "-q", "-s", "1"], env)
    output = processes.check([*client, "-c", "4", "-j", "2", "-t", "100"], env)
    assert "number of failed transactions: 0" in output, output
    assert re.search(r"actually processed: 400/400", output), output
    output = processes.check([*client, "-S", "-C", "-c", "2", "-t", "30"], env)  # a connection for each transaction
    assert re.search(r"actually processed: 60/60", output), output
    assert stop(server, signal.SIGINT) == 0, processes.log(server)
    meter.check(bytes_min=1_000_000)
