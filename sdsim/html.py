"""Reports of runs and sweeps: one HTML file each, with tables and charts, that needs nothing beside itself.

A chart is drawn as SVG here, for a page that loads nothing may not load a library of charts either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final

from sdsim.run import Run
from sdsim.units import US, text_of
from sdsim.world import TABLES

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 300, 74, 44, 14, 14
COLOURS: Final = ("#1f6fb4", "#d1602a", "#3a8f4d", "#8a4fa3", "#b0872c", "#4f5b66")
STYLE: Final = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid #dfe3e8; vertical-align: top; }
th { font-weight: 600; } td.number { text-align: right; } .bad { color: #a11; font-weight: 600; }
svg { max-width: 100%; height: auto; } code { background: #f2f4f6; padding: .1rem .3rem; }
"""


# Pages ---------------------------------------------------------------------------------------------------------------


def page(title: str, parts: Iterable[str]) -> str:
    """A whole file."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = "\n".join((f"<h1>{escape(title)}</h1>", *parts))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def section(title: str, *parts: str) -> str:
    """A heading and what stands below it."""
    return "\n".join((f"<h2>{escape(title)}</h2>", *parts))


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table; numbers are set to the right. Without heads the first column is one."""
    head = "<tr>" + "".join(f"<th>{escape(text)}</th>" for text in heads) + "</tr>" if heads else ""
    rows = ("<tr>" + "".join(_cell(text, not heads and not place) for place, text in enumerate(line)) + "</tr>"
            for line in lines)  # fmt: skip
    return f"<table>{head}{''.join(rows)}</table>"


def _cell(text: str, head: bool) -> str:
    if head:
        return f"<th>{escape(text)}</th>"
    number = text.replace(",", "").replace(".", "", 1).isdigit()
    return f"<td{' class=number' if number else ''}>{escape(text)}</td>"


# Charts --------------------------------------------------------------------------------------------------------------


class Axis:
    """Where a value lies: linear, or logarithmic if the values span more than two powers of ten."""

    def __init__(self, values: Sequence[float], low: float, high: float) -> None:
        self.low, self.high = low, high
        self.logarithmic = min(values) > 0 and max(values) / min(values) > 100
        first, last = (log10(min(values)), log10(max(values))) if self.logarithmic else (min(0.0, *values), max(values))
        self.first = floor(first) if self.logarithmic else first
        self.last = ceil(last) if self.logarithmic else last
        if self.last == self.first:
            self.last = self.first + 1

    def place(self, value: float) -> float:
        """In the drawing."""
        at = log10(value) if self.logarithmic else value
        return self.low + (self.high - self.low) * (at - self.first) / (self.last - self.first)

    def ticks(self) -> list[float]:
        """Values to write beside it."""
        if self.logarithmic:
            return [10.0**power for power in range(int(self.first), int(self.last) + 1)]
        return [self.first + (self.last - self.first) * step / 5 for step in range(6)]


def chart(series: Mapping[str, Points], x_name: str, y_name: str) -> str:
    """Lines through points, as SVG."""
    points = [point for line in series.values() for point in line]
    if not points:
        return "<p>Nothing to draw.</p>"
    x_axis = Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    y_axis = Axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    drawn = [*_grid(x_axis, y_axis), *_names(x_name, y_name)]
    for number, (name, line) in enumerate(series.items()):
        drawn.append(_line(name, sorted(line), x_axis, y_axis, COLOURS[number % len(COLOURS)]))
    legend = _legend(tuple(series)) if len(series) > 1 else ""
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
    label = escape(f"{y_name} over {x_name}")
    return f'<svg {size} role="img" aria-label="{label}">{"".join(drawn)}{legend}</svg>'


def _text(x: float, y: float, text: str, anchor: str = "middle", turn: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}"{turn}>{escape(text)}</text>'


def _grid(x_axis: Axis, y_axis: Axis) -> Iterable[str]:
    for value in y_axis.ticks():
        y = y_axis.place(value)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e7eb"/>'
        yield _text(LEFT - 6, y + 4, f"{value:.4g}", "end")
    for value in x_axis.ticks():
        yield _text(x_axis.place(value), HEIGHT - BOTTOM + 16, f"{value:.4g}")


def _names(x_name: str, y_name: str) -> Iterable[str]:
    yield _text((LEFT + WIDTH) / 2, HEIGHT - 6, x_name)
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield _text(14, middle, y_name, turn=f' transform="rotate(-90 14 {middle:.1f})"')


def _line(name: str, line: Points, x_axis: Axis, y_axis: Axis, colour: str) -> str:
    places = [(x_axis.place(x), y_axis.place(y)) for x, y in line]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places[:200])
    title = f"<title>{escape(name)}</title>"
    return f'<g>{title}<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}</g>'


def _legend(names: Sequence[str]) -> str:
    drawn = []
    for number, name in enumerate(names):
        y, colour = TOP + 14 + 17 * number, COLOURS[number % len(COLOURS)]
        drawn.append(f'<rect x="{LEFT + 10}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        drawn.append(_text(LEFT + 26, y, name, "start"))
    return "".join(drawn)


# Reports -------------------------------------------------------------------------------------------------------------


def of_run(name: str, seed: int, done: Run, command: str) -> str:
    """The report of one run.

    Args:
        command: repeats the run.
    """
    result = done.result
    facts = [("simulated time", text_of(done.ended_ps)), ("messages", f"{result.messages:,}"),
             ("messages a second", f"{result.messages_per_second:,.0f}"), ("Gbit/s", f"{result.gbit_per_second:.3f}"),
             ("connections", f"{result.connections:,}")]  # fmt: skip
    facts += [(f"carried by {mode}", str(count)) for mode, count in sorted(result.modes.items())]
    facts += [(f"programs got {fault}", str(count)) for fault, count in sorted(result.faults.items())]
    options = [(key, str(value)) for key, value in done.world.settings.options.items()]
    parts = [f"<p>Seed {seed}. Repeat: <code>{escape(command)}</code></p>", section("Result", table((), facts))]
    if result.latencies_ps:
        parts.append(section("Latency", _latency(result.latencies_ps)))
    parts += [section("Cores", table(("core", "busy, us", "switches"), _cores(done))),
              section("Rows of the tables that were taken", table(("machine", "taken", "of", "steps"), _rows(done))),
              section("Options", table((), options))]  # fmt: skip
    return page(f"sdsim: {name}", parts)


def _latency(latencies_ps: Sequence[int]) -> str:
    ordered = sorted(latencies_ps)
    places = sorted({min(len(ordered) - 1, len(ordered) * step // 100) for step in range(101)})
    points = [(100 * place / len(ordered), ordered[place] / US) for place in places]
    named = [(f"p{percent}", ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]) for percent in (1, 50, 99)]
    facts = [("mean", f"{sum(ordered) / len(ordered) / US:.3f}"), *((name, f"{ps / US:.3f}") for name, ps in named)]
    return chart({"latency": points}, "percent of all that are not slower", "us") + table(("", "us"), facts)


def _cores(done: Run) -> list[tuple[str, str, str]]:
    return [
        (f"{host.name}, {core.name}", f"{core.busy_ps / US:.3f}", str(core.switches))
        for host in done.site.hosts
        for core in host.cores
        if core.busy_ps
    ]


def _rows(done: Run) -> list[tuple[str, str, str, str]]:
    steps: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    names = {id(row): machine.name for machine in done.world.settings.tables.values() for row in machine.rows}
    for row, count in done.world.rows.items():
        steps[names[id(row)]] += count
        taken[names[id(row)]] += 1
    return [(name, str(taken[name]), str(len(TABLES[name].rows)), f"{steps[name]:,}") for name in TABLES if taken[name]]


MEASURES: Final = ("mean_us", "p99_us", "messages_per_second", "gbit_per_second", "connections_per_second")


def of_sweep(name: str, columns: Sequence[str], lines: Sequence[Mapping[str, str]]) -> str:
    """The report of a sweep: a chart for each measure over the first key that takes more than one number."""
    axis = next((column for column in columns if _is_axis(column, lines)), None)
    broken = [line for line in lines if line["law_broken"]]
    parts = [f"<p>{len(lines)} runs, {len(broken)} broke a law.</p>"]
    if broken:
        laws = (f'<p class="bad">{escape(line["law_broken"])}</p>' for line in broken[:20])
        parts.append(section("Laws broken", *laws))
    if axis is not None:
        for measure in MEASURES:
            series = _series(axis, measure, columns, lines)
            if any(y for points in series.values() for _, y in points):
                parts.append(section(measure, chart(series, axis, measure)))
    heads = [column for column in lines[0] if column] if lines else list(columns)
    parts.append(section("All runs", table(heads, ([line.get(head, "") for head in heads] for line in lines))))
    return page(f"sdsim: sweep of {name}", parts)


def _is_axis(column: str, lines: Sequence[Mapping[str, str]]) -> bool:
    values = {line[column] for line in lines}
    return column != "seed" and len(values) > 1 and all(value.replace(".", "", 1).isdigit() for value in values)


def _series(
    axis: str, measure: str, columns: Sequence[str], lines: Sequence[Mapping[str, str]]
) -> dict[str, list[tuple[float, float]]]:
    """For each combination of the other keys the mean over seeds."""
    sums: dict[str, dict[float, list[float]]] = {}
    for line in lines:
        if line.get(measure):
            name = ", ".join(f"{key}={line[key]}" for key in columns if key not in (axis, "seed")) or measure
            sums.setdefault(name, {}).setdefault(float(line[axis]), []).append(float(line[measure]))
    return {name: sorted((x, sum(ys) / len(ys)) for x, ys in points.items()) for name, points in sums.items()}
