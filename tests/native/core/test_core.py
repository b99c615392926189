"""The laws of the core's transfers, tokens, moves and ends, in C, alone and under the sanitizers.

Both ends of every connection live in one process, joined by a slab of the test's own; see ../epoll/pair.h. Each law is
a function in one of the C files here, named as it is here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native.with_the_core import PAIRS, VARIANTS, build, laws_of, run

HERE = Path(__file__).parent
LAWS = laws_of(HERE, ("streams", "tokens", "hostile", "moves", "ends", "offers", "bells"))
# What pair.c wraps, and what the tests here do: they act in the moment between two steps of the core.
WRAPPED = ("set_announce", "arm", "watch_room", "fence_sleeper", "attend", "release_slot", "leases_of")


@pytest.fixture(scope="module", params=VARIANTS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests, compiled with the whole core."""
    target = tmp_path_factory.mktemp("core") / f"core-{request.param}"
    return build(target, request.param, [*sorted(HERE.glob("*.c")), PAIRS / "pair.c"], WRAPPED)


def test_every_law_is_run(program: Path) -> None:
    assert run(program).stdout.split() == LAWS


@pytest.mark.parametrize("law", LAWS)
def test_core(program: Path, law: str) -> None:
    outcome = run(program, law)
    assert outcome.returncode == 0, outcome.stderr
