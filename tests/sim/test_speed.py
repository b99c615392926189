"""The simulator's own speed: what a message costs in steps, which no busy machine changes."""

from __future__ import annotations

from sdsim.speed import measure

STEPS_MAX = {"one way": 4, "there and back": 24}


def test_a_message_takes_few_steps_with_and_without_the_checks() -> None:
    bare, *loads = measure(1000)
    assert bare.per_second > 0
    assert len(loads) == 4
    for speed in loads:
        assert 0 < speed.steps < STEPS_MAX[speed.name.partition(",")[0]]
