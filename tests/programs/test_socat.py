"""socat: a forking echo server, cat behind a socket, and a relay between two connections."""

from __future__ import annotations

import pytest

from tests.programs.needs import need
from tests.support.combinations import Combination, Meter, every_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening

TEXT = "".join(f"line {number}\n" for number in range(200_000))


def listen(host: Host, processes: Processes, shim: bool, target: str) -> int:
    """Start a socat that forks for each connection and joins it with `target`; return its port."""
    port = free_port()
    words = [need("socat", "socat"), f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", target]
    wait_listening(port, processes.start(words, host.environment(shim)))
    return port


def echo(host: Host, processes: Processes, shim: bool, port: int, text: str) -> None:
    """Send a text through a client and compare what comes back."""
    words = [need("socat", "socat"), "-t", "10", "-", f"TCP:127.0.0.1:{port}"]
    assert processes.check(words, host.environment(shim), text=text) == text


@every_combination
@pytest.mark.parametrize("target", ["PIPE", "EXEC:cat", "SYSTEM:cat"])
def test_echo(combination: Combination, target: str, host: Host, processes: Processes) -> None:
    meter = Meter(host, combination)
    port = listen(host, processes, combination.server, target)
    for text in ("short\n", TEXT):
        echo(host, processes, combination.client, port, text)
    meter.check(bytes_min=2 * 2 * len(TEXT))


@every_combination
def test_program_on_the_socket_itself(combination: Combination, host: Host, processes: Processes) -> None:
    """nofork: cat gets the connection as its standard input and output; this one ends on kernel TCP."""
    port = listen(host, processes, combination.server, "EXEC:cat,nofork")
    echo(host, processes, combination.client, port, TEXT)


@every_combination
def test_relay(combination: Combination, host: Host, processes: Processes) -> None:
    meter = Meter(host, combination)
    inner = listen(host, processes, combination.server, "PIPE")
    outer = listen(host, processes, combination.client, f"TCP:127.0.0.1:{inner}")
    echo(host, processes, combination.server, outer, TEXT)
    meter.check(bytes_min=2 * 4 * len(TEXT))
