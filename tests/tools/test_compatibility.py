"""Two runs of a suite become one file: nothing that differs is lost, and no run that proves nothing is kept."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools import compatibility

KERNEL = "a\tpass\t\nb\tpass\t\nc\tpass\t\nd\tfail\tas ever\ne\tskip\tno such host\nf\tpass\t\n"


def totals(shm: int, tcp: int = 0) -> str:
    """What a monitor says; each byte is sent once and received once."""
    transports = {
        name: {"connections": number and 2, "sent_bytes": number, "received_bytes": number}
        for name, number in (("none", 0), ("shm", shm), ("tcp", tcp))
    }
    return json.dumps({"transports": transports, "reasons": {"peer_plain": {"count": 3, "text": "said for people"}}})


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A run on the kernel, and one under the library that is as good."""
    for name in ("kernel", "sdcore", "into"):
        (tmp_path / name).mkdir()
    for name in ("kernel", "sdcore"):
        (tmp_path / name / "s.tsv").write_text(KERNEL)
    (tmp_path / "sdcore" / "s.totals.json").write_text(totals(300, 100))
    return tmp_path


def run(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """The exit status of the tool, and what it wrote."""
    words = [str(folder / "kernel"), str(folder / "sdcore"), "s", "--title", 'The "s"', "--version", "1"]
    status = compatibility.main([*words, "--into", str(folder / "into"), *more])
    path = folder / "into" / "s.toml"
    return status, tomllib.loads(path.read_text()) if path.exists() else {}


def test_what_is_the_same_has_no_difference(runs: Path) -> None:
    status, found = run(runs, "--date", "2026-11-25")
    assert status == 0
    assert (found["title"], found["version"], str(found["date"])) == ('The "s"', "1", "2026-11-25")
    assert found["kernel"] == found["sdcore"] == {"pass": 4, "fail": 1, "skip": 1}
    assert found["bytes"] == {"shm": 600, "tcp": 200}
    assert found["connections"] == {"shm": 2, "tcp": 2}
    assert found["reasons"] == {"peer_plain": 3}
    assert "differs" not in found


def test_what_fails_is_skipped_or_missing_differs(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "sdcore" / "s.tsv").write_text("a\tfail\tx\nb\tskip\ty\nd\tfail\t\ne\tskip\t\nf\tpass\t\n")
    status, found = run(runs)
    assert status == 1
    assert {row["test"]: row["verdict"] for row in found["differs"]} == {"a": "fail", "b": "skip", "c": "missing"}
    assert capsys.readouterr().out.count("no reason is given") == 3


def test_a_reason_stays_as_long_as_the_test_differs(runs: Path) -> None:
    path = runs / "into" / "s.toml"
    (runs / "sdcore" / "s.tsv").write_text(KERNEL.replace("a\tpass", "a\tfail"))
    assert run(runs)[0] == 1
    path.write_text(path.read_text().replace('reason = ""', 'reason = "it asks for \\"x\\""'))
    status, found = run(runs)
    assert status == 0
    assert found["differs"] == [{"test": "a", "verdict": "fail", "reason": 'it asks for "x"'}]
    (runs / "sdcore" / "s.tsv").write_text(KERNEL)
    assert "differs" not in run(runs)[1]


def test_of_several_verdicts_the_worst_counts() -> None:
    lines = ["a\tpass", "a\tfail\tat its end", "a\tpass", "b\tskip", "b\tpass", "no verdict", "c\tRUN\t"]
    assert compatibility.verdicts(lines) == {"a": "fail", "b": "pass"}


def test_tests_of_chance_are_left_out_of_both(runs: Path) -> None:
    chance = runs / "chance"
    chance.write_text("# why\ns\ta\ns\t/[bc]/\nother\tf\n")
    (runs / "sdcore" / "s.tsv").write_text(KERNEL.replace("b\tpass", "b\tfail"))
    status, found = run(runs, "--left-out", str(chance))
    assert (status, found["kernel"]["pass"]) == (0, 1)


@pytest.mark.parametrize("text", [totals(0, 100), totals(0)])
def test_a_run_beside_shared_memory_is_no_result(runs: Path, text: str) -> None:
    (runs / "sdcore" / "s.totals.json").write_text(text)
    assert run(runs) == (2, {})


def test_a_suite_that_did_not_run_is_no_result(runs: Path) -> None:
    (runs / "kernel" / "s.tsv").write_text("a\tfail\tno server\n")
    assert run(runs) == (2, {})
    (runs / "kernel" / "s.tsv").unlink()
    assert run(runs) == (2, {})


def test_the_results_in_the_documentation_are_complete() -> None:
    paths = [path for path in compatibility.RESULTS.glob("*.toml") if path.name != "programs.toml"]
    assert paths
    for path in paths:
        found = tomllib.loads(path.read_text())
        assert found["suite"] == path.stem
        assert found["bytes"]["shm"] > 0
        assert all(row["reason"] for row in found.get("differs", ()))
        passed = found["kernel"]["pass"] - len(found.get("differs", ()))
        assert found["sdcore"]["pass"] >= passed
