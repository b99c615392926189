"""Variables, configuration and places to write to are checked before anything is done, also while a monitor serves."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sdcore import config_files
from sdcore.cli.demo import demo
from sdcore.cli.environment import check_configuration
from sdcore.cli.faults import OneLine
from sdcore.cli.places import check_file, check_folder
from sdcore.monitor import paths
from sdcore.monitor.paths import RuntimeDir, serves
from tests.cli.support import one_line, sdcore

COMMANDS = [("run", "echo", "started"), ("ss",), ("drain", "all"), ("monitor", "status"), ("monitor", "start")]


@pytest.fixture
def started(runtime: RuntimeDir) -> RuntimeDir:
    """Start a monitor the way users do."""
    assert sdcore("monitor", "start").returncode == 0
    return runtime


@pytest.mark.parametrize("words", COMMANDS)
def test_a_wrong_configuration_is_told_though_a_monitor_serves(started: RuntimeDir, words: tuple[str, ...]) -> None:
    wrong = started.path / "wrong.toml"
    wrong.write_text("[monitor]\nmax_leases = 0\n")
    for name, named in (("/no/config.toml", "/no/config.toml"), (str(wrong), "monitor.max_leases")):
        done = sdcore(*words, SDCORE_CONFIG=name)
        assert (done.returncode, done.stdout) == (2, "")
        assert one_line(done.stderr)
        assert named in done.stderr
    assert serves(started)


def test_a_users_files_do_not_concern_the_system_wide_monitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_files, "SYSTEM_FILE", tmp_path / "none")
    (tmp_path / "sdcore").mkdir()
    (tmp_path / "sdcore" / "config.toml").write_text("wrong")
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    check_configuration(environ, RuntimeDir(tmp_path, system=True))
    with pytest.raises(click.UsageError, match="not TOML"):
        check_configuration(environ, RuntimeDir(tmp_path))
    with pytest.raises(click.UsageError, match="cannot be read"):
        check_configuration({"SDCORE_CONFIG": "/no/config.toml"}, RuntimeDir(tmp_path, system=True))


def test_a_runtime_directory_that_cannot_be_reached_is_named(locked: Path) -> None:
    with pytest.raises(paths.RuntimeDirError, match=f"SDCORE_RUNTIME_DIR: '{locked}' cannot be reached: Permission"):
        paths.find({"SDCORE_RUNTIME_DIR": str(locked)}, os.getuid())
    with suppress(paths.RuntimeDirError):  # which is all that may come
        paths.examine(RuntimeDir(locked))


# Where output goes ----------------------------------------------------------------------------------------------------


def test_what_can_be_written_is_not_made_by_the_check(tmp_path: Path) -> None:
    check_file(tmp_path / "new", "--json")
    check_folder(tmp_path / "a" / "b", "--plots")
    check_folder(tmp_path, "--plots")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").write_text("old")
    check_file(tmp_path / "old", "--json")
    assert (tmp_path / "old").read_text() == "old"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/no/such/x", "No such file"),
        ("/etc/passwd/x", "Not a directory"),
        ("/etc", "Is a directory"),
        ("", "Is a dir"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(name: str, why: str) -> None:
    with pytest.raises(click.UsageError, match=f"--json: {Path(name)} cannot be written: {why}"):
        check_file(Path(name), "--json")


@pytest.mark.parametrize("name", ["/etc/passwd", "/etc/passwd/x/y"])
def test_a_folder_that_cannot_be_made_is_named(name: str) -> None:
    with pytest.raises(click.UsageError, match=f"--plots: {name} cannot be written: Not a directory"):
        check_folder(Path(name), "--plots")


def test_rights_are_seen(locked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for check in (check_file, check_folder):
        with pytest.raises(click.UsageError, match="Permission denied"):
            check(locked, "--x")
    monkeypatch.setattr(os, "access", lambda *_: False)
    for check in (check_file, check_folder):
        with pytest.raises(click.UsageError, match="Permission denied"):
            check(Path("/new"), "--x")
    with pytest.raises(click.UsageError, match="Permission denied"):
        check_file(Path("/etc/passwd"), "--x")


def test_a_measurement_that_could_not_be_written_is_not_begun(runtime: RuntimeDir) -> None:
    for words, named in (
        (("--json", "/no/such/x"), "--json: /no/such/x cannot be written: No such file or directory"),
        (("--plots", "/etc/passwd/x"), "--plots: /etc/passwd/x cannot be written: Not a directory"),
        (("--transport", "bare"), "--transport bare: connect is measured on tcp, unix, shm only"),
    ):
        done = sdcore("bench", "connect", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(f"{named}\n")
        assert one_line(done.stderr)


def test_a_measurement_with_a_wrong_configuration_is_wrong_use(runtime: RuntimeDir) -> None:
    for environ in ({"SDCORE_CONFIG": "/no/config.toml"}, {"SDCORE_LIBRARY": "/no/lib.so"}):
        done = sdcore("bench", "connect", "--quick", **environ)
        assert (done.returncode, done.stdout) == (2, "")
        assert one_line(done.stderr)
        assert next(iter(environ.values())) in done.stderr


@pytest.mark.parametrize("words", [("--frob",), ("--rounds", "0"), ("surplus",), ("--output", "/etc/passwd/x")])
def test_wrong_use_of_the_demo_is_one_line_before_it_begins(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(demo, words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert one_line(done.stderr)


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_the_demo_has_help_with_an_example(word: str) -> None:
    done = CliRunner().invoke(demo, [word])
    assert done.exit_code == 0
    assert "Example: " in done.stdout


# Output that fails on the way -----------------------------------------------------------------------------------------


def to_a_full_disk(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose standard output has no room."""
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "sdcore.cli", *words]
        environment = os.environ | environ
        return subprocess.run(
            command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False
        )


@pytest.mark.parametrize(
    "words",
    [
        ("ss",),
        ("ss", "--json"),
        ("monitor", "status"),
        ("drain", "all"),
        ("doctor",),
        ("--help",),
        ("bench", "--schema"),
    ],
)
def test_standard_output_without_room_is_one_line_and_exit_code_1(started: RuntimeDir, words: tuple[str, ...]) -> None:
    for unbuffered in ("", "1"):
        done = to_a_full_disk(*words, PYTHONUNBUFFERED=unbuffered)
        assert done.returncode == 1
        assert done.stderr == "sdcore: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_fault_keeps_its_exit_code_though_standard_error_has_no_room(unbuffered: str, runtime: RuntimeDir) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "sdcore.cli", "nonsense"]
        assert subprocess.run(command, stderr=full, timeout=30, check=False, env=environment).returncode == 2


def test_a_name_with_a_line_break_is_told_in_one_line(runtime: RuntimeDir) -> None:
    done = sdcore("ss", SDCORE_CONFIG="/no/such\nfile")
    assert done.returncode == 2
    assert one_line(done.stderr)


def test_a_fault_of_ours_is_not_taken_for_one_of_the_output() -> None:
    @click.command(cls=OneLine)
    def broken() -> None:
        raise OSError(errno.ENOSPC, "no room", "elsewhere")

    done = CliRunner().invoke(broken)
    assert isinstance(done.exception, OSError)
