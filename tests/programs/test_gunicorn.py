"""gunicorn: prefork with one request at a time in each worker, and with threads; reloaded under load."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.programs.http_load import HttpLoad
from tests.programs.needs import SCRIPTS, need
from tests.support.combinations import Combination, Meter, main_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, stop, wait_listening, wait_until

SIZES = (5, 3_000, 400_000)
KINDS = {
    "prefork": ("-k", "sync", "-w", "3"),
    "threads": ("-k", "gthread", "-w", "2", "--threads", "3"),
}


def files(folder: Path) -> dict[str, Path]:
    """For each path what the application answers."""
    paths = {str(size): folder / str(size) for size in SIZES}
    for size in SIZES:
        paths[str(size)].write_bytes((b"%08d" % size * (size // 8 + 1))[:size])
    return paths


@main_combination
@pytest.mark.parametrize("kind", KINDS)
def test_workers_under_load(
    combination: Combination, kind: str, host: Host, processes: Processes, tmp_path: Path
) -> None:
    gunicorn = need("gunicorn", "gunicorn")
    meter = Meter(host, combination)
    port = free_port()
    words = [gunicorn, "-b", f"127.0.0.1:{port}", "--chdir", str(SCRIPTS), *KINDS[kind], "wsgi:application"]
    environment = host.environment(combination.server, PYTHONDONTWRITEBYTECODE="1")
    server = processes.start(words, environment)
    wait_listening(port, server)
    ways = ("fresh", "fresh", "slow")
    load = HttpLoad(processes, host.environment(combination.client), port, files(tmp_path), ways=ways)
    load.wait_more(100)
    booted = processes.log(server).count("Booting worker")
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: processes.log(server).count("Booting worker") > booted, "new workers")
    load.wait_more(100)
    answers = load.finish()
    assert stop(server) == 0, processes.log(server)
    assert "Traceback" not in processes.log(server), processes.log(server)
    meter.check(bytes_min=answers * sum(SIZES) // len(SIZES))
