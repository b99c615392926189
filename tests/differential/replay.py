"""Play one program on both sides and show what it did: `python -m tests.differential.replay 'PROGRAM'`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.differential.calls import Malformed, Program, parse
from tests.differential.compare import report
from tests.differential.judge import Judge
from tests.differential.stage import Theatre, build
from tests.support.host import Host


@contextmanager
def theatre() -> Iterator[Theatre]:
    """Both stages with a monitor of their own."""
    host = Host()
    try:
        host.start_monitor()
        with tempfile.TemporaryDirectory(prefix="sd-") as folder, Theatre(build(Path(folder)), host) as both:
            yield both
    finally:
        host.close()


def program_of(text: str) -> Program:
    """The program itself, or the file that holds it."""
    return parse(Path(text).read_text() if text.endswith(".txt") else text)


def main() -> int:
    """Return 0 if both runs are the same, 1 if they differ, 2 if the text is no program."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("program", help="its text, or a file ending in .txt")
    words.add_argument("--minimise", action="store_true", help="leave out what the difference does not need")
    words.add_argument("--times", type=int, default=1, help="play it so often, until it differs")
    options = words.parse_args()
    try:
        program = program_of(options.program)
    except Malformed as error:
        print(error, file=sys.stderr)
        return 2
    with theatre() as both:
        judge = Judge(both)
        found = next(filter(None, (judge.difference(program) for _ in range(options.times))), None)
        if found is None:
            run = judge.once(program)
            print(report(program, run) if run else "the stage died")
            print("the same on both")
            return 0
        print(judge.minimal(found) if options.minimise else found)
        return 1


if __name__ == "__main__":
    sys.exit(main())
