"""Sizes and times that are drawn: constant, uniform, exponential, of two sorts, or as a file says.

    draw = sampler({"law": "uniform", "least": 1, "most": 100}, world.rng)
    draw()          # a whole number

A file for the law `empirical` has a line for each point of the distribution function: a size, and which share of all is
not larger, rising to 1; `#` begins a comment. Between two points sizes are drawn evenly, as is usual for published
workloads of data centres.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

Draw = Callable[[], int]
Points = Sequence[tuple[int, float]]
"""Sizes, and the share of all that is not larger."""


class BadFile(ValueError):
    """A file of sizes or requests cannot be used; the text says where, why, and what is allowed."""

    def __init__(self, path: Path, line: int, text: str) -> None:
        super().__init__(f"{path}:{line}: {text}" if line else f"{path}: {text}")


def lines_of(path: Path) -> list[tuple[int, list[str]]]:
    """The lines of a file that say something, with their numbers, split at commas and spaces.

    Raises:
        BadFile: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadFile(path, 0, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadFile(path, error.object.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
    said = (
        (number, line.partition("#")[0].replace(",", " ").split()) for number, line in enumerate(text.split("\n"), 1)
    )
    return [(number, words) for number, words in said if words]


def read_points(path: Path) -> Points:
    """A distribution from its file.

    Raises:
        BadFile: it is none.
    """
    points: list[tuple[int, float]] = []
    for number, words in lines_of(path):
        point = _point(path, number, words)
        if points and (point[0] <= points[-1][0] or point[1] < points[-1][1]):
            raise BadFile(
                path, number, f"after {points[-1][0]} {points[-1][1]:g}; allowed: both rise from line to line"
            )
        points.append(point)
    if not points or points[-1][1] != 1:
        last = f"it is {points[-1][1]:g}" if points else "there is no line"
        raise BadFile(path, 0, f"the last share must be 1 ({last})")
    return points


def _point(path: Path, number: int, words: list[str]) -> tuple[int, float]:
    try:
        size, share = words
        point = int(size), float(share)
    except ValueError:
        raise BadFile(
            path, number, f"{' '.join(words)!r}; allowed: a whole number and a share, such as 1500 0.8"
        ) from None
    if point[0] < 0 or not 0 <= point[1] <= 1:
        raise BadFile(path, number, f"{' '.join(words)!r}; allowed: a number from 0 on, and a share from 0 to 1")
    return point


# Drawing -------------------------------------------------------------------------------------------------------------


def sampler(law: Mapping[str, Any], rng: Random) -> Draw:
    """What draws by a law of a scenario."""
    match law["law"]:
        case "constant":
            return lambda: int(law["value"])
        case "uniform":
            return lambda: rng.randint(law["least"], law["most"])
        case "exponential":
            return lambda: max(law["least"], round(rng.expovariate(1 / law["mean"])))
        case "bimodal":
            return lambda: law["large"] if rng.random() * 100 < law["large_percent"] else law["small"]
    return _empirical(read_points(Path(law["file"])), rng)


def _empirical(points: Points, rng: Random) -> Draw:
    shares = [share for _, share in points]

    def draw() -> int:
        share = rng.random()
        above = bisect_left(shares, share)
        size, top = points[above]
        if not above:
            return size
        below, bottom = points[above - 1]
        return below + round((size - below) * (share - bottom) / (top - bottom))

    return draw


def least_of(law: Mapping[str, Any]) -> int:
    """The least that may be drawn."""
    match law["law"]:
        case "constant":
            return int(law["value"])
        case "bimodal":
            return min(int(law["small"]), int(law["large"]))
        case "empirical":
            return read_points(Path(law["file"]))[0][0]
    return int(law["least"])
