"""Tokens under weak memory: every interleaving of single accesses, with stores that wait in buffers, breaks no law.

The worlds are those of the exploration `token` (sdsim), with store buffers. That the model can tell right from wrong is
shown by leaving out what the C relies on: the asymmetric fence, and the releasing store that leaves a token.
`SDCORE_TOKEN_WORLDS=N` explores three contenders, too, up to N worlds; half a million take a minute and a half.
"""

from __future__ import annotations

import os

import pytest

from sdsim.explore.engine import Found, explore, tables
from sdsim.explore.token import TokenModel

LONG = int(os.environ.get("SDCORE_TOKEN_WORLDS", "0"))


def found(most: int = 5_000_000, **options: object) -> Found:
    """Explore two contenders, unless told otherwise."""
    return explore(TokenModel(tables({}), **{"contenders": 2, **options}), most)  # type: ignore[arg-type]


@pytest.mark.parametrize("memory", ["tso", "weak"])
def test_no_order_of_accesses_breaks_a_law(memory: str) -> None:
    result = found(memory=memory, wants=2, deaths=1 if memory == "tso" else 0)
    assert result.fault is None
    assert result.complete
    assert result.worlds > 40_000


def test_a_number_used_again_breaks_no_law() -> None:
    result = found(deaths=1, reuse=True)
    assert result.fault is None
    assert result.complete


@pytest.mark.parametrize(
    ("missing", "memory", "fault"),
    [
        ("fences", "tso", "two are inside"),
        ("fences", "weak", "two are inside"),
        ("releases", "weak", "what the holder before wrote is not seen"),
    ],
)
def test_what_the_c_relies_on_is_needed(missing: str, memory: str, fault: str) -> None:
    result = found(memory=memory, **{missing: False})
    assert result.fault is not None
    assert result.fault.what == fault


@pytest.mark.skipif(not LONG, reason="SDCORE_TOKEN_WORLDS is not set")
@pytest.mark.parametrize(
    "options",
    [
        {"wants": 2, "deaths": 0},
        {"memory": "tso", "deaths": 1},
        {"memory": "weak", "deaths": 0},
        {"deaths": 2, "reuse": True},
        {"contenders": 2, "memory": "tso", "deaths": 1, "reuse": True},
    ],
)
def test_larger_worlds(options: dict[str, object]) -> None:
    assert found(LONG, **{"contenders": 3, **options}).fault is None
