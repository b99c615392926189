"""MariaDB, with a thread for each connection and with its pool of threads (epoll), and its own client."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.needs import need
from tests.support.combinations import Combination, Meter, main_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, stop, wait_listening

PACKAGE = "mariadb-server-core"
CLIENTS = 6
ROWS = 300
VALUE_BYTES = 2_000
LARGE_BYTES = 4_000_000
INNODB = ("--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0")


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder with a short name, since the server's Unix socket is in it."""
    made = Path(tempfile.mkdtemp(prefix="sd-mariadb-"))
    (made / "data").mkdir()
    yield made
    shutil.rmtree(made)


def script(number: int) -> str:
    """What one client does: a table of its own, rows one by one, sums, transactions, a large value."""
    rows = "".join(f"insert into t{number} values ({i}, repeat('{i % 10}', {VALUE_BYTES}));\n" for i in range(ROWS))
    return f"""
create table d.t{number} (id int primary key, value longtext) engine=innodb; use d;
{rows}
select count(*), sum(id), sum(length(value)) from t{number};
begin; update t{number} set id = id + 100000; rollback;
begin; delete from t{number} where id % 2; commit;
select value from t{number} order by id;
select repeat('z', {LARGE_BYTES});
select sum(id) from t{number};
"""


def expected() -> str:
    """What the client must print for it, but for the names of columns."""
    even = [i for i in range(ROWS) if i % 2 == 0]
    lines = [f"{ROWS}\t{sum(range(ROWS))}\t{ROWS * VALUE_BYTES}"]
    lines += [str(i % 10) * VALUE_BYTES for i in even]
    return "\n".join([*lines, "z" * LARGE_BYTES, str(sum(even)), ""])


@main_combination
@pytest.mark.parametrize("threads", ["one-thread-per-connection", "pool-of-threads"])
def test_clients_at_once(
    combination: Combination, threads: str, host: Host, processes: Processes, folder: Path
) -> None:
    client = need("mariadb", "mariadb-client-core")
    meter = Meter(host, combination)
    port = free_port()
    words = [need("mariadbd", PACKAGE), "--no-defaults", f"--datadir={folder}/data", f"--socket={folder}/socket"]
    words += ["--bind-address=127.0.0.1", f"--port={port}", "--skip-grant-tables", "--skip-networking=0", *INNODB]
    words += [f"--thread-handling={threads}", "--thread-pool-size=2", *["--user=root"] * (os.geteuid() == 0)]
    server = processes.start([*words, "--max-allowed-packet=16M"], host.environment(combination.server), cwd=folder)
    wait_listening(port, server, 30)
    env = host.environment(combination.client)
    command = [client, "--no-defaults", "-h127.0.0.1", f"-P{port}", "-N", "--max-allowed-packet=16M"]
    processes.check([*command, "-e", "create database d"], env)
    scripts = [folder / f"script{number}" for number in range(CLIENTS)]
    for number, path in enumerate(scripts):
        path.write_text(script(number))
    running = [processes.start([*command, "-e", f"source {path}"], env) for path in scripts]
    for each in running:
        assert each.wait(60) == 0, processes.log(each)
        assert processes.log(each) == expected()
    assert stop(server, timeout_s=30) == 0, processes.log(server)
    meter.check(bytes_min=2 * CLIENTS * (LARGE_BYTES + ROWS * VALUE_BYTES // 2))
