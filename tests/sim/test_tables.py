"""Tables of runs and sweeps: comma-separated values or Parquet, with the same content, and where runs are made."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sdsim import table
from sdsim.cli import main
from tests.cli.support import one_line
from tests.support.processes import kill, wait_until

needs_pyarrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="Dask's scheduler is not installed")


def sdsim(*words: str | Path) -> Result:
    """Call the command line."""
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="sdsim")


def rows(path: Path) -> list[dict[str, Any]]:
    """What a table holds."""
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [dict(row) for row in csv.DictReader(file)]
    from pyarrow import parquet

    found: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return found


def texts(found: list[dict[str, Any]]) -> list[dict[str, float | str]]:
    """Values as they are compared, whatever they were written as."""
    return [{key: _number(value) for key, value in row.items()} for row in found]


def _number(value: Any) -> float | str:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value or ""


KINDS = [".csv", pytest.param(".parquet", marks=needs_pyarrow)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_has_a_table_of_its_measures_and_one_of_its_latencies(kind: str, tmp_path: Path) -> None:
    measures, latencies = tmp_path / f"measures{kind}", tmp_path / f"latencies{kind}"
    done = sdsim("run", "ping-pong", "--set", "workload.count=7", "--table", measures, "--latencies", latencies)
    assert done.exit_code == 0
    (row,) = texts(rows(measures))
    assert (row["seed"], row["messages"], row["law_broken"]) == (1, 14, "")
    each = [int(line["latency_ps"]) for line in rows(latencies)]
    assert len(each) == 7
    assert sum(each) / len(each) / 1e6 == pytest.approx(float(row["mean_us"]), abs=1e-4)


@needs_pyarrow
def test_a_sweep_in_parquet_is_its_table_with_types(tmp_path: Path) -> None:
    from pyarrow import parquet

    out, also = tmp_path / "t.csv", tmp_path / "t.parquet"
    over = ("--over", "workload.size=8,64", "--over", "profile=paper-2019")
    for _ in range(2):  # all of it, too, when nothing is left to run
        words = ("sweep", "ping-pong", "--set", "workload.count=5", *over, "--out", out, "--parquet", also)
        assert sdsim(*words, "--jobs", "1").exit_code == 0
        assert texts(rows(also)) == texts(rows(out))
        also_is = {field.name: str(field.type) for field in parquet.read_schema(also)}
        assert also_is["workload.size"] == also_is["messages"] == "int64"
        assert also_is["mean_us"] == "double"
        assert also_is["profile"] == also_is["law_broken"] == "string"


def test_a_table_that_cannot_be_written_here_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(table, "find_spec", lambda _: None)
    for name, why in (("t.json", ".json; allowed are .csv, .parquet"), ("t", "no suffix"), ("t.parquet", "pyarrow")):
        for words in (("run", "ping-pong", "--table"), ("sweep", "ping-pong", "--parquet")):
            done = sdsim(*words, tmp_path / name)
            assert (done.exit_code, done.stdout) == (2, "")
            assert why in done.stderr
            assert one_line(done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_column_has_one_type() -> None:
    lines = [{"a": "1", "b": "1", "c": "1", "d": ""}, {"a": "2", "b": "", "c": "x", "d": ""}]
    assert table.typed(lines) == {"a": [1, 2], "b": [1, None], "c": ["1", "x"], "d": [None, None]}
    assert table.typed([{"a": "1"}, {"a": "2.5"}]) == {"a": [1.0, 2.5]}


# A cluster -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a scheduler and two workers, each a process of its own, as on hosts of their own."""
    folder = tmp_path_factory.mktemp("cluster")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def start(module: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *words]
        with (folder / f"{module}.log").open("a") as log:
            return subprocess.Popen(command, cwd=folder, env=environment, stderr=log)

    place = folder / "scheduler.json"
    words = ("--scheduler-file", str(place), "--no-dashboard")
    started = [start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", *words)]
    started += [start("dask_worker", *words, "--no-nanny", "--nthreads", "1") for _ in range(2)]
    try:
        wait_until(place.exists, "the scheduler has said where it is", timeout_s=60)
        yield json.loads(place.read_text())["address"]
    finally:
        for process in started:
            kill(process)


@needs_dask
@pytest.mark.filterwarnings("default")
def test_a_cluster_makes_the_table_that_the_cores_here_make(cluster: str, tmp_path: Path) -> None:
    over = ("--over", "workload.size=8,64", "--seeds", "2")
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    words = ("sweep", "chaos", "--set", "workload.count=5", *over, "--out")
    assert sdsim(*words, here, "--jobs", "1").exit_code == 0
    assert sdsim(*words, there, "--cluster", cluster).exit_code == 0
    assert sorted(there.read_text().splitlines()) == sorted(here.read_text().splitlines())
    there.write_text("".join(there.read_text().splitlines(keepends=True)[:3]))
    assert sdsim(*words, there, "--cluster", cluster).exit_code == 0
    assert sorted(there.read_text().splitlines()) == sorted(here.read_text().splitlines())


@needs_dask
def test_a_scheduler_that_does_not_answer_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdsim.sweep.CONNECT_S", 0.3)
    out = tmp_path / "t.csv"
    words = ("sweep", "ping-pong", "--over", "site.cores=2,3", "--out", out, "--cluster")
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        done = sdsim(*words, address)
        assert done.exit_code == 2
        assert f"--cluster {address}: no scheduler answers there" in done.stderr
    assert not out.exists()


def test_a_cluster_has_its_own_number_of_jobs(tmp_path: Path) -> None:
    words = ("sweep", "ping-pong", "--over", "site.cores=2", "--out", tmp_path / "t")
    done = sdsim(*words, "--jobs", "2", "--cluster", "tcp://127.0.0.1:1")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "leave it out" in done.stderr
