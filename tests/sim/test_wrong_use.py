"""Wrong use is one line and exit code 2, before anything is begun; what goes wrong later is one line and 1."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sdsim import run as runs
from sdsim.cli import main
from tests.cli.support import one_line

SHORT = ("run", "ping-pong", "--set", "workload.count=2")


def sdsim(*words: str | Path) -> Result:
    """Call the command line."""
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="sdsim")


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run fail the test."""

    def run(*_: object, **__: object) -> None:
        raise AssertionError("something was begun")

    monkeypatch.setattr(runs, "World", run)


@pytest.fixture
def nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand in an empty folder, which is to stay so."""
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("nothing_runs", "nothing_is_made")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("frob",), "sdsim: No such command 'frob'."),
        (("run",), "sdsim run: Missing argument 'SCENARIO'."),
        (("run", ""), "sdsim run: '': no such file; bundled scenarios are chaos, "),
        (("run", "/etc"), "sdsim run: /etc: cannot be read: Is a directory"),
        ((*SHORT, "--seed", "x"), "sdsim run: Invalid value for '--seed'"),
        ((*SHORT, "--set", "a"), "sdsim run: --set a: must be table.key=value"),
        ((*SHORT, "--set", "workload.size.x=1"), "sdsim run: --set workload.size.x=1: size is not a table"),
        ((*SHORT, "--set", "workload.size=0"), "sdsim run: --set workload.size=0: workload.size: "),
        ((*SHORT, "--set", "workload.kind=ping"), "sdsim run: --set workload.kind=ping: workload.kind: there is no "),
        ((*SHORT, "--set", "profile=best"), "sdsim run: --set profile=best: profile best: allowed are paper-2019"),
        (("sweep", "ping-pong", "--over", "site.cores=2,0", "--out", "t"), "sdsim sweep: --over site.cores=0: "),
        (("explore", "x"), "sdsim explore: x: no such world; allowed are offer, "),
        (("mutate", "x"), "sdsim mutate: x: no such machine; allowed are attach, "),
        (("compare", "x"), "sdsim compare: x: not a figure that is modelled; allowed are "),
        (("conform", "/etc/passwd"), "sdsim conform: /etc/passwd: not a log of a run"),
        (("this-host", "/etc/passwd", "--profile", "t"), "sdsim this-host: /etc/passwd: not a report of sdcore bench"),
    ],
)
def test_wrong_words_are_told_in_one_line_with_what_is_allowed(words: tuple[str, ...], told: str) -> None:
    done = sdsim(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(told)
    assert one_line(done.stderr)


@pytest.mark.usefixtures("nothing_runs", "nothing_is_made")
@pytest.mark.parametrize(
    ("words", "option"),
    [
        (SHORT, "--trace"),
        (SHORT, "--perfetto"),
        (SHORT, "--html"),
        (("sweep", "ping-pong", "--over", "site.cores=2"), "--out"),
        (("sweep", "ping-pong", "--over", "site.cores=2", "--out", "t"), "--html"),
        (("compare",), "--plots"),
        (("this-host", "/etc/passwd"), "--profile"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(words: tuple[str, ...], option: str) -> None:
    done = sdsim(*words, option, "/etc/passwd/x")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"sdsim {words[0]}: {option}: /etc/passwd/x cannot be written: Not a directory\n"


@pytest.mark.usefixtures("nothing_runs", "nothing_is_made")
def test_an_output_is_of_one_run_and_has_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "out"
    twice = sdsim(*SHORT, "--trace", path, "--html", tmp_path / "." / "out")
    assert (twice.exit_code, twice.stderr) == (
        2,
        f"sdsim run: --html: {path} is the file of --trace, too; name another\n",
    )
    many = sdsim(*SHORT, "--seeds", "2", "--trace", path)
    assert (many.exit_code, many.stderr) == (2, "sdsim run: --trace: of one run only; allowed: --seeds 1, or --seed\n")
    assert not path.exists()


@pytest.mark.parametrize("option", ["--trace", "--perfetto", "--html"])
def test_a_disk_that_fills_up_is_told_in_one_line(option: str) -> None:
    done = sdsim(*SHORT, option, "/dev/full")
    assert done.exit_code == 1
    assert done.stderr == f"sdsim: {option}: /dev/full cannot be written: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    command = [sys.executable, "-m", "sdsim.cli", "replay", "ping-pong", "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("# sdsim seed=1 ")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 1


def test_without_a_command_the_help_is_shown() -> None:
    done = sdsim()
    assert done.stderr.count("\n") > 10
    assert "Commands:" in done.stderr
