"""What the project wants to reach, as ratios within one run.

A target that says nothing of the placement holds for each. A time or rate is compared by `Cell.ratio`'s rule: how many
times better. Two are absolute or about not being slower, and say so.
"""

from __future__ import annotations

from dataclasses import dataclass

from sdcore.cli.bench.model import TITLES, Cell, Placement, Row, Transport, Verdict
from sdcore.cli.bench.summary import ratio


@dataclass(frozen=True)
class Target:
    """At least `times` better than `baseline`, or at most `most` (in the row's unit).

    Attributes:
        size, placement, connections: which rows it is about; None is any.
    """

    measure: str
    size: int | None = None
    placement: Placement | None = None
    connections: int | None = None
    times: float = 0.0
    baseline: Transport = "tcp"
    most: float | None = None

    def applies(self, row: Row) -> bool:
        """Whether this target is about that row."""
        return (
            self.measure == row.measure
            and self.size in (None, row.size)
            and self.placement in (None, row.placement)
            and self.connections in (None, row.connections)
        )

    def __str__(self) -> str:
        if self.most is not None:
            return f"<= {self.most:g}"
        return f">= {self.times:g}x {TITLES[self.baseline]}"

    def judge(self, row: Row) -> Verdict | None:
        """The verdict on a row; None if sdcore or what it is compared with was not measured."""
        ours, theirs = row.cell("shm"), row.cell(self.baseline)
        if ours is None or (theirs is None and self.most is None):
            return None
        if ours.fell_back:
            return Verdict(target=str(self), reached=None, ok=False)
        return self._judge(row, ours, theirs)

    def _judge(self, row: Row, ours: Cell, theirs: Cell | None) -> Verdict:
        if self.most is not None or theirs is None:
            return Verdict(target=str(self), reached=ours.median, ok=ours.median <= (self.most or 0))
        reached = ratio(ours.median, theirs.median, row.better)
        return Verdict(target=str(self), reached=reached, ok=reached is not None and reached >= self.times)


TARGETS = (
    Target("roundtrip", size=8, placement="two", times=100),
    Target("roundtrip", size=8, placement="same", times=4),
    Target("stream", size=8, times=40),
    Target("stream", size=64 * 1024, times=4),
    Target("stream", size=64 * 1024, times=2, baseline="unix"),
    Target("many", connections=1000, times=40),
    Target("redis", connections=1, placement="two", times=3),
    Target("redis", connections=1, placement="same", times=1),
    Target("redis", connections=50, times=1.5),
    Target("idle", most=10),
    Target("crowd", times=0.95),
    Target("threads", times=3),
    Target("family", times=3),
    Target("beside", times=0.95),
)


def judged(row: Row) -> Row:
    """The row with its verdicts."""
    verdicts = (target.judge(row) for target in TARGETS if target.applies(row))
    return row.model_copy(update={"verdicts": tuple(verdict for verdict in verdicts if verdict is not None)})
