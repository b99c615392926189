"""Whether a program shows a difference, and the smallest one that still does.

A first run is quick, and may err on a busy machine: a call may seem blocked that was only slow. So a difference counts
only if it shows again in runs that take their time, and if the kernel alone never behaves as the library did there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.differential.calls import BY_NAME, CALLS, Program, Step, text_of
from tests.differential.compare import EXCUSES, Excuse, canonical, report
from tests.differential.stage import Kind, Pace, Run, StageDied, Theatre

QUICK = Pace(settle_ms=3)
CAREFUL = Pace(settle_ms=40, rest_ms=25)  # on a busy machine a monitor needs as long to pass on what it stands between
CAREFUL_RUNS = 3
MOSTLY = 2  # so many of them must differ
BACKLOG = 5
_TIMED = {"poll": 4, "epwait": 2}
_TIME_OPTIONS = {"RCVTIMEO", "SNDTIMEO"}


@dataclass(frozen=True)
class Difference:
    """A program that does not do under the library what it does on the kernel."""

    program: Program
    run: Run | None

    def __str__(self) -> str:
        shown = report(self.program, self.run) if self.run else "the stage died"
        return f"{shown}\nreplay: python -m tests.differential.replay '{text_of(self.program)}'"


def longest_wait_ms(program: Program) -> int:
    """The longest time limit in the program: a call that waits so long is not blocked, only slow."""
    waits = [step.args[_TIMED[step.call]] for step in program if step.call in _TIMED]
    waits += [step.args[2] for step in program if step.call == "setopt" and str(step).split()[3] in _TIME_OPTIONS]
    return max([0, *waits])


class Judge:
    """Runs programs on a theatre; keeps count."""

    def __init__(self, theatre: Theatre, excuses: Sequence[Excuse] = EXCUSES) -> None:
        """What it counts begins at nought."""
        self._theatre = theatre
        self._excuses = excuses
        self.doubtful: list[tuple[Program, Run | None]] = []

    def _run(self, program: Program, pace: Pace) -> Run | None:
        try:
            return self._theatre.run(program, replace(pace, settle_ms=pace.settle_ms + longest_wait_ms(program)))
        except StageDied:
            return None

    def once(self, program: Program, pace: Pace = CAREFUL) -> Run | None:
        """One run, for who wants to look at it."""
        return self._run(program, pace)

    def _same(self, program: Program, run: Run) -> bool:
        kernel, library = (canonical(program, events) for events in run)
        if any(event.kind == Kind.WENT_WRONG for event in kernel):
            return False
        return kernel == library or any(excuse(program, run[0]) for excuse in self._excuses)

    def difference(self, program: Program) -> Difference | None:
        """The difference that the program shows, if it is certain. `doubtful` keeps those that showed only once."""
        run = self._run(program, QUICK)
        if run is not None and self._same(program, run):
            return None
        found = self._confirmed(program, run)
        if found is None:
            self.doubtful.append((program, run))
        return found

    def _confirmed(self, program: Program, first: Run | None) -> Difference | None:
        kernels = {canonical(program, first[0])} if first else set()
        wrong: list[Run | None] = []
        for number in range(CAREFUL_RUNS):
            run = self._run(program, CAREFUL)
            if run is not None:
                kernels.add(canonical(program, run[0]))
            if run is None or not (self._same(program, run) or canonical(program, run[1]) in kernels):
                wrong.append(run)
            if len(wrong) + CAREFUL_RUNS - 1 - number < MOSTLY:
                return None
        return Difference(program, wrong[-1])

    def minimal(self, found: Difference) -> Difference:
        """A smaller program that differs too: no step can be left out."""
        doubtful = list(self.doubtful)
        while (better := next(filter(None, map(self.difference, _smaller(found.program))), None)) is not None:
            found = better
        self.doubtful = doubtful  # a smaller program that does not differ is none
        return found


def units(program: Program) -> list[Program]:
    """Steps that belong together: a loose one and all until everybody has joined; else each by itself."""
    result: list[Program] = []
    started: set[int] = set()
    for step in program:
        result = [*result[:-1], (*result[-1], step)] if started else [*result, (step,)]
        if step.loose:
            started.add(step.actor)
        elif step.call == "join":
            started.discard(step.actor)
    return result


def _smaller(program: Program) -> Iterator[Program]:
    whole = units(program)
    size = len(whole) // 2
    while size:
        for start in range(len(whole) - size, -1, -size):
            yield tuple(step for unit in whole[:start] + whole[start + size :] for step in unit)
        size //= 2
    for number, step in enumerate(program):
        yield from ((*program[:number], plain, *program[number + 1 :]) for plain in _plainer(step))


def _plainer(step: Step) -> Iterator[Step]:
    """The step with one flag set or one variant less, or the usual backlog."""
    if step.call == "listen" and step.args[1] != BACKLOG:
        yield replace(step, args=(step.args[0], BACKLOG))
    for place, kind in enumerate(CALLS[BY_NAME[step.call]].params):
        plain = (
            step.args[place]
            and not step.loose
            and kind in {"message_flags", "sender", "receiver", "socket_flags", "waiter", "poller"}
        )
        if plain:
            yield replace(step, args=(*step.args[:place], 0, *step.args[place + 1 :]))
