"""The report for people: table, plots, and what they must not hide."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from sdcore.cli.bench import model, plots, table
from sdcore.cli.bench.model import Report, Transport
from tests.bench.samples import report, row


def shown(one: Report) -> str:
    console = Console(width=140)
    with console.capture() as capture:
        console.print(table.header(one))
        console.print(table.table(one))
    return capture.get()


@pytest.fixture
def everything() -> Report:
    values: dict[Transport, float] = {"tcp": 50.0, "unix": 30.0, "shm": 0.4, "bare": 0.14}
    rates: dict[Transport, float] = {"tcp": 30_000.0, "unix": 60_000.0, "shm": 150_000.0, "bare": 200_000.0}
    return report(
        row(values),
        row(values, placement="same"),
        row(rates, measure="stream", better="higher", unit="1/s", size=65536),
        row({"tcp": 9000.0, "shm": 8000.0}, measure="connect", better="higher", unit="1/s", size=None),
        row({"tcp": 1000.0, "shm": 5000.0}, measure="redis", better="higher", unit="1/s", size=None, connections=1),
    )


def test_the_table_says_which_congestion_control_and_which_cpu(everything: Report) -> None:
    text = shown(everything)
    assert "kernel TCP with cubic" in text
    assert "a core" in text


def test_the_table_shows_ratio_bandwidth_and_verdict(everything: Report) -> None:
    text = shown(everything)
    assert "125x" in text
    assert "9.83 GB/s" in text
    assert ">= 100x kernel TCP: ok (125)" in " ".join(text.replace("│", " ").split())


def test_a_run_on_kernel_tcp_is_not_shown_as_sdcore() -> None:
    text = shown(report(row({"tcp": 50.0, "shm": 0.4}, fell_back="no shared memory")))
    assert "FELL BACK" in text
    assert "125x" not in text
    assert "MISS" in text


def test_every_measure_gets_a_picture(everything: Report, tmp_path: Path) -> None:
    written = plots.draw(everything, tmp_path / "new")
    assert {path.name for path in written} == {
        "roundtrip.png",
        "stream.png",
        "bandwidth.png",
        "connect.png",
        "redis.png",
    }
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_what_fell_back_is_not_drawn() -> None:
    fallen = row({"tcp": 50.0, "shm": 0.4}, fell_back="no shared memory")
    assert plots._shown(fallen, "shm") is None
    assert plots._shown(fallen, "tcp") is not None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.14, "0.14"), (21.34, "21.3"), (999, "999"), (1234, "1234"), (12_345, "12.3 k"), (3.2e7, "32 M"), (9e9, "9 G")],
)
def test_numbers_have_three_figures(value: float, text: str) -> None:
    assert table.number(value) == text


@pytest.mark.parametrize("part", ["Report", "Machine", "Settings", "Row", "Cell", "Verdict"])
def test_the_manual_names_each_field_of_the_report(part: str) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "howto" / "measure.md").read_text("utf-8")
    [line] = [line for line in manual.splitlines() if line.startswith(f"| {part.lower()} |")]
    assert [name for name in getattr(model, part).model_fields if f"`{name}`" not in line] == []
