"""A log in which one transition was altered or taken out is refused, and the place is named."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdcore.protocol import record
from sdcore.protocol.machines import MACHINES
from sdsim.conform.history import NUMBERS, TOKEN, WAITS, Offence
from sdsim.conform.judge import judge
from sdsim.conform.log import NO_EVENTS, BadLog, Line
from tests.conformance.recording import Copy, RecordingHost, lines
from tests.conformance.test_real_runs import SHARING
from tests.support.processes import Processes

TRIALS = 12
PLACE = re.compile(r"chunk \d+, line \d+ \(process \d+, thread \d+\)")
FIELDS = ("before", "after", "row", "effects")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The log of forked processes that share connections."""
    folder = tmp_path_factory.mktemp("recorded")
    host = RecordingHost()
    try:
        host.start_monitor()
        with Processes(folder) as processes:
            processes.check([sys.executable, SHARING, "200"], host.environment(shim=True))
        host.wait_alone()
        yield host.log
    finally:
        host.close()


@pytest.fixture(scope="module")
def steps(good: Path) -> list[Line]:
    """Lines behind which another of the same instance stands; what a fork has copied is one for each process."""

    def key(line: Line) -> tuple[int, int]:
        return line.instance, 0 if line.flags & record.SHARED else line.chunk.process

    every = list(lines(good))
    last = {key(line): line for line in every}
    return [line for line in every if last[key(line)] is not line and line.event not in NO_EVENTS]


def refusal(path: Path) -> str:
    """Why a log is refused."""
    with pytest.raises((Offence, BadLog)) as refused:
        judge([path])
    return str(refused.value)


def test_the_log_itself_is_good(good: Path) -> None:
    verdict = judge([good])
    assert (verdict.connections, verdict.whole, verdict.processes) == (2, 2, 4)


@pytest.mark.parametrize("field", FIELDS)
def test_a_transition_that_is_altered(field: str, good: Path, steps: list[Line], tmp_path: Path) -> None:
    for line in random.Random(field).sample(steps, TRIALS):
        copy = Copy.of(good)
        copy.add(line.chunk.number, line.mark, field, 1)
        assert line.chunk.place(line.mark).partition(": ")[2] in refusal(copy.write(tmp_path))


@pytest.mark.parametrize("field", ["step", "event", "registers", "instance", "machine"])
def test_a_line_that_belongs_elsewhere(field: str, good: Path, steps: list[Line], tmp_path: Path) -> None:
    numbered = [line for line in steps if line.machine != TOKEN]
    for line in random.Random(field).sample(numbered, TRIALS):
        copy = Copy.of(good)
        copy.add(line.chunk.number, line.mark, field, 1)
        assert PLACE.search(refusal(copy.write(tmp_path)))


def test_each_line_of_one_machine_that_is_given_to_the_next(good: Path, steps: list[Line], tmp_path: Path) -> None:
    """Whether the next one's table has such a row, too, makes no difference."""
    alike = {(line.machine, line.before, line.event, line.row): line for line in steps if line.machine != TOKEN}
    assert len(alike) > TRIALS
    for line in alike.values():
        copy = Copy.of(good)
        copy.add(line.chunk.number, line.mark, "machine", 1)
        assert PLACE.search(refusal(copy.write(tmp_path)))


@pytest.mark.parametrize("place", [0, -2], ids=["first", "before the last"])
def test_a_step_of_a_wait_that_was_over_long_ago(place: int, good: Path, steps: list[Line], tmp_path: Path) -> None:
    """Only the last few waits of a thread are kept; one that goes must not take along what is wrong with it."""
    waits: dict[int, list[Line]] = {}
    for line in steps:
        if line.machine == NUMBERS["waiter"]:
            waits.setdefault(line.instance, []).append(line)
    by_thread: dict[int, list[list[Line]]] = {}
    for wait in waits.values():
        by_thread.setdefault(wait[0].chunk.tid, []).append(wait)
    old = [wait for of_thread in by_thread.values() for wait in of_thread[: -2 * WAITS] if len(wait) > 1]
    assert old
    for wait in random.Random(place).sample(old, min(TRIALS, len(old))):
        copy = Copy.of(good)
        copy.add(wait[place].chunk.number, wait[place].mark, "step", 1)
        assert PLACE.search(refusal(copy.write(tmp_path)))


def test_a_transition_that_is_taken_out_without_a_trace(good: Path, steps: list[Line], tmp_path: Path) -> None:
    numbered = [line for line in steps if line.machine != TOKEN]
    for line in random.Random("cut").sample(numbered, TRIALS):
        copy = Copy.of(good)
        copy.cut(line.chunk.number, line.mark, line.chunk.used)
        assert PLACE.search(refusal(copy.write(tmp_path)))


def test_a_grant_of_a_token_that_is_taken_out(good: Path, tmp_path: Path) -> None:
    changes = [line for line in lines(good) if line.machine == TOKEN and line.before != line.after]
    assert len(changes) > 4
    line = changes[len(changes) // 2]
    copy = Copy.of(good)
    copy.cut(line.chunk.number, line.mark, line.chunk.used)
    assert PLACE.search(refusal(copy.write(tmp_path)))


def test_a_line_that_was_not_written(good: Path, steps: list[Line], tmp_path: Path) -> None:
    for line in random.Random("blank").sample(steps, TRIALS):
        copy = Copy.of(good)
        copy.blank(line.chunk.number, line.mark)
        assert "is missing" in refusal(copy.write(tmp_path))


def test_bytes_seen_before_they_were_put(good: Path, tmp_path: Path) -> None:
    """Every line is right by itself; but a producer's are written too late."""
    copy = Copy.of(good)
    producer = next(line for line in lines(good) if line.machine == NUMBERS["ring_tx"] and line.effects)
    for line in lines(good):
        if line.instance == producer.instance and line.event not in NO_EVENTS:
            copy.add(line.chunk.number, line.mark, "time_ns", 10**9)
    assert "bytes are seen, 0 were put" in refusal(copy.write(tmp_path))


def test_numbers_without_names_are_refused_too(good: Path, steps: list[Line], tmp_path: Path) -> None:
    for field in ("machine", "event", "before", "after"):
        copy = Copy.of(good)
        copy.add(steps[-1].chunk.number, steps[-1].mark, field, 100)
        assert PLACE.search(refusal(copy.write(tmp_path)))


def test_a_file_that_is_no_log(good: Path, tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"no log")
    assert "not a log" in refusal(tmp_path / "short")
    (tmp_path / "long").write_bytes(bytes(2 * record.CHUNK_BYTES))
    assert "not a log" in refusal(tmp_path / "long")
    (tmp_path / "empty").write_bytes(record.empty(MACHINES))
    assert "nobody has written" in refusal(tmp_path / "empty")
    copy = Copy.of(good)
    copy.data[record.HEAD.offsets["tables"]] ^= 1
    assert "other tables" in refusal(copy.write(tmp_path))
