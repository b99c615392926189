"""Many hosts with many connections: served by RDMA, and small enough that a hundred thousand fit into memory."""

from __future__ import annotations

import tracemalloc

from sdsim.run import run
from sdsim.scenario_file import load

ROOM_BYTES = 2 << 30
CONNECTIONS = 100_000


def test_each_host_reaches_the_next_ones_by_rdma() -> None:
    done = run(load("mesh", ["site.hosts=5", "workload.connections=7", "workload.count=2"]))
    assert (done.result.modes, done.result.faults) == ({"ring": 35}, {})
    assert done.result.messages == 5 * 7 * 2 * 2


def test_a_hundred_thousand_connections_of_a_thousand_hosts_fit_into_two_gibibytes() -> None:
    small, large = (
        load("mesh", [f"site.hosts={hosts}", "workload.connections=25", "workload.count=1"]) for hosts in (2, 8)
    )
    run(small)  # what is made once is made now
    peaks = []
    for scenario in (small, large):
        tracemalloc.start()
        try:
            run(scenario)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    each = (peaks[1] - peaks[0]) / (6 * 25)
    assert each * CONNECTIONS < ROOM_BYTES
