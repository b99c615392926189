"""Play drawn programs for so many seconds: `python -m tests.differential.hunt --seconds 3600 --wild --keep-going`.

Hypothesis draws; it does not shrink, since leaving out steps one by one (judge.py) is quicker and needs fewer runs.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.differential.calls import Program, text_of
from tests.differential.judge import Difference, Judge
from tests.differential.programs import programs
from tests.differential.replay import theatre
from tests.differential.stage import Run, Theatre
from tests.support.host import Sums

ROUND = 200  # programs drawn with one seed


@dataclass
class Hunt:
    """What came of it.

    Attributes:
        programs: how many programs were drawn.
        finds: a minimal program for each difference.
        doubtful: programs that differed once, quickly played, and not again.
        moved: the bytes of all programs under the library.
    """

    programs: int = 0
    finds: list[Difference] = field(default_factory=list)
    doubtful: list[tuple[Program, Run | None]] = field(default_factory=list)
    moved: Sums = field(default_factory=lambda: Sums(0, 0, {}))

    @property
    def share(self) -> float:
        """Of all bytes, those that went through shared memory."""
        return self.moved.shm_bytes / max(1, self.moved.shm_bytes + self.moved.tcp_bytes)

    def __str__(self) -> str:
        return (
            f"{self.programs} programs, {len(self.finds)} differences, {len(self.doubtful)} doubtful; "
            f"{self.share:.1%} of {(self.moved.shm_bytes + self.moved.tcp_bytes) / 1e6:.0f} MB through shared memory"
        )


def _round(number: int, wild: bool, play: Callable[[Program], None]) -> None:
    @seed(number)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(wild=wild))
    def examples(program: Program) -> None:
        play(program)

    examples()


def hunt(
    theatre: Theatre,
    seconds: float,
    first_seed: int,
    *,
    wild: bool,
    finds_max: int = 1,
    programs_max: float = math.inf,
    tell: Callable[[str], None] = print,
) -> Hunt:
    """Draw and play until the time is over or enough is found."""
    result, judge, before = Hunt(), Judge(theatre), theatre.sums()
    deadline = time.monotonic() + seconds
    known: set[str] = set()

    def over() -> bool:
        enough = len(result.finds) >= finds_max or result.programs >= programs_max
        return enough or time.monotonic() >= deadline

    def play(program: Program) -> None:
        if over():
            return
        result.programs += 1
        if (found := judge.difference(program)) is None:
            return
        found = judge.minimal(found)
        if text_of(found.program) not in known:
            known.add(text_of(found.program))
            result.finds.append(found)
            tell(f"{found}\n")

    while not over():
        _round(first_seed, wild, play)
        first_seed += 1
    result.doubtful = judge.doubtful
    result.moved = theatre.sums().since(before)
    return result


def main() -> int:
    """Return 0 if nothing differed."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=float, default=600)
    words.add_argument("--seed", type=int, default=random.randrange(1 << 30), help="the first one; default: any")
    words.add_argument("--wild", action="store_true", help="also what moves connections to kernel TCP")
    words.add_argument("--finds", type=int, default=1, help="stop after so many differences")
    words.add_argument("--doubtful", type=Path, help="append programs there that differed only once")
    options = words.parse_args()
    print(f"seed {options.seed}", flush=True)
    with theatre() as both:
        result = hunt(
            both,
            options.seconds,
            options.seed,
            wild=options.wild,
            finds_max=options.finds,
            tell=lambda text: print(text, flush=True),
        )
    if options.doubtful:
        with options.doubtful.open("a") as file:
            file.writelines(f"{Difference(program, run)}\n\n" for program, run in result.doubtful)
    print(result)
    return 1 if result.finds else 0


if __name__ == "__main__":
    sys.exit(main())
