"""Reading scenarios: a wrong one is refused in one line with file, line, what is wrong there and what is allowed.

What `--set` or `--over` has changed is named by that option instead. Of several faults the first of the file is told.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from sdsim.costs import BadProfile, costs_of
from sdsim.requests import read_trace
from sdsim.scenario import (
    FAULTS,
    LAWS,
    PARTS,
    WORKLOADS,
    BetweenHosts,
    Empirical,
    Part,
    Requests,
    Scenario,
    TraceFile,
    Uniform,
)
from sdsim.sizes import BadFile, least_of, read_points

BUNDLED: Final = Path(__file__).parent / "scenarios"
AGGREGATE_OF_FAULTS: Final = "aggregate: faults happen at a time, and only rates are reckoned on; allowed: false"
Location = tuple[str | int, ...]
"""A key of a scenario: names, and the number of one among equals."""


class BadScenario(ValueError):
    """A scenario cannot be used; the text says where and why."""


def bundled() -> dict[str, Path]:
    """The scenarios that come with the simulator, by name."""
    return {path.stem: path for path in sorted(BUNDLED.glob("*.toml"))}


def path_of(name: str) -> Path:
    """The file of a bundled scenario, or the file named.

    Raises:
        BadScenario: neither.
    """
    path = bundled().get(name, Path(name))
    if not name or not path.exists():
        raise BadScenario(f"{name!r}: no such file; bundled scenarios are {', '.join(bundled())}")
    return path


def load(name: str, changes: Sequence[str] = (), over: Sequence[str] = ()) -> Scenario:
    """Read a scenario; each change is `table.key=value`, the value as in TOML; so is each value that a sweep tries.

    Raises:
        BadScenario: the text names file, line, fault, and what is allowed.
    """
    path = path_of(name)
    text = _text(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadScenario(_syntax(path, error)) from error
    _stand_beside(path, content)
    options = [f"--set {change}" for change in changes] + [f"--over {change}" for change in over]
    source = Source(path, text, {_apply(content, option): option for option in options})
    try:
        scenario = Scenario.model_validate_json(_json(content))
        costs_of(scenario.profile)
    except ValidationError as error:
        raise BadScenario(_first_of(source, error.errors())) from error
    except BadProfile as error:
        raise BadScenario(f"{source.place(('profile',))}: {error}") from error
    _check_together(source, scenario)
    return scenario


def _stand_beside(path: Path, content: Mapping[str, Any]) -> None:
    """Files that a scenario names stand beside it, unless it says where from the root on."""
    workload = content.get("workload")
    tables = [workload, *workload.values()] if isinstance(workload, dict) else []
    for table in tables:
        if isinstance(table, dict) and isinstance(table.get("file"), str):
            table["file"] = str(path.parent / table["file"])


def place_of(name: str, changes: Sequence[str], location: Location) -> str:
    """Where a key of a scenario that can be read was chosen, for a fault that was found later."""
    path = path_of(name)
    options = {_keys_of(f"--set {change}")[0]: f"--set {change}" for change in changes}
    return Source(path, _text(path), options).place(location)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadScenario(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadScenario(f"{path}:{line}: not UTF-8") from None


def _json(content: Mapping[str, Any]) -> str:
    """Strict validation of JSON takes lists as tuples, and still no string as a number."""
    return json.dumps(content, default=str)


def _syntax(path: Path, error: tomllib.TOMLDecodeError) -> str:
    found = re.search(r"\(at line (\d+), column \d+\)", str(error))
    line = f":{found[1]}" if found else ""
    return f"{path}{line}: not TOML: {error}"


# Changes from the command line ---------------------------------------------------------------------------------------


def _keys_of(option: str) -> tuple[tuple[str, ...], str]:
    """The key of `--set table.key=value`, split, and the value."""
    name, sign, value = option.partition(" ")[2].partition("=")
    keys = tuple(name.strip().split("."))
    if not sign or not all(keys):
        raise BadScenario(f"{option}: must be table.key=value")
    return keys, value


def _apply(content: dict[str, Any], option: str) -> tuple[str, ...]:
    """Change a key; returns it, split."""
    keys, value = _keys_of(option)
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    table = content
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise BadScenario(f"{option}: {key} is not a table")
    table[keys[-1]] = parsed
    return keys


# Faults --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """Where the keys of a scenario were chosen.

    Attributes:
        options: those of the command line that changed a key, by that key.
    """

    path: Path
    text: str
    options: Mapping[tuple[str, ...], str]

    def place(self, location: Location) -> str:
        """File and line of a key, or the option that changed it."""
        return self._option(location) or f"{self.path}:{_line_of(self.text, location)}"

    def order(self, location: Location) -> int:
        """By this faults are ordered: those of options come first, then line by line."""
        return 0 if self._option(location) else _line_of(self.text, location)

    def _option(self, location: Location) -> str | None:
        names = tuple(part for part in location if isinstance(part, str))
        found = (self.options.get(names[:length]) for length in range(len(names), 0, -1))
        return next((option for option in found if option), None)


def _first_of(source: Source, details: Sequence[Any]) -> str:
    """The first fault in one line, and how many more there are."""
    first = min(details, key=lambda detail: source.order(_location(detail)))
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    location = _location(first)
    name = ".".join(map(str, location))
    return f"{source.place(location)}: {name}: {_fault_of(first)}; allowed: {_allowed(location, first)}{more}"


def _location(detail: Any) -> Location:
    """The key, without the names of alternatives that pydantic puts between."""
    found: Location = detail["loc"]
    tag = _TAG_AT.get(str(found[0]), len(found))
    location = found[:tag] + found[tag + 1 :]
    if len(location) > LAW_AT and location[LAW_AT] in LAWS:
        location = location[:LAW_AT] + location[LAW_AT + 1 :]
    if detail["type"].startswith("union_tag"):
        return (*location, detail["ctx"]["discriminator"].strip("'"))
    return location


def _fault_of(detail: Any) -> str:
    if detail["type"] == "extra_forbidden":
        return "unknown key"
    if detail["type"] in ("missing", "union_tag_not_found"):
        return "is missing"
    if detail["type"] == "union_tag_invalid":
        return f"there is no {detail['ctx']['tag']}"
    shown = "" if isinstance(detail["input"], Mapping) else f" (it is {detail['input']!r})"
    message: str = detail["msg"]
    return message[0].lower() + message[1:] + shown


def _allowed(location: Location, detail: Any) -> str:
    """Keys for an unknown key; otherwise what the error itself says."""
    if detail["type"] in ("extra_forbidden", "missing"):
        return ", ".join(_keys(location[:-1], detail))
    if detail["type"].startswith("union_tag"):
        return ", ".join({"kind": WORKLOADS, "verb": FAULTS, "law": LAWS}[str(location[-1])])
    bounds = {name: value for name, value in detail.get("ctx", {}).items() if name in _BOUNDS}
    if bounds:
        return ", ".join(f"{_BOUNDS[name]} {value}" for name, value in bounds.items())
    kind: str = detail["type"]
    return _KINDS.get(kind.partition("_")[0], kind.replace("_", " "))


_BOUNDS: Final = {
    "ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "expected": "one of",
    "min_length": "so many or more:", "max_length": "so many or less:",
}  # fmt: skip
_KINDS: Final = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "a text", "tuple": "a list",
    "list": "a list", "model": "a table",
}  # fmt: skip
_TAGGED: Final[Mapping[str, type[Part]]] = {**WORKLOADS, **FAULTS}
_TAG_AT: Final = {"workload": 1, "fault": 2}
"""Where pydantic puts the name of the alternative into a location."""
LAW_AT: Final = 2
"""And, of what is drawn, that of the law; `workload.request.uniform.least`."""


def _check_together(source: Source, scenario: Scenario) -> None:
    """What no key is wrong about by itself."""
    if scenario.aggregate and (scenario.fault or scenario.chaos is not None):
        raise BadScenario(f"{source.place(('aggregate',))}: {AGGREGATE_OF_FAULTS}")
    _check_files(source, scenario)
    hosts = scenario.site.hosts
    for number, fault in enumerate(scenario.fault):
        if isinstance(fault, BetweenHosts) and max(fault.hosts) > hosts:
            place = source.place(("fault", number, "hosts"))
            raise BadScenario(
                f"{place}: fault.{number}.hosts: there is no host {max(fault.hosts)}; allowed: 1 to {hosts}"
            )


def _check_files(source: Source, scenario: Scenario) -> None:
    """Files of sizes and requests, and laws that draw nothing."""
    workload = scenario.workload
    try:
        if isinstance(workload, TraceFile):
            read_trace(Path(workload.file))
        for name, law in workload:
            if isinstance(law, Empirical):
                read_points(Path(law.file))
            if isinstance(law, Uniform) and law.most < law.least:
                place = source.place(("workload", name, "most"))
                raise BadScenario(f"{place}: workload.{name}.most: {law.most}; allowed: at least {law.least}")
    except BadFile as error:
        raise BadScenario(str(error)) from None
    if isinstance(workload, Requests) and least_of(workload.request.model_dump()) < 1:
        raise BadScenario(f"{source.place(('workload', 'request'))}: workload.request: may be 0; allowed: at least 1")


def _keys(table: Location, detail: Any) -> list[str]:
    if not table:
        return sorted(Scenario.model_fields)
    name = str(table[0])
    laws = [part for part in detail["loc"][LAW_AT + 1 :] if part in LAWS]
    if laws:
        return sorted(LAWS[laws[0]].model_fields)
    model: type[Part] = _TAGGED[detail["loc"][_TAG_AT[name]]] if name in _TAG_AT else PARTS[name]
    return sorted(model.model_fields)


def _line_of(text: str, location: Sequence[Any]) -> int:
    """The line that a key stands in; of its table if it stands nowhere; 1 if that does not either."""
    lines = text.splitlines()
    names = [part for part in location if isinstance(part, str)]
    number = next((part for part in location if isinstance(part, int)), 0)
    for depth in range(len(names), 0, -1):  # a table within a table may be one key of that
        header = _table_line(lines, ".".join(names[:depth]), number)
        if header is not None:
            return header + 1
        start = _table_line(lines, ".".join(names[: depth - 1]), number)
        found = None if start is None else _key_line(lines, start, names[depth - 1])
        if found is not None:
            return found + 1
    return 1


def _key_line(lines: Sequence[str], start: int, key: str) -> int | None:
    """The line of a key in the table that begins at `start`."""
    for index in range(start, len(lines)):
        if index > start and lines[index].lstrip().startswith("["):
            return None
        if re.match(rf"\s*{re.escape(key)}\s*[=.]", lines[index]):
            return index
    return None


def _table_line(lines: Sequence[str], table: str, number: int) -> int | None:
    if not table:
        return 0
    found = [index for index, line in enumerate(lines) if re.match(rf"\s*\[+{re.escape(table)}\]", line)]
    return found[min(number, len(found) - 1)] if found else None
