"""`sdcore run` becomes the program, with a monitor and the library, or says in one line why not."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sdcore.monitor.control import Control
from sdcore.monitor.paths import RuntimeDir, serves
from sdcore.native import LibraryNotFoundError, library_path
from tests.cli.support import one_line, sdcore

SHOW = (
    "import os, sys; print(os.getpid(), os.environ['LD_PRELOAD'], os.environ.get('SDCORE_RUNTIME_DIR'), sys.argv[1:])"
)


def test_the_program_gets_the_library_its_arguments_and_a_monitor(runtime: RuntimeDir, library: Path) -> None:
    done = sdcore("run", "--", sys.executable, "-c", SHOW, "--json", "-x", LD_PRELOAD="")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    _, preload, directory, arguments = done.stdout.rstrip().split(" ", 3)
    assert (preload, directory, arguments) == (str(library), str(runtime.path), "['--json', '-x']")
    assert serves(runtime)


def test_options_after_the_program_are_the_programs(runtime: RuntimeDir) -> None:
    assert "-h" in sdcore("run", sys.executable, "-c", SHOW, "-h").stdout


def test_what_is_preloaded_already_stays_after_the_library(runtime: RuntimeDir, library: Path) -> None:
    done = sdcore("run", sys.executable, "-c", "import os; print(os.environ['LD_PRELOAD'])", LD_PRELOAD=str(library))
    assert done.stdout.split() == [str(library)]
    other = runtime.path / "other.so"
    other.write_bytes(library.read_bytes())
    done = sdcore("run", sys.executable, "-c", "import os; print(os.environ['LD_PRELOAD'])", LD_PRELOAD=str(other))
    assert done.stdout.split() == [str(library), str(other)]


def test_the_monitor_carries_no_preload_and_is_nobodys_child(runtime: RuntimeDir, library: Path) -> None:
    sdcore("run", "true", LD_PRELOAD=str(library))
    with Control(runtime) as control:
        pid = control.peer.pid
        assert control.status()["pid"] == pid
    assert b"LD_PRELOAD" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert "libsd" not in Path(f"/proc/{pid}/maps").read_text()
    session = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[3]
    assert int(session) == pid


def test_many_at_once_start_one_monitor(runtime: RuntimeDir) -> None:
    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda _: sdcore("run", "true"), range(4)))
    assert [(end.returncode, end.stderr) for end in ends] == [(0, "")] * 4
    with Control(runtime) as control:
        assert control.status()["processes"] == 0


def test_the_exit_code_is_the_programs(runtime: RuntimeDir) -> None:
    assert sdcore("run", "sh", "-c", "exit 42").returncode == 42


def test_a_program_that_is_not_there_is_127_and_one_that_is_none_126(runtime: RuntimeDir) -> None:
    (runtime.path / "text").write_text("no program")
    for program, code in (("no-such-program-xyz", 127), ("/no/such/path", 127), (str(runtime.path / "text"), 126)):
        done = sdcore("run", "--", program)
        assert done.returncode == code
        assert one_line(done.stderr)


def test_monitor_dir_chooses_the_monitor_of_the_program_too(runtime: RuntimeDir) -> None:
    chosen = runtime.path / "chosen"
    done = sdcore("run", "--monitor-dir", str(chosen), "--", sys.executable, "-c", SHOW)
    assert str(chosen) in done.stdout
    assert serves(RuntimeDir(chosen))
    assert not serves(runtime)
    assert sdcore("monitor", "stop", "--monitor-dir", str(chosen)).returncode == 0


def test_without_a_monitor_the_program_runs_on_kernel_tcp(runtime: RuntimeDir) -> None:
    runtime.lock.mkdir()  # nobody can start here
    done = sdcore("run", "echo", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert one_line(done.stderr)
    assert "kernel TCP" in done.stderr


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"SDCORE_RUNTIME_DIR": "not/absolute"}, "SDCORE_RUNTIME_DIR"),
        ({"SDCORE_RUNTIME_DIR": "/etc/passwd/x"}, "SDCORE_RUNTIME_DIR: '/etc/passwd/x' cannot be reached"),
        ({"SDCORE_LIBRARY": "/no/library.so"}, "/no/library.so: no such file"),
        ({"SDCORE_LIBRARY": "/etc"}, "/etc: not a file"),
        ({"SDCORE_LIBRARY": "/etc/passwd"}, "/etc/passwd: not a shared library"),
        ({"SDCORE_LIBRARY": "/etc/passwd/x"}, "/etc/passwd/x: cannot be read"),
        ({"SDCORE_DISABLE": "banana"}, "SDCORE_DISABLE: 'banana' is neither 0 nor 1"),
        ({"SDCORE_DISABLE": "false"}, "SDCORE_DISABLE: 'false' is neither 0 nor 1"),
        ({"SDCORE_CONFIG": "/no/config.toml"}, "/no/config.toml"),
    ],
)
def test_a_wrong_environment_is_one_line_and_nothing_starts(
    runtime: RuntimeDir, environ: dict[str, str], named: str
) -> None:
    done = sdcore("run", "echo", "started", **environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)
    assert named in done.stderr
    assert not serves(runtime)


def test_a_wrong_configuration_is_one_line_and_nothing_starts(runtime: RuntimeDir) -> None:
    (runtime.path / "config.toml").write_text("[monitor]\nmax_leases = -1\n")
    done = sdcore("run", "echo", "started")
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)
    assert "monitor.max_leases" in done.stderr


@pytest.mark.parametrize(
    "words", [("--", ""), ("--monitor-dir", "", "--", "echo", "started"), ("--record", "", "true")]
)
def test_an_empty_name_is_wrong_use_and_nothing_starts(runtime: RuntimeDir, words: tuple[str, ...]) -> None:
    done = sdcore("run", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)
    assert not serves(runtime)


@pytest.mark.parametrize("value", ["0", "1", ""])
def test_what_turns_acceleration_off_is_handed_on(runtime: RuntimeDir, value: str) -> None:
    done = sdcore("run", "sh", "-c", "echo $SDCORE_DISABLE", SDCORE_DISABLE=value)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{value}\n", "")


def test_a_log_that_exists_is_never_overwritten(runtime: RuntimeDir) -> None:
    log = runtime.path / "log"
    log.write_text("the last run")
    done = sdcore("run", "--record", str(log), "echo", "started")
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)
    assert f"{log} exists already" in done.stderr
    assert log.read_text() == "the last run"


def test_a_program_that_does_not_start_leaves_no_log(runtime: RuntimeDir) -> None:
    log = runtime.path / "log"
    assert sdcore("run", "--record", str(log), "no-such-program-xyz").returncode == 127
    assert not log.exists()
    assert sdcore("run", "--record", str(log), "true").returncode == 0
    assert log.exists()


# What cannot be the library -------------------------------------------------------------------------------------------


def test_another_programs_library_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/proc/self/maps") as maps:
        libc = next(line.split()[-1] for line in maps if "libc.so" in line)
    monkeypatch.setenv("SDCORE_LIBRARY", libc)
    with pytest.raises(LibraryNotFoundError, match=r"a shared library, but not libsd\.so"):
        library_path()


@pytest.mark.parametrize(("at", "value"), [(0, 0), (4, 1), (5, 2), (16, 2), (18, 255)])
def test_a_library_for_another_machine_is_refused(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch, at: int, value: int
) -> None:
    """Magic, class, byte order, type and machine all count."""
    changed = bytearray(library.read_bytes())
    changed[at] = value
    (tmp_path / "other.so").write_bytes(changed)
    monkeypatch.setenv("SDCORE_LIBRARY", str(tmp_path / "other.so"))
    with pytest.raises(LibraryNotFoundError, match="not a shared library for this machine"):
        library_path()


@pytest.mark.parametrize("part", [0, 10, 4096, -1])
def test_half_a_library_is_refused(tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    (tmp_path / "half.so").write_bytes(library.read_bytes()[:part])
    monkeypatch.setenv("SDCORE_LIBRARY", str(tmp_path / "half.so"))
    with pytest.raises(LibraryNotFoundError, match="not a shared library for this machine"):
        library_path()
