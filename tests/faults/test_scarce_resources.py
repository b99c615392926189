"""Few descriptors, little memory, small files, no way to the monitor: kernel TCP, and never an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.semantics.scenarios import Scenario, Variant, run, scenarios
from tests.support.host import Host
from tests.support.processes import Processes

PRLIMIT = "prlimit"
NAMES = ("echo_of_odd_sizes", "half_close_by_us", "epoll_edge_after_eagain", "four_threads_open_and_close")
CHOSEN = [scenario for scenario in scenarios() if scenario.name in NAMES]
LIMITS = {
    "descriptors_18": f"{PRLIMIT} --nofile=18",  # what four_threads_open_and_close needs by itself
    "address_space_200_MB": f"{PRLIMIT} --as=200000000",
    "address_space_2_GB": f"{PRLIMIT} --as=2000000000",
    "no_files": f"{PRLIMIT} --fsize=0",
    "small_files": f"{PRLIMIT} --fsize=100000",
    "no_locked_memory": f"{PRLIMIT} --memlock=0",
    "few_processes": f"{PRLIMIT} --nproc=1000",
}
OWN = Variant("accepted", "own")


def limited(program: Path, limit: str, folder: Path) -> Path:
    """A script that runs the scenarios under a limit."""
    path = folder / "limited"
    path.write_text(f'#!/bin/sh\nexec {limit} "{program}" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("scenario", CHOSEN, ids=str)
@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_works_under_a_limit(
    scenario: Scenario, limit: str, *, program: Path, host: Host, processes: Processes, tmp_path: Path
) -> None:
    words = limited(program, limit, tmp_path)
    expected = run(words, scenario, OWN, processes, env=host.environment(False))
    assert expected.code == 0, f"the limit is too small for the kernel alone: {expected}"
    outcome = run(words, scenario, OWN, processes, env=host.environment(True))
    assert (outcome.code, outcome.output, outcome.errors) == (0, expected.output, "")


def environments(host: Host, folder: Path) -> dict[str, dict[str, str]]:
    """Environments in which there is no way to a monitor."""
    (folder / "file").write_text("")
    return {
        "empty_directory": host.environment(True, SDCORE_RUNTIME_DIR=str(folder)),
        "missing_directory": host.environment(True, SDCORE_RUNTIME_DIR=str(folder / "missing")),
        "not_a_directory": host.environment(True, SDCORE_RUNTIME_DIR=str(folder / "file")),
        "relative": host.environment(True, SDCORE_RUNTIME_DIR="somewhere"),
        "too_long": host.environment(True, SDCORE_RUNTIME_DIR="/" + "x" * 300),
        "empty": host.environment(True, SDCORE_RUNTIME_DIR=""),
        "disabled": host.environment(True, SDCORE_DISABLE="1"),
        "no_environment": {"LD_PRELOAD": str(host.library), "SDCORE_RUNTIME_DIR": "/nonexistent"},
    }


@pytest.mark.parametrize(
    "name",
    [
        "empty_directory",
        "missing_directory",
        "not_a_directory",
        "relative",
        "too_long",
        "empty",
        "disabled",
        "no_environment",
    ],
)
def test_works_without_a_way_to_the_monitor(
    name: str, program: Path, host: Host, processes: Processes, tmp_path: Path
) -> None:
    before = host.sums()
    env = environments(host, tmp_path)[name]
    for scenario in CHOSEN:
        expected = run(program, scenario, OWN, processes, env=host.environment(False))
        outcome = run(program, scenario, OWN, processes, env=env)
        assert (outcome.code, outcome.output, outcome.errors) == (0, expected.output, "")
    assert host.sums().since(before).shm_bytes == 0


@pytest.mark.parametrize("closed", ["<&-", "<&- >&2", "2>&-", "<&- 2>&-"])
def test_standard_descriptors_closed_at_the_start(
    closed: str, program: Path, host: Host, processes: Processes, tmp_path: Path
) -> None:
    script = tmp_path / "closed"
    script.write_text(f'#!/bin/sh\nexec "{program}" "$@" {closed}\n')
    script.chmod(0o755)
    (scenario,) = [scenario for scenario in scenarios() if scenario.name == "lowest_descriptor_first"]
    expected = run(script, scenario, OWN, processes, env=host.environment(False))
    outcome = run(script, scenario, OWN, processes, env=host.environment(True))
    assert expected.code == 0
    assert (outcome.code, outcome.output, outcome.errors) == (0, expected.output, expected.errors)
