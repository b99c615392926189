"""Drawn programs do the same on the kernel and under the library. How long: docs/howto/find-differences.md."""

from __future__ import annotations

import math
import os
import random

import pytest

from tests.differential.hunt import hunt
from tests.differential.stage import Theatre

SECONDS = float(os.environ.get("DIFFERENTIAL_SECONDS", "50")) / 2
PROGRAMS_MAX = math.inf if "DIFFERENTIAL_SECONDS" in os.environ else 250  # else the same ones on every machine
SEED = os.environ.get("DIFFERENTIAL_SEED", "1")
MINIMISING_S = 600  # a difference is worth the time

# Of all bytes. Tame programs use TCP only for a connection that ends before it is accepted.
SHARE_MIN = {"tame": 0.98, "wild": 0.2}
BYTES_MIN = 1000  # of each program, on the average; more than a few messages


@pytest.mark.timeout(2 * SECONDS + MINIMISING_S)
@pytest.mark.parametrize("manner", ["tame", "wild"])
def test_drawn_programs_do_the_same_on_both(theatre: Theatre, manner: str) -> None:
    seed = random.randrange(1 << 30) if SEED == "any" else int(SEED)
    result = hunt(theatre, SECONDS, seed, wild=manner == "wild", programs_max=PROGRAMS_MAX)
    print(f"{manner}, seed {seed}: {result}")
    if result.finds:
        pytest.fail(f"seed {seed}\n{result.finds[0]}", pytrace=False)
    assert result.share >= SHARE_MIN[manner], f"fell back to kernel TCP: {result}"
    assert result.moved.shm_bytes >= BYTES_MIN * result.programs, f"too few bytes: {result}"
