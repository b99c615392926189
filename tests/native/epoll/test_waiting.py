"""The laws of poll, select and epoll over sockets of ours, in C, alone and under the sanitizers.

Both ends of every connection live in one process, joined by a slab of the test's own; see pair.h. Each law is a
function in events.c, sleeps.c, lives.c or polls.c, named as it is here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native.with_the_core import VARIANTS, build, laws_of, run

HERE = Path(__file__).parent
LAWS = laws_of(HERE, ("events", "sleeps", "lives", "polls"))
# The tests act in the moments of falling asleep; see pair.h.
WRAPPED = ("set_announce", "arm", "watch_room", "fence_sleeper")


@pytest.fixture(scope="module", params=VARIANTS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests, compiled with the whole core."""
    target = tmp_path_factory.mktemp("waiting") / f"waiting-{request.param}"
    return build(target, request.param, sorted(HERE.glob("*.c")), WRAPPED)


def test_every_law_is_run(program: Path) -> None:
    assert run(program).stdout.split() == LAWS


@pytest.mark.parametrize("law", LAWS)
def test_waiting(program: Path, law: str) -> None:
    outcome = run(program, law)
    assert outcome.returncode == 0, outcome.stderr
