"""What comes out of runs: traces for Perfetto, tables of sweeps, profiles of a host."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sdsim.bench import Measured, as_toml, predict, profile, read, system_call_ns
from sdsim.cli import main
from sdsim.costs import BadProfile, costs_of


def sdsim(*words: str | Path) -> Result:
    """Call the command line."""
    return CliRunner().invoke(main, [str(word) for word in words])


def test_lanes_of_cores_and_nics_never_overlap_and_are_named(tmp_path: Path) -> None:
    path = tmp_path / "lanes.json"
    many = ("workload.connections=8", "workload.clients=2", "workload.count=2", "site.hosts=2")
    sets = [word for change in many for word in ("--set", change)]
    assert sdsim("run", "many-connections", *sets, "--perfetto", path).exit_code == 0
    content = json.loads(path.read_text())
    assert content["otherData"]["run"].startswith("# sdsim seed=1 ")
    names = {event["args"]["name"] for event in content["traceEvents"] if event["ph"] == "M"}
    assert {"host1", "host2", "core 0", "NIC in", "NIC out"} <= names
    lanes: dict[int, list[tuple[float, float]]] = {}
    for event in content["traceEvents"]:
        if event["ph"] == "X":
            lanes.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    assert len(lanes) > 5
    for spans in lanes.values():
        ordered = sorted(spans)
        assert all(one[1] <= other[0] + 0.0011 for one, other in itertools.pairwise(ordered))


def test_a_sweep_runs_every_combination_once_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    words = ("sweep", "ping-pong", "--set", "workload.count=5", "--out", path, "--jobs", "1")
    assert sdsim(*words, "--over", "workload.size=8,64", "--over", "site.hosts=1,2").exit_code == 0
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:3]) + "\n")
    assert sdsim(*words, "--over", "workload.size=8,64", "--over", "site.hosts=1,2").exit_code == 0
    assert sorted(path.read_text().splitlines()) == sorted(lines)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["workload.size"], row["site.hosts"]) for row in rows} == {
        ("8", "1"), ("8", "2"), ("64", "1"), ("64", "2"),
    }  # fmt: skip
    assert all(float(row["mean_us"]) > 0 and row["messages"] == "10" for row in rows)


@pytest.mark.parametrize(
    ("over", "words"),
    [("workload.size", "must be table.key=value"), ("workload.size=8,,9", "must be"), ("workload.sise=8", "sise")],
)
def test_a_wrong_sweep_is_refused_before_anything_runs(tmp_path: Path, over: str, words: str) -> None:
    path = tmp_path / "table.csv"
    result = sdsim("sweep", "ping-pong", "--over", over, "--out", path)
    assert result.exit_code == 2
    assert words in result.output
    assert not path.exists()


def test_a_sweep_does_not_write_into_another_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n")
    result = sdsim("sweep", "ping-pong", "--over", "workload.size=8", "--out", path)
    assert result.exit_code == 2
    assert path.read_text() == "a,b\n1,2\n"


def report(path: Path) -> Path:
    """Write a report whose numbers are easy."""

    def row(measure: str, size: int, unit: str, **medians: float) -> dict[str, object]:
        cells = [{"transport": name, "median": value} for name, value in medians.items()]
        return {"measure": measure, "placement": "two", "size": size, "unit": unit, "cells": cells}

    rows = [
        row("roundtrip", 8, "us", bare=0.1, shm=0.3, tcp=20.0),
        row("stream", 8, "1/s", shm=20e6, tcp=1e6),
        row("stream", 4096, "1/s", shm=2e6, tcp=0.5e6),
    ]
    path.write_text(json.dumps({"rows": rows}))
    return path


def test_a_profile_of_a_host_has_what_was_measured_and_predicts_what_was_not(tmp_path: Path) -> None:
    path = tmp_path / "host.toml"
    result = sdsim("this-host", report(tmp_path / "report.json"), "--profile", path)
    assert result.exit_code == 0
    costs = costs_of(str(path))
    assert (costs.cache_line, costs.ring_message, costs.copy_page) == (25_000, 50_000, 450_000 - 7 * 25_000)
    assert costs.tcp_send == 1_000_000
    assert costs.wake_least == costs.wake_most == (10_000 - 1000 - 365) * 1000
    assert "not measured here" in path.read_text()
    assert "2 measures that no cost was taken from" in result.output


def test_what_a_cost_was_taken_from_comes_out_again(tmp_path: Path) -> None:
    measured = read(report(tmp_path / "report.json"))
    path = tmp_path / "host.toml"
    path.write_text(as_toml(profile(measured, system_call_ns())))
    again = predict(Measured("stream", "tcp", 8, "1/s", 1e6), path)
    assert again == pytest.approx(1e6, rel=0.1)


@pytest.mark.parametrize("text", ["", "{}", '{"rows": [{"placement": "two"}]}', '{"rows": []}'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    result = sdsim("this-host", path, "--profile", tmp_path / "host.toml")
    assert result.exit_code == 2
    with pytest.raises(BadProfile):
        profile(read(path), 100.0)
