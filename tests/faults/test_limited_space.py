"""A program that limits its own address space has all of it for itself; the library's mappings do not count."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.host import Host
from tests.support.processes import Processes, free_port, stop, wait_listening

SCRIPTS = Path(__file__).parent / "scripts"
MAPPING_KIB = 64 << 10  # of locked_memory.py
WITHOUT_RIGHTS = ("setpriv", "--bounding-set", "-sys_resource")
LIMIT = ("env", "-u", "LD_PRELOAD", "prlimit", "--as=1000000000", *WITHOUT_RIGHTS)  # not set under the library


def said(host: Host, processes: Processes, *words: str, shim: bool, before: tuple[str, ...] = ()) -> str:
    """What the program prints, with an echo server of its own kind at the other end."""
    port = free_port()
    server = processes.start([sys.executable, str(SCRIPTS / "echo_server.py"), str(port)], host.environment(shim))
    wait_listening(port, server)
    command = [*before, sys.executable, "-S", str(SCRIPTS / "limited_space.py"), str(port), *words]
    program = processes.start(command, host.environment(shim))
    assert program.wait(60) == 0, processes.log(program)
    stop(server)
    return processes.log(program)


@pytest.mark.parametrize("words", [(), ("before",)], ids=["set_before_the_first_connection", "set_after_it"])
def test_a_limit_that_a_program_sets_is_its_own(words: tuple[str, ...], own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    expected = said(own_host, processes, *words, shim=False)
    assert "enough" in expected
    assert "none" in expected
    assert said(own_host, processes, *words, shim=True) == expected
    own_host.wait_alone()
    assert own_host.sums().shm_bytes > 0
    assert own_host.sums().tcp_bytes == 0


def test_where_no_limit_can_be_raised_a_reason_is_counted(own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    expected = said(own_host, processes, shim=False, before=LIMIT)
    preload = own_host.environment(True)["LD_PRELOAD"]
    assert said(own_host, processes, shim=True, before=(*LIMIT, "env", f"LD_PRELOAD={preload}")) == expected
    own_host.wait_alone()
    assert own_host.sums().shm_bytes == 0
    assert own_host.sums().reasons["no_memory"] > 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("flags", ["1", "2", "3", "5"], ids=["current", "future", "both", "on_fault"])
def test_what_is_locked_is_the_program(when: str, flags: str, own_host: Host, processes: Processes) -> None:
    own_host.start_monitor()
    resident, filled = {}, {}
    for shim in (False, True):
        words = [sys.executable, "-S", str(SCRIPTS / "locked_memory.py"), when, flags]
        program = processes.start(words, own_host.environment(shim))
        assert program.wait(60) == 0, processes.log(program)
        resident[shim], grown = map(int, processes.log(program).split())
        filled[shim] = grown // MAPPING_KIB
    assert filled[True] == filled[False], "mappings that are not touched"
    assert resident[True] < resident[False] + MAPPING_KIB
    own_host.wait_alone()
    assert own_host.sums().tcp_bytes == 0
    assert own_host.sums().shm_bytes > 0
