"""What was found stays found: each file of cases/ does the same on both, or is known to differ and still does.

Also the tester's own law: a difference is seen, and the text of a program is the program.
"""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given

from tests.differential.calls import Malformed, Program, parse, text_of
from tests.differential.compare import EXCUSES, canonical, is_open, wakes_a_reader_by_a_part
from tests.differential.judge import Judge, units
from tests.differential.programs import programs
from tests.differential.stage import Event, Kind, Theatre

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))

# What differs and stands in docs/reference/limitations.md: the tests insist that it still does.
KNOWN_TO_DIFFER: frozenset[str] = frozenset(
    {
        "killed_after_an_urgent_byte",
        "killed_after_the_peer_moved",
        "urgent_byte_and_a_stand_in",
    }
)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_case_does_the_same_on_both(path: Path, theatre: Theatre) -> None:
    excuses = (is_open,) if path.stem in KNOWN_TO_DIFFER else EXCUSES
    found = Judge(theatre, excuses).difference(parse(path.read_text()))
    if path.stem in KNOWN_TO_DIFFER:
        assert found is not None, "no longer differs: take it out of KNOWN_TO_DIFFER and the page"
    elif found is not None:
        pytest.fail(str(found), pytrace=False)


def plays_over_unix(path: Path) -> bool:
    """A third of the cases; SDCORE_ENDS=all plays all."""
    chosen = os.environ.get("SDCORE_ENDS") == "all" or zlib.crc32(path.stem.encode()) % 3 == 0
    return chosen and path.stem not in KNOWN_TO_DIFFER


@pytest.mark.parametrize("path", list(filter(plays_over_unix, CASES)), ids=lambda path: path.stem)
def test_the_case_does_the_same_over_unix(path: Path, theatre: Theatre) -> None:
    found = Judge(theatre).difference(parse(re.sub(r"\binet6?\b", "unix", path.read_text())))
    if found is not None:
        pytest.fail(str(found), pytrace=False)


def test_known_differences_are_cases() -> None:
    assert {path.stem for path in CASES} >= KNOWN_TO_DIFFER


@given(programs(wild=True))
def test_text_and_program_are_the_same(program: Program) -> None:
    assert parse(text_of(program)) == program
    assert tuple(step for unit in units(program) for step in unit) == program


@pytest.mark.parametrize(
    "text", ["a0 fly s1", "a0 close", "a0 close s99", "a0 send s1 1 FAST send", "a99 join", "close"]
)
def test_what_is_no_program_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


def test_a_wrong_value_is_a_difference() -> None:
    program = parse("a0 socket s1 inet 0 ; a0 getopt s1 SNDBUF")
    events = (Event(Kind.RETURNED, 0, 3), Event(Kind.RETURNED, 1, 16384))
    grown = (events[0], Event(Kind.RETURNED, 1, 87040))
    other = (Event(Kind.RETURNED, 0, 4), events[1])
    assert canonical(program, events) == canonical(program, grown), "the size of a buffer is open"
    assert canonical(program, events) != canonical(program, other), "the number of a descriptor is not"


SENT_WHILE_NOBODY_WAITS = (Event(Kind.BLOCKED, 0, 0), Event(Kind.LATER, 0, 1), Event(Kind.RETURNED, 1, 1))


@pytest.mark.parametrize(
    ("events", "excused"),
    [
        ((Event(Kind.BLOCKED, 0, 0), Event(Kind.LATER, 0, 3), Event(Kind.RETURNED, 2, 3)), True),
        ((Event(Kind.BLOCKED, 0, 0), Event(Kind.RETURNED, 1, 1), Event(Kind.LATER, 0, 3)), True),
        ((*SENT_WHILE_NOBODY_WAITS, Event(Kind.RETURNED, 2, 3)), False),
        ((Event(Kind.RETURNED, 0, 1), Event(Kind.RETURNED, 2, 3)), False),
    ],
)
def test_a_part_may_wake_only_who_waits_when_it_is_sent(events: tuple[Event, ...], excused: bool) -> None:
    program = parse("a0 recv s1 9 0 recv ; a1 send s0 1 0 send ; a1 more s0 2")
    assert wakes_a_reader_by_a_part(program, events) is excused
