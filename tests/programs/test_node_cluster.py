"""node's cluster: workers that share a listening socket, or get each connection from the primary (SCM_RIGHTS)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.http_load import HttpLoad
from tests.programs.needs import SCRIPTS, need
from tests.support.combinations import Combination, main_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening, wait_until

SIZES = (5, 3_000, 400_000)


def files(folder: Path) -> dict[str, Path]:
    """For each path what the server answers."""
    paths = {str(size): folder / str(size) for size in SIZES}
    for size in SIZES:
        paths[str(size)].write_bytes((f"{size}:" * size)[:size].encode())
    return paths


@main_combination
@pytest.mark.parametrize("policy", ["robin", "shared"])
def test_workers(combination: Combination, policy: str, host: Host, processes: Processes, tmp_path: Path) -> None:
    before = host.sums()
    port = free_port()
    words = [need("node", "nodejs"), str(SCRIPTS / "cluster.js"), str(port), "2", policy]
    server = processes.start(words, host.environment(combination.server))
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    wait_listening(port, server)
    wait_until(lambda: len(children.read_text().split()) == 2, "two workers")
    load = HttpLoad(processes, host.environment(combination.client), port, files(tmp_path))
    load.wait_more(300)
    answers = load.finish()
    assert server.poll() is None
    moved = host.printed_sums().since(before)
    bytes_min = answers * sum(SIZES) // len(SIZES)
    if policy == "shared" or not combination.server:
        combination.check(moved, bytes_min)
    else:  # what is passed to another process is kernel TCP from then on
        assert moved.shm_bytes < bytes_min // 10, moved
        assert moved.reasons["moved_passed" if combination.client else "peer_plain"] > answers // 10, moved
