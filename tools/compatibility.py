"""Turn two runs of a suite into one file of results: `python tools/compatibility.py KERNEL SDCORE SUITE ...`.

A suite is a program's own tests, run once on the kernel and once under the library. Each run leaves in a folder:

    SUITE.tsv           a line a test: its name, `pass`, `fail` or `skip`, and a detail, with tabs between. A test may
                        have several lines; the worst counts.
    SUITE.totals.json   what `sdcore ss --totals --json` said at the end, of a monitor that served this suite alone;
                        tools/suite_monitor.sh sees to that. Only of the run under the library.

The result is docs/reference/compatibility/SUITE.toml, from which the page of results is made. A test that passes on the
kernel and not under the library needs a reason, written by hand into that file; it stays there as long as the test
differs. Exit status 1 if a reason is missing, 2 if a run is no result at all: nothing passed, or nothing was counted.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

RESULTS = Path(__file__).parent.parent / "docs" / "reference" / "compatibility"
WORSE = {"skip": 0, "pass": 1, "fail": 2}
MISSING = "missing"


class NoResult(Exception):
    """A run that proves nothing."""


@dataclass(frozen=True)
class Difference:
    """A test that passes on the kernel and not under the library.

    Attributes:
        verdict: under the library: fail, skip, or missing if it did not come to run.
        reason: why, in a sentence; empty until somebody found out.
    """

    test: str
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Result:
    """What is kept of two runs of a suite.

    Attributes:
        kernel: tests by verdict.
        sdcore: likewise.
        bytes: sent and received by both ends, by transport.
        connections: ends of connections, by transport.
        reasons: how often a connection was not accelerated, by reason.
    """

    suite: str
    title: str
    version: str
    date: datetime.date
    kernel: Mapping[str, int]
    sdcore: Mapping[str, int]
    bytes: Mapping[str, int]
    connections: Mapping[str, int]
    reasons: Mapping[str, int]
    differs: tuple[Difference, ...] = field(default=())


def verdicts(lines: Iterable[str], left_out: Iterable[re.Pattern[str]] = ()) -> dict[str, str]:
    """The verdict on each test, but for those whose names match a pattern."""
    found: dict[str, str] = {}
    patterns = tuple(left_out)
    for line in lines:
        name, verdict, *_ = [*line.split("\t"), ""]
        if verdict not in WORSE or any(pattern.fullmatch(name) for pattern in patterns):
            continue
        if WORSE[verdict] >= WORSE.get(found.get(name, "skip"), 0):
            found[name] = verdict
    return found


def count(found: Mapping[str, str]) -> dict[str, int]:
    """How many tests have each verdict."""
    numbers = Counter(found.values())
    return {verdict: numbers[verdict] for verdict in ("pass", "fail", "skip")}


def differences(kernel: Mapping[str, str], sdcore: Mapping[str, str], reasons: Mapping[str, str]) -> list[Difference]:
    """Every test that passes on the kernel and not under the library, with the reason that is known already."""
    return [
        Difference(test, sdcore.get(test, MISSING), reasons.get(test, ""))
        for test, verdict in sorted(kernel.items())
        if verdict == "pass" and sdcore.get(test, MISSING) != "pass"
    ]


def traffic(totals: Mapping[str, Mapping[str, Mapping[str, int]]]) -> tuple[dict[str, int], dict[str, int]]:
    """Bytes and connections by transport, without what is nought.

    Raises:
        NoResult: nothing was counted, so nothing shows that the library was there.
    """
    sizes, ends = {}, {}
    for name, total in totals["transports"].items():
        if size := total["sent_bytes"] + total["received_bytes"]:
            sizes[name] = size
        if name != "none" and total["connections"]:
            ends[name] = total["connections"]
    if not sizes.get("shm"):
        raise NoResult("not one byte went through shared memory")
    return sizes, ends


def known_reasons(path: Path) -> dict[str, str]:
    """The reasons that an earlier file gives."""
    if not path.exists():
        return {}
    return {row["test"]: row["reason"] for row in tomllib.loads(path.read_text()).get("differs", ())}


def patterns_of(text: str, suite: str) -> list[re.Pattern[str]]:
    """The tests of a suite that are left out: lines `SUITE TAB NAME`, or `SUITE TAB /EXPRESSION/`."""
    found = []
    for line in text.splitlines():
        name, _, test = line.partition("\t")
        if name == suite and test:
            found.append(re.compile(test[1:-1] if test[0] == test[-1] == "/" and len(test) > 1 else re.escape(test)))
    return found


def _pairs(title: str, numbers: Mapping[str, int]) -> list[str]:
    return ["", f"[{title}]", *(f"{name} = {number}" for name, number in numbers.items())]


def as_toml(result: Result) -> str:
    """The file. A JSON string is a TOML string."""
    lines = [f"{key} = {json.dumps(getattr(result, key))}" for key in ("suite", "title", "version")]
    lines.append(f"date = {result.date.isoformat()}")
    for title in ("kernel", "sdcore", "bytes", "connections", "reasons"):
        lines += _pairs(title, getattr(result, title))
    for row in result.differs:
        lines += ["", "[[differs]]"]
        lines += [f"{key} = {json.dumps(getattr(row, key))}" for key in ("test", "verdict", "reason")]
    return "\n".join(lines) + "\n"


def compare(kernel: Path, sdcore: Path, options: argparse.Namespace, known: Mapping[str, str]) -> Result:
    """Read what two runs left.

    Raises:
        NoResult: nothing passed on the kernel, or nothing was counted under the library.
    """
    suite = options.suite
    left_out = patterns_of(options.left_out.read_text(), suite) if options.left_out else []
    texts = [(run / f"{suite}.tsv").read_text(errors="replace") for run in (kernel, sdcore)]
    before, now = (verdicts(text.splitlines(), left_out) for text in texts)
    if "pass" not in before.values():
        raise NoResult(f"{suite}: nothing passed on the kernel")
    totals = json.loads((sdcore / f"{suite}.totals.json").read_text())
    sizes, ends = traffic(totals)
    return Result(
        suite=suite,
        title=options.title,
        version=options.version,
        date=options.date,
        kernel=count(before),
        sdcore=count(now),
        bytes=sizes,
        connections=ends,
        reasons={name: reason["count"] for name, reason in totals["reasons"].items()},
        differs=tuple(differences(before, now, known)),
    )


def parse(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Turn two runs of a suite into one file of results.")
    parser.add_argument("kernel", type=Path, help="folder of the run on the kernel")
    parser.add_argument("sdcore", type=Path, help="folder of the run under the library")
    parser.add_argument("suite", help="name of the suite: that of its files")
    parser.add_argument("--title", required=True, help="what the page calls it")
    parser.add_argument("--version", required=True, help="of what was tested")
    parser.add_argument("--date", type=datetime.date.fromisoformat, default=datetime.datetime.now(datetime.UTC).date())
    parser.add_argument(
        "--left-out", type=Path, help="file that names tests whose verdict is chance on the kernel, too"
    )
    parser.add_argument("--into", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Write the file, and say what differs."""
    options = parse(words)
    path = options.into / f"{options.suite}.toml"
    try:
        result = compare(options.kernel, options.sdcore, options, known_reasons(path))
    except (NoResult, OSError) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 2
    path.write_text(as_toml(result))
    for row in result.differs:
        print(f"{row.test}: {row.verdict}: {row.reason or 'no reason is given'}")
    return int(not all(row.reason for row in result.differs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
