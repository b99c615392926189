"""One script, three worlds: the simulator and real processes give what byte streams must give."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.host import Host
from tests.support.processes import Processes
from tests.worlds.real import Real
from tests.worlds.reference import Given, Reference, Step
from tests.worlds.simulated import Simulated

Script = tuple[tuple[Step, Given], ...]
assert settings.default is not None
REAL_PROGRAMS = 40 * settings.default.max_examples // 100


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """A program, and what the reference says that each step gives."""
    reference = Reference()
    made: list[tuple[Step, Given]] = []

    def take(step: Step) -> None:
        made.append((step, reference.play(step)))

    for _ in range(draw(st.integers(1, 40))):
        verbs: dict[str, list[Step]] = {}
        for step in reference.possible():
            verbs.setdefault(step.verb, []).append(step)
        if not verbs:
            break
        weighted = [verb for verb in sorted(verbs) for _ in range({"send": 3, "receive": 3}.get(verb, 1))]
        step = draw(st.sampled_from(verbs[draw(st.sampled_from(weighted))]))
        if step.verb in ("send", "receive"):
            most = reference.most(step)
            size = draw(st.sampled_from([1, most]) | st.integers(1, min(most, 3000)))
            offset = reference.sides[step.end].sent if step.verb == "send" else reference.sides[step.end].got
            step = Step(step.verb, step.process, step.end, size, offset)
        take(step)
        if step.verb == "connect":
            take(Step("accept", draw(st.sampled_from(sorted(reference.servers))), (step.end[0], 1)))
    return tuple(made)


def parts(script: Script) -> tuple[list[Step], list[Given]]:
    """Steps, and what they must give."""
    return [step for step, _ in script], [expected for _, expected in script]


@given(scripts(), st.sampled_from([1, 2]))
@settings(max_examples=2 * REAL_PROGRAMS)
def test_the_simulator_gives_what_byte_streams_give(script: Script, hosts: int) -> None:
    steps, expected = parts(script)
    assert Simulated(steps, hosts).play() == expected


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A monitor for all programs."""
    shared = Host()
    try:
        shared.start_monitor()
        yield shared
        assert shared.sums().shm_bytes > shared.sums().tcp_bytes
    finally:
        shared.close()


numbers = itertools.count()


@given(script=scripts())
@settings(
    max_examples=REAL_PROGRAMS,
    phases=[phase for phase in Phase if phase is not Phase.shrink],  # a program costs half a second
)
def test_real_processes_give_what_byte_streams_give(
    script: Script, host: Host, tmp_path_factory: pytest.TempPathFactory
) -> None:
    steps, expected = parts(script)
    folder = tmp_path_factory.mktemp(f"program-{next(numbers)}")
    with Processes(folder) as group:
        assert Real(host, group, folder).play(steps) == expected


def test_the_reference_tells_right_from_wrong() -> None:
    """A step that gives something else is seen: the same program with one byte less to send."""
    end, other = (0, 0), (0, 1)
    steps = [
        Step("connect", 1, end),
        Step("accept", 0, other),
        Step("send", 1, end, 9),
        Step("shutdown", 1, end),
        Step("receive", 0, other, 10),
    ]
    reference = Reference()
    expected = [reference.play(step) for step in steps]
    assert expected[-1] == Given(9, "end")
    assert Simulated(steps).play() == expected
    steps[2] = Step("send", 1, end, 8)
    assert Simulated(steps).play() != expected
