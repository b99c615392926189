"""iperf3: both directions, four streams, both at once."""

from __future__ import annotations

import json
import subprocess
from functools import partial

from tests.programs.needs import need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, stop, wait_listening, wait_until

MODES = {
    "to_server": (),
    "to_client": ("-R",),
    "four_streams": ("-P", "4"),
    "four_streams_to_client": ("-P", "4", "-R"),
    "both_at_once": ("--bidir",),
    "small_blocks": ("-l", "1000", "-N"),
    "nonblocking_file_blocks": ("-Z",),
}
BYTES_MIN = 1_000_000


def seen(processes: Processes, server: subprocess.Popen[bytes], text: str) -> bool:
    """Whether the server has printed a text."""
    return text in processes.log(server)


@every_combination
def test_streams(combination: Combination, host: Host, processes: Processes) -> None:
    iperf3 = need("iperf3", "iperf3")
    meter = Meter(host, combination)
    port = free_port()
    words = [iperf3, "-s", "-p", str(port), "--forceflush"]
    server = processes.start(words, host.environment(combination.server))
    wait_listening(port, server)
    for number, (name, mode) in enumerate(MODES.items(), 1):
        # The server listens anew for each test; who comes too early is reset, on the kernel as well.
        wait_until(partial(seen, processes, server, f"(test #{number})"), "the server listens again")
        command = [iperf3, "-c", "127.0.0.1", "-p", str(port), "-J", "-n", "20M", *mode]
        if "--bidir" in mode:
            command[command.index("-n") : command.index("-n") + 2] = ["-t", "1"]
        outcome = processes.run(command, host.environment(combination.client), timeout_s=15)
        assert outcome.code == 0, f"{name}: {outcome}"
        report = json.loads(outcome.output)
        assert "error" not in report, f"{name}: {report['error']}"
        for key in ("sum_sent", "sum_received"):
            assert report["end"][key]["bytes"] >= BYTES_MIN, f"{name}: {report['end'][key]}"
        if "--bidir" in mode:
            assert report["end"]["sum_received_bidir_reverse"]["bytes"] >= BYTES_MIN, name
    stop(server)
    meter.check(bytes_min=2 * 100_000_000)
