"""A report is one file that needs nothing else, and its charts are well-formed."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from click.testing import CliRunner

from sdsim.cli import main
from sdsim.html import chart


def charts(text: str) -> list[ET.Element]:
    """The drawings of a page; what is not well-formed raises."""
    assert not re.search(r"<(script|link|img|iframe)\b|\b(src|href)=|url\(|http", text), "the page loads something"
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


def test_the_report_of_a_run_has_its_result_and_how_to_repeat_it(tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    done = CliRunner().invoke(
        main, ["run", "ping-pong", "--set", "workload.count=20", "--seed", "3", "--html", str(path)]
    )
    assert done.exit_code == 0, done.output
    text = path.read_text()
    assert len(charts(text)) == 1
    assert "sdsim run ping-pong --seed 3 --set workload.count=20" in text
    for word in ("messages a second", "p99", "ring_tx", "workload.count", "core 0"):
        assert word in text


def test_the_report_of_a_sweep_draws_each_measure(tmp_path: Path) -> None:
    table, path = tmp_path / "sweep.csv", tmp_path / "sweep.html"
    words = ["sweep", "ping-pong", "--over", "workload.size=8,512", "--over", "site.hosts=1,2"]
    words += ["--set", "workload.count=10", "--out", str(table), "--html", str(path), "--jobs", "1"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    text = path.read_text()
    drawn = charts(text)
    assert len(drawn) >= 3
    lines = drawn[0].findall("g")
    assert [line.findtext("title") for line in lines] == ["site.hosts=1", "site.hosts=2"]
    assert all(len(line.findall("circle")) == 2 for line in lines)
    with table.open(newline="") as file:
        for line in csv.DictReader(file):
            assert line["mean_us"] in text


def test_wide_ranges_are_drawn_by_powers_of_ten() -> None:
    (drawn,) = charts(chart({"a": [(1, 1.0), (10, 2.0), (10_000, 3.0)]}, "x", "y"))
    places = [float(circle.attrib["cx"]) for circle in drawn.iter("circle")]
    assert abs((places[1] - places[0]) * 3 - (places[2] - places[1])) < 1


def test_names_are_text_not_markup() -> None:
    drawn = chart({"<b>&": [(1, 1)]}, "<x>", "&y")
    assert ET.fromstring(drawn).findtext("g/title") == "<b>&"
