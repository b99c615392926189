"""`sdcore monitor`, `ss` and `doctor`: what they print, as text and as JSON, and their exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from sdcore.cli import checks, ss
from sdcore.cli.main import COMMANDS, main
from sdcore.monitor.paths import RuntimeDir, serves
from sdcore.protocol import layout
from tests.cli.support import one_line, sdcore
from tests.monitor.fake import Client, eventually
from tests.monitor.test_report import TCP, show


@pytest.fixture
def started(runtime: RuntimeDir) -> RuntimeDir:
    """Start a monitor the way users do."""
    done = sdcore("monitor", "start")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"serving at {runtime.socket}\n"
    return runtime


def test_start_is_done_once_and_stop_once(started: RuntimeDir) -> None:
    again = sdcore("monitor", "start")
    assert again.returncode == 0
    assert "serves already" in again.stdout
    assert sdcore("monitor", "stop").stdout == "stopped\n"
    assert not serves(started)
    assert not started.socket.exists()
    assert started.log.read_text().count("serving at") == 1
    assert sdcore("monitor", "stop").returncode == 1


def test_a_foreground_monitor_ends_with_its_signal(runtime: RuntimeDir) -> None:
    with foreground(runtime) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert not runtime.socket.exists()


@contextmanager
def foreground(runtime: RuntimeDir, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Serve in the foreground."""
    command = [sys.executable, "-m", "sdcore.cli", "monitor", "start", "--foreground", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            assert eventually(lambda: serves(runtime), 10)
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_system_monitor_lets_all_users_connect(runtime: RuntimeDir) -> None:
    chosen = RuntimeDir(runtime.path / "sys")
    with foreground(chosen, "--system", "--monitor-dir", str(chosen.path)) as process:
        assert chosen.socket.stat().st_mode & 0o777 == 0o666
        assert chosen.path.stat().st_mode & 0o777 == 0o755
        process.terminate()
        assert process.wait(10) == 0


def test_status_is_the_same_in_json(started: RuntimeDir) -> None:
    document = json.loads(sdcore("monitor", "status", "--json").stdout)
    assert (document["processes"], document["leases"], document["uid"]) == (0, 0, os.geteuid())
    text = sdcore("monitor", "status").stdout
    assert f"{document['pid']}" in text
    assert all(name.replace("_", " ") in text for name in document)


@pytest.mark.parametrize("words", [("monitor", "status"), ("monitor", "stop"), ("ss",), ("ss", "--totals", "--json")])
def test_without_a_monitor_questions_fail_in_one_line(runtime: RuntimeDir, words: tuple[str, ...]) -> None:
    done = sdcore(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert one_line(done.stderr)
    assert str(runtime.socket) in done.stderr


def test_ss_shows_each_socket_and_why_it_is_not_accelerated(started: RuntimeDir) -> None:
    with Client(started.socket) as client:
        client.hello()
        show(client, 0, transport=TCP, reason=layout.REASON_PEER_PLAIN, kernel_sent_bytes=2048)
        text = sdcore("ss").stdout
        heading, line = text.splitlines()
        assert heading.startswith("State")
        assert "ESTABLISHED" in line
        assert "127.0.0.1:1000" in line
        assert "[::1]:2000" in line
        assert f"{os.getpid()},fd=10" in line
        assert "2.0 KiB" in line
        assert line.rstrip().endswith("the program at the other end does not use sdcore")
        (row,) = json.loads(sdcore("ss", "--json").stdout)["sockets"]
        assert (row["pid"], row["sent_bytes"], row["reason"]) == (os.getpid(), 2048, "peer_plain")
        client.head().reason[layout.REASON_PEER_PLAIN] = 3
        assert "peer_plain" in sdcore("ss", "--totals").stdout
        totals = json.loads(sdcore("ss", "--totals", "--json").stdout)
        assert totals["reasons"]["peer_plain"]["count"] == 3
        assert totals["transports"]["tcp"]["sent_bytes"] == 2048


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (2**64, "16777216 TiB")]
)
def test_quantities_are_short(number: int, text: str) -> None:
    assert ss.quantity(number) == text


def test_doctor_says_the_same_as_text_and_json(runtime: RuntimeDir) -> None:
    done = sdcore("doctor", "--json")
    findings = json.loads(done.stdout)
    assert [set(finding) for finding in findings] == [{"name", "verdict", "found", "advice"}] * len(checks.CHECKS)
    assert done.returncode == int(any(finding["verdict"] == "missing" for finding in findings))
    text = sdcore("doctor").stdout
    assert all(finding["name"] in text and finding["found"] in text for finding in findings)


def test_whatever_is_not_good_has_advice(runtime: RuntimeDir) -> None:
    for finding in checks.all_findings():
        assert bool(finding.advice) == (finding.verdict != "ok"), finding


@pytest.mark.parametrize("environ", [{"SDCORE_LIBRARY": "/no/lib.so"}, {"SDCORE_LIBRARY": "/etc/passwd"}])
def test_doctor_fails_when_something_needed_is_missing(runtime: RuntimeDir, environ: dict[str, str]) -> None:
    done = sdcore("doctor", "--json", **environ)
    assert done.returncode == 1
    missing = [finding["name"] for finding in json.loads(done.stdout) if finding["verdict"] == "missing"]
    assert missing == ["library"]


def test_doctor_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDCORE_RUNTIME_DIR", str(tmp_path / "new"))
    assert checks.monitor().verdict == "ok"
    assert not (tmp_path / "new").exists()


# Help and wrong use ---------------------------------------------------------------------------------------------------


def test_every_command_has_help_with_an_example() -> None:
    for words in ([], *([name] for name in COMMANDS), *(["monitor", name] for name in ("start", "stop", "status"))):
        result = CliRunner().invoke(main, [*words, "--help"])
        assert result.exit_code == 0, words
        assert "Example" in result.output, words


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("run",),
        ("run", "--nonsense", "true"),
        ("monitor", "nonsense"),
        ("monitor", "start", "surplus"),
        ("ss", "--nonsense"),
        ("doctor", "surplus"),
        ("ss", "--monitor-dir", "/etc/passwd"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(runtime: RuntimeDir, words: tuple[str, ...]) -> None:
    done = sdcore(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr), done.stderr
    assert not serves(runtime)


def test_a_reader_that_stops_early_is_no_fault(started: RuntimeDir) -> None:
    command = f"{sys.executable} -m sdcore.cli monitor status --json | head -c 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=20, check=False)
    assert (done.stdout, done.stderr) == ("{", "")
