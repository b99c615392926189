"""kill -9 of random processes of two families of ten that share connections: no hang, no leak, no byte wrong.

What is demanded of bytes stands at the head of c/tree.c. `SDCORE_KILLS=N` kills N processes instead of a few.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.faults.test_memory_comes_back import regions_and_slabs
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening, wait_until

KILLS = int(os.environ.get("SDCORE_KILLS", "80"))
SEED = int(os.environ.get("SDCORE_SEED", "1"))
SOURCE = Path(__file__).parent / "c" / "tree.c"
END_S = 30 + KILLS / 10


def build(folder: Path) -> str:
    """Compile a family."""
    words = ("cc", "-std=gnu11", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror")
    subprocess.run((*words, "-o", str(folder / "tree"), str(SOURCE)), check=True)
    return str(folder / "tree")


def test_nothing_is_lost_when_a_tree_is_killed(own_host: Host, processes: Processes, tmp_path: Path) -> None:
    own_host.start_monitor()
    book, port = tmp_path / "book", free_port()
    book.touch()
    words = (build(tmp_path),)
    rest = (str(port), str(book), str(KILLS // 2), str(SEED))
    listening = processes.start([*words, "listen", *rest], own_host.environment(True))
    wait_listening(port, listening)
    wait_until(lambda: own_host.status()["listeners"] == 1, "the monitor knows the listener")
    connecting = processes.start([*words, "connect", *rest], own_host.environment(True))
    for family in (listening, connecting):
        try:
            assert family.wait(END_S) == 0, processes.log(family)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(processes.log(listening) + processes.log(connecting)) from late
    assert "sent " in processes.log(listening)
    own_host.wait_alone()
    assert own_host.sums().tcp_bytes == 0
    assert own_host.sums().shm_bytes > 0
    assert own_host.monitor is not None
    assert not regions_and_slabs(own_host.monitor.pid), "the monitor keeps memory of the dead"
