"""`sdcore drain`, and what `sdcore monitor stop` says of it: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from sdcore.cli import drain
from sdcore.cli.main import main
from sdcore.monitor.paths import RuntimeDir
from sdcore.protocol import layout
from sdcore.protocol.struct_kit import View
from tests.cli.support import one_line, sdcore
from tests.monitor.fake import Client, loopback_listener, map_slab
from tests.monitor.test_lease import ACCEPTED
from tests.monitor.test_report import SHM, TCP, show

OURS = str(os.getpid())


@pytest.fixture
def started(runtime: RuntimeDir) -> RuntimeDir:
    """Start a monitor the way users do."""
    assert sdcore("monitor", "start").returncode == 0
    return runtime


@contextmanager
def connected(runtime: RuntimeDir) -> Iterator[tuple[Client, View]]:
    """A program with one connection in slot 7 of the slab, both of which are yielded; it makes no call."""
    with Client(runtime.socket) as client, loopback_listener() as listener, socket.socket() as sock:
        client.hello()
        client.listen(listener)
        slab = map_slab(client.lease(sock, *listener.getsockname()))
        show(client, 0, transport=SHM, slot=7, lease_id=slab.lease_id)
        record, slot = client.record(0), slab.slot[7]
        slot.local.ip, slot.local.port = record.local.ip, record.local.port
        slot.peer.ip, slot.peer.port = record.peer.ip, record.peer.port
        slot.offer = ACCEPTED
        yield client, slab


def test_nothing_to_drain_is_done_at_once(started: RuntimeDir) -> None:
    done = sdcore("drain", "all")
    assert (done.returncode, done.stdout) == (0, "drained 0 processes: 0 sockets moved to kernel TCP\n")


@pytest.mark.parametrize("word", ["0", "-1", "some", "1.5", ""])
def test_what_names_no_program_is_wrong_use(started: RuntimeDir, word: str) -> None:
    done = sdcore("drain", "--", word)
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)


def test_a_process_that_is_not_attached_cannot_be_drained(started: RuntimeDir) -> None:
    done = sdcore("drain", OURS)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"sdcore: process {OURS} is not attached to this monitor, or not yours\n"


def test_without_a_monitor_it_fails_in_one_line(runtime: RuntimeDir) -> None:
    done = sdcore("drain", "all")
    assert (done.returncode, done.stdout) == (1, "")
    assert one_line(done.stderr)


def test_what_has_not_moved_is_named_with_an_exit_code_of_its_own(started: RuntimeDir) -> None:
    with connected(started) as (_, slab):
        done = sdcore("drain", OURS, "--timeout", "0.1")
        assert done.returncode == 3
        assert done.stdout == "drained 1 process: 0 sockets moved to kernel TCP\n"
        assert done.stderr.startswith("1 socket has not moved within 0.1 s:\n")
        assert f",{OURS},fd=10  127.0.0.1:1000 -> [::1]:2000  it, or the program at the other end" in done.stderr
        slab.slot[7].dir[1].p.tail = 5
        assert "5 bytes wait to be read" in sdcore("drain", OURS, "--timeout", "0").stderr


def test_json_tells_the_same(started: RuntimeDir) -> None:
    with connected(started) as (client, slab):
        done = sdcore("drain", "all", "--timeout", "0", "--json")
        outcome = json.loads(done.stdout)
        assert (done.returncode, done.stderr) == (3, "")
        assert (outcome["processes"], outcome["sockets"], outcome["moved"]) == (1, 1, 0)
        assert [(row["pid"], row["fd"]) for row in outcome["left"]] == [(os.getpid(), 10)]
        client.record(0).transport = TCP
        slab.slot[7].offer = layout.OFFER_STATES * 2
        done = sdcore("drain", "all", "--json")
        assert (done.returncode, json.loads(done.stdout)["left"]) == (0, [])


def test_stop_tells_what_goes_on_in_shared_memory_and_who_was_drained(started: RuntimeDir) -> None:
    with connected(started):
        sdcore("drain", "all", "--timeout", "0")
        done = sdcore("monitor", "stop")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "stopped",
        "in shared memory still, and going on there: 1 socket (`sdcore drain all` before moves what is there)",
        "drained until now: 1 process; another monitor may let it use shared memory again",
    ]


class Ending:
    """A monitor at which a program is attached when it is asked first, and no more when it is asked again."""

    def __init__(self) -> None:
        row = {"program": "x", "pid": 4711, "fd": 5, "local": "*:*", "peer": "*:*", "orphaned": False}
        self.answers = [{"processes": 1, "before": 1, "left": [row]}, {"processes": 0, "before": 0, "left": []}]

    def __enter__(self) -> Ending:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def drain(self, pid: int) -> dict[str, Any]:
        return self.answers.pop(0)


@pytest.mark.parametrize(("word", "who"), [("4711", "process 4711"), ("all", "every process")])
def test_a_process_that_ends_meanwhile_is_said_to_have_ended(
    monkeypatch: pytest.MonkeyPatch, word: str, who: str
) -> None:
    monkeypatch.setattr(drain, "connect", lambda _: Ending())
    done = CliRunner().invoke(main, ["drain", word])
    assert (done.exit_code, done.output) == (0, f"{who} has ended, and its sockets with it\n")
    outcome = json.loads(CliRunner().invoke(main, ["drain", word, "--json"]).stdout)
    assert (outcome["ended"], outcome["moved"], outcome["sockets"]) == (True, 0, 1)


@pytest.mark.parametrize("word", ["nan", "-1", "soon"])
def test_a_time_that_is_none_is_wrong_use(started: RuntimeDir, word: str) -> None:
    done = sdcore("drain", "all", "--timeout", word)
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)
