"""Requests of drawn sizes and traces from a file: what is asked is answered, and sizes are those of their law."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from sdsim.cli import main
from sdsim.requests import read_trace
from sdsim.run import Run, run
from sdsim.scenario import Scenario
from sdsim.scenario_file import load
from sdsim.sizes import BadFile, least_of, read_points, sampler
from sdsim.units import US
from tests.cli.support import one_line

HEAD = 'description = "x"\n\n[workload]\n'
LAWS = {
    "constant": ({"law": "constant", "value": 7}, 7, 7, 7),
    "uniform": ({"law": "uniform", "least": 10, "most": 20}, 10, 15, 20),
    "exponential": ({"law": "exponential", "mean": 1000, "least": 1}, 1, 1000, 20_000),
    "bimodal": ({"law": "bimodal", "small": 10, "large": 1000, "large_percent": 10}, 10, 109, 1000),
}


@pytest.mark.parametrize("name", LAWS)
def test_what_is_drawn_has_the_bounds_and_the_mean_of_its_law(name: str) -> None:
    law, least, mean, most = LAWS[name]
    draw = sampler(law, Random(1))
    drawn = [draw() for _ in range(20_000)]
    assert least_of(law) == least <= min(drawn)
    assert max(drawn) <= most
    assert sum(drawn) / len(drawn) == pytest.approx(mean, rel=0.03)


def test_sizes_from_a_file_have_its_distribution(tmp_path: Path) -> None:
    path = tmp_path / "sizes"
    path.write_text("# size, share\n8 0.25\n100, 0.5\n1000 1\n")
    draw = sampler({"law": "empirical", "file": str(path)}, Random(1))
    drawn = [draw() for _ in range(20_000)]
    shares = Counter((size > 8) + (size > 100) for size in drawn)
    assert [shares[place] / len(drawn) for place in range(3)] == pytest.approx([0.25, 0.25, 0.5], abs=0.02)
    assert min(drawn) == least_of({"law": "empirical", "file": str(path)}) == 8
    assert sum(size > 550 for size in drawn) / len(drawn) == pytest.approx(0.25, abs=0.02)


def requests(**workload: object) -> Run:
    """Run a few requests."""
    content = {"description": "x", "workload": {"kind": "requests", "count": 30, **workload}}
    return run(Scenario.model_validate(content, strict=False))


@pytest.mark.parametrize("servers", [1, 3])
def test_every_request_is_answered(servers: int) -> None:
    done = requests(clients=5, servers=servers, request=100, answer=3000)
    assert done.result.messages == 300
    assert done.result.sent_bytes == 5 * 30 * 3100
    assert done.result.modes == {"ring": 5}
    assert len(done.result.latencies_ps) == 150


def test_a_pause_and_a_servers_work_take_their_time() -> None:
    quick, paused = requests(clients=1), requests(clients=1, pause_us=50)
    assert paused.ended_ps - quick.ended_ps >= 30 * 50 * US
    worked = requests(clients=1, work_ns=3000)
    assert worked.result.mean_us - quick.result.mean_us == pytest.approx(3, rel=0.3)


def test_sizes_are_drawn_from_the_seed() -> None:
    law = {"law": "uniform", "least": 1, "most": 5000}
    sums = {requests(request=law, answer=law).result.sent_bytes for _ in range(2)}
    assert len(sums) == 1
    assert sums != {requests(request=law, answer=law, clients=3).result.sent_bytes}


def trace(tmp_path: Path, text: str, *changes: str) -> Run:
    """Run a scenario with a trace beside it."""
    (tmp_path / "trace.csv").write_text(text)
    path = tmp_path / "scenario.toml"
    path.write_text(HEAD + 'kind = "trace"\nfile = "trace.csv"\n')
    return run(load(str(path), changes))


def test_a_request_of_a_trace_is_sent_at_its_time_and_one_that_waits_is_late(tmp_path: Path) -> None:
    apart = trace(tmp_path, "at_us,connection,request,answer\n0,1,64,64\n100,1,64,64\n200,2,64,64\n")
    assert apart.result.connections == 2
    assert apart.result.messages == 6
    assert apart.result.elapsed_ps >= 200 * US
    long = trace(tmp_path, "0 1 64 1000000\n1 1 64 64\n")
    first, second = long.result.latencies_ps
    assert second > first - 2 * US > 20 * US
    assert len(read_trace(tmp_path / "trace.csv")[1]) == 2


def test_requests_without_an_answer_follow_each_other(tmp_path: Path) -> None:
    done = trace(tmp_path, "".join(f"0 1 {size} 0\n" for size in (1, 1000, 70_000, 3)) + "0 1 5 9\n")
    assert done.result.messages == 6
    assert done.result.sent_bytes == 71_018
    assert len(done.result.latencies_ps) == 1


def test_the_first_lines_of_a_trace_are_enough(tmp_path: Path) -> None:
    assert trace(tmp_path, "0 1 64 64\n1 2 64 64\n2 3 64 64\n", "workload.count=2").result.messages == 4


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('kind = "requests"\nrequest = { law = "uniform", least = 4 }\n', 5, "workload.request.most: is missing"),
        ('kind = "requests"\n[workload.request]\nlaw = "unifrom"\n', 6, "request.law: there is no unifrom"),
        ('kind = "requests"\n[workload.answer]\nlaw = "uniform"\nleast = 1\nmost = 2\nmots = 3\n', 9, "mots: unknown"),
        (
            'kind = "requests"\nanswer = { law = "uniform", least = 4, most = 3 }\n',
            5,
            "answer.most: 3; allowed: at least",
        ),
        ('kind = "requests"\nrequest = 0\n', 5, "request: may be 0; allowed: at least 1"),
        ('kind = "requests"\nrequest = "x"\n', 5, "workload.request: "),
    ],
)
def test_a_wrong_law_is_refused_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(HEAD + text)
    done = CliRunner().invoke(main, ["run", str(path)])
    assert done.exit_code == 2
    assert f"{path}:{line}: " in done.stderr
    assert words in done.stderr
    assert one_line(done.stderr)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("0 1 64\n", 1, "'0 1 64'; allowed: at_us, connection, request, answer"),
        ("at_us,connection,request,answer\n0,1,0,1\n", 2, "allowed: no time or answer below 0, a request from 1 on"),
        ("5 1 64 64\n4 1 64 64\n", 2, "at 4 us, after 5; allowed: in the order of time"),
        ("nan 1 64 64\n", 1, "allowed: no time"),
    ],
)
def test_a_wrong_trace_is_refused_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    (tmp_path / "t").write_text(text)
    path = tmp_path / "bad.toml"
    path.write_text(HEAD + 'kind = "trace"\nfile = "t"\n')
    done = CliRunner().invoke(main, ["run", str(path)])
    assert done.exit_code == 2
    assert f"{tmp_path / 't'}:{line}: " in done.stderr
    assert words in done.stderr
    assert one_line(done.stderr)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8\n", "1: '8'; allowed: a whole number and a share"),
        ("8 2\n", "allowed: a number from 0 on, and a share from 0 to 1"),
        ("8 0.5\n8 1\n", "2: after 8 0.5; allowed: both rise"),
        ("8 0.5\n9 0.4\n", "2: after 8 0.5; allowed: both rise"),
        ("8 0.5\n", "the last share must be 1 (it is 0.5)"),
        ("# nothing\n", "the last share must be 1 (there is no line)"),
    ],
)
def test_wrong_sizes_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "s").write_text(text)
    with pytest.raises(BadFile) as refused:
        read_points(tmp_path / "s")
    assert words in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(HEAD + 'kind = "trace"\nfile = "none"\n')
    done = CliRunner().invoke(main, ["run", str(path)])
    assert done.exit_code == 2
    assert f"{tmp_path / 'none'}: cannot be read: No such file or directory" in done.stderr
