"""Every entry point answers what libc's function answers: in a program without a monitor, and over shared memory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.native.shim_programs import FORTIFIED, PLAIN, SHARED, build, run
from tests.support.host import Host

PROGRAMS = {
    "bytes": PLAIN,
    "cancel": PLAIN,
    "streams": PLAIN,
    "descriptors": PLAIN,
    "processes": PLAIN,
    "numbers": PLAIN,
    "options": PLAIN,
    "fortified": FORTIFIED,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_a_monitor_as_libc(name: str, tmp_path: Path, own_host: Host) -> None:
    program = build(name, tmp_path, PROGRAMS[name])
    assert run(program, own_host.environment(shim=True)) == run(program, own_host.environment(shim=False))


@pytest.mark.parametrize("name", PROGRAMS)
def test_in_shared_memory_as_libc(name: str, tmp_path: Path, host: Host) -> None:
    program = build(name, tmp_path, PROGRAMS[name])
    before = host.sums()
    assert run(program, host.environment(shim=True)) == run(program, host.environment(shim=False))
    host.wait_alone()
    assert host.sums().since(before).shm_bytes > 0, "no byte went through shared memory"


def test_disabled_as_libc(tmp_path: Path, own_host: Host) -> None:
    program = build("bytes", tmp_path)
    plain = run(program, own_host.environment(shim=False))
    assert run(program, own_host.environment(shim=True, SDCORE_DISABLE="1")) == plain


@pytest.mark.parametrize(("value", "uses"), [("", True), ("0", True), ("1", False), ("banana", False)])
def test_only_nothing_and_0_leave_acceleration_on(tmp_path: Path, host: Host, value: str, uses: bool) -> None:
    """What one cannot read is the safe side: the program stays on kernel TCP."""
    before = host.sums()
    run(build("bytes", tmp_path), host.environment(shim=True, SDCORE_DISABLE=value))
    host.wait_alone()
    assert (host.sums().since(before).shm_bytes > 0) == uses


def test_calls_before_the_constructor_pass(tmp_path: Path, own_host: Host) -> None:
    """Other libraries' constructors may run first; theirs does, since it is preloaded behind ours."""
    early = build("early", tmp_path, SHARED)
    plain = run(Path("/bin/true"), own_host.environment(shim=False, LD_PRELOAD=str(early)))
    both = f"{own_host.library}:{early}"
    assert "send" in plain
    assert run(Path("/bin/true"), own_host.environment(shim=True, LD_PRELOAD=both)) == plain


def test_a_child_forked_beside_the_first_socket_makes_its_own(tmp_path: Path, own_host: Host) -> None:
    program = build("first_socket", tmp_path, (*PLAIN, "-pthread"))
    for turns in (0, 1_000, 10_000, 50_000, 100_000):
        words = [str(program), str(turns)]
        assert subprocess.run(words, env=own_host.environment(shim=True), check=False, timeout=30).returncode == 0


def test_a_linked_program_needs_no_preload(tmp_path: Path, host: Host) -> None:
    library = host.library
    link = ("-L", str(library.parent), "-Wl,--no-as-needed", f"-l:{library.name}", f"-Wl,-rpath,{library.parent}")
    program = build("bytes", tmp_path, (*PLAIN, *link))
    before = host.sums()
    environ = host.environment(shim=True)
    del environ["LD_PRELOAD"]
    linked = run(program, environ)
    assert linked == run(build("bytes", tmp_path), host.environment(shim=False))
    host.wait_alone()
    assert host.sums().since(before).shm_bytes > 0
