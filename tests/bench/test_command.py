"""The command line: wrong use is one line and exit code 2, output can be read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sdcore.cli.bench import machine, redis
from sdcore.cli.bench.command import bench
from sdcore.cli.bench.model import Report
from tests.bench.samples import report, row


def run(*words: str) -> Result:
    return CliRunner().invoke(bench, list(words))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nothing"], "nothing"),
        (["--transport", "udp"], "udp"),
        (["--sizes", "8,x"], "8,x"),
        (["--sizes", "0"], "from 1"),
        (["--runs", "0"], "--runs"),
        (["--placement", "three"], "three"),
        (["--load", "/nonexistent"], "/nonexistent"),
        (["roundtrip", "connect", "--transport", "bare"], "connect is measured on tcp, unix, shm only"),
        (["--json", "/etc/passwd/x"], "--json: /etc/passwd/x cannot be written"),
        (["--plots", "/etc/passwd/x"], "--plots: /etc/passwd/x cannot be written"),
    ],
)
def test_wrong_use_names_the_fault(words: list[str], named: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert named in done.stderr
    assert done.stdout == ""


def test_a_file_that_is_no_report_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"rows": 1}')
    done = run("--load", str(tmp_path / "x.json"))
    assert done.exit_code == 2
    assert "x.json is not a report" in done.stderr


def test_two_cores_are_refused_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: (0,))
    done = run("--placement", "two", "roundtrip")
    assert done.exit_code == 2
    assert "one core" in done.stderr


def test_redis_is_refused_by_name_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "missing", lambda: "redis-server")
    done = run("redis")
    assert done.exit_code == 2
    assert "redis-server is not installed" in done.stderr


def test_json_on_standard_output_is_a_report_and_nothing_else() -> None:
    done = run("connect", "--quick", "--runs", "1", "--transport", "tcp,unix", "--placement", "same", "--json", "-")
    assert done.exit_code == 0, done.output
    [only] = Report.model_validate_json(done.stdout).rows
    assert [cell.transport for cell in only.cells] == ["tcp", "unix"]


def test_a_saved_report_is_shown_again(tmp_path: Path) -> None:
    saved = tmp_path / "report.json"
    saved.write_text(report(row({"tcp": 50.0, "shm": 0.4})).model_dump_json())
    again = tmp_path / "again.json"
    done = run("--load", str(saved), "--json", str(again), "--plots", str(tmp_path / "plots"))
    assert done.exit_code == 0
    assert "125x" in done.stdout
    assert again.read_text() == report(row({"tcp": 50.0, "shm": 0.4})).model_dump_json(indent=2) + "\n"
    assert (tmp_path / "plots" / "roundtrip.png").is_file()


def test_a_report_that_fell_back_is_a_failure(tmp_path: Path) -> None:
    saved = tmp_path / "report.json"
    saved.write_text(report(row({"tcp": 50.0, "shm": 0.4}, fell_back="no shared memory")).model_dump_json())
    assert run("--load", str(saved)).exit_code == 1


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    saved = tmp_path / "report.json"
    saved.write_text(report(row({"tcp": 50.0})).model_dump_json())
    done = run("--load", str(saved), "--json", str(tmp_path / "no" / "such.json"))
    assert done.exit_code == 2
    assert "such.json" in done.stderr


def test_the_schema_describes_every_field_of_a_report() -> None:
    done = run("--schema")
    assert done.exit_code == 0
    assert set(json.loads(done.stdout)["properties"]) == set(Report.model_fields)
