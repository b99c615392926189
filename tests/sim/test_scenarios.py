"""Scenario files: a wrong one names the file, the line, the fault and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sdsim.cli import main
from tests.cli.support import one_line

KILL = '\n[[fault]]\nverb = "kill"\nat_us = 1\nprocess = {}\n'
GOOD = 'description = "x"\n\n[workload]\nkind = "ping-pong"\ncount = 5\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD + "sise = 3\n", 6, ("sise", "unknown key", "size")),
        (GOOD.replace("5", "0"), 5, ("count", "greater than or equal to 1", "allowed: at least 1")),
        (GOOD.replace("5", '"many"'), 5, ("count", "integer", "a whole number")),
        (GOOD.replace("ping-pong", "ping"), 4, ("workload.kind", "there is no ping", "ping-pong, stream, many, mesh")),
        (GOOD + '\n[[fault]]\nverb = "kill"\nat_us = 1\n', 7, ("process", "is missing")),
        (GOOD + "stream = 3\n", 6, ("workload.stream", "unknown key")),
        (GOOD + '\n[[fault]]\nverb = "kil"\n', 8, ("fault.0.verb", "there is no kil", "kill, pause")),
        (GOOD + "\n[[fault]]\nat_us = 3\n", 7, ("fault.0.verb", "is missing", "kill, pause")),
        (GOOD + KILL.format(2) + KILL.format(3), 15, ("fault.1.process", "no process 3", "1 to 2")),
        (GOOD + '[[fault]]\nverb = "hold"\nat_us = 1\nfor_us = 1\nhosts = [1, 3]\n', 10, ("no host 3", "1 to 1")),
        ("aggregate = true\n" + GOOD + "[chaos]\n", 1, ("aggregate", "allowed: false")),
        (GOOD + "sise = 3\ncounts = 3\n", 6, ("sise", "(and 1 more)")),
        (GOOD + "\xff", 6, ("not UTF-8",)),
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
    path.write_text(text, encoding="latin-1")
    result = CliRunner().invoke(main, ["run", str(path)], prog_name="sdsim")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"sdsim run: {path}:{line}: ")
    assert one_line(result.stderr)
    assert not result.stdout
    for word in words:
        assert word in result.output


def test_an_unknown_scenario_names_those_that_exist() -> None:
    result = CliRunner().invoke(main, ["run", "nothing"])
    assert result.exit_code == 2
    assert "ping-pong" in result.output


def test_list_names_every_bundled_scenario() -> None:
    from sdsim.scenario_file import bundled

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
