"""Scenario files: a wrong one names the file, the line, the fault and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sdsim.cli import main

GOOD = 'description = "x"\n\n[workload]\nkind = "ping-pong"\ncount = 5\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD + "sise = 3\n", 6, ("sise", "unknown key", "size")),
        (GOOD.replace("5", "0"), 5, ("count", "greater than or equal to 1", "ge 1")),
        (GOOD.replace("5", '"many"'), 5, ("count", "integer")),
        (GOOD.replace("ping-pong", "ping"), 3, ("workload", "ping-pong, stream, many, mesh")),
        (GOOD + '\n[[fault]]\nverb = "kill"\nat_us = 1\n', 7, ("process", "is missing")),
        (GOOD + "[library]\nspins = -1\n", 7, ("spins", "greater than or equal to 0")),
        ('profile = "best"\n' + GOOD, 1, ("best", "paper-2019")),
        (GOOD + "count = 6\n", 6, ("not TOML",)),
        ("x = = 1\n", 1, ("not TOML",)),
    ],
)
def test_a_wrong_file_is_refused_with_place_and_remedy(
    tmp_path: Path, text: str, line: int, words: tuple[str, ...]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    result = CliRunner().invoke(main, ["run", str(path)])
    assert result.exit_code == 2
    assert f"{path}:{line}: " in result.output
    for word in words:
        assert word in result.output


def test_an_unknown_scenario_names_those_that_exist() -> None:
    result = CliRunner().invoke(main, ["run", "nothing"])
    assert result.exit_code == 2
    assert "ping-pong" in result.output


def test_list_names_every_bundled_scenario() -> None:
    from sdsim.scenario import bundled

    shown = CliRunner().invoke(main, ["list"]).output
    assert all(name in shown for name in bundled())


def test_a_run_ends_with_a_table() -> None:
    result = CliRunner().invoke(main, ["run", "ping-pong", "--set", "workload.count=10"])
    assert result.exit_code == 0
    assert "latency, mean" in result.output


def test_replay_prints_the_trace() -> None:
    result = CliRunner().invoke(main, ["replay", "ping-pong", "--seed", "4", "--set", "workload.count=2"])
    assert result.output.startswith("# sdsim seed=4")
    assert "waiter" in result.output
