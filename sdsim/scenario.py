"""Scenarios: what to simulate, read from TOML. docs/reference/scenarios.md lists every key.

A wrong file is refused with the file, the line, what is wrong there and what is allowed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sdsim.costs import FIELDS, PROFILES, BadProfile, costs_of
from sdsim.waiting import SPINS, YIELDS, YIELDS_CONTENDED

BUNDLED: Final = Path(__file__).parent / "scenarios"
Positive = Annotated[int, Field(ge=1)]
Verb = Literal["kill", "pause", "crash-monitor", "move", "partition", "hold", "delay", "lose"]
NotNegative = Annotated[int, Field(ge=0)]


class BadScenario(ValueError):
    """A scenario cannot be used; the text says where and why."""


class Part(BaseModel):
    """A table of a scenario: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SitePart(Part):
    """[site]: the machines, and the network between them."""

    hosts: Annotated[int, Field(ge=1, le=10_000)] = 1
    cores: Annotated[int, Field(ge=1, le=1024)] = 32
    rdma: bool = True
    loss_percent: Annotated[float, Field(ge=0, le=50)] = 0.0


class LibraryPart(Part):
    """[library]: how the processes of the scenario use sockets."""

    accelerated: bool = True
    spins: NotNegative = SPINS
    yields: NotNegative = YIELDS
    yields_contended: NotNegative = YIELDS_CONTENDED
    map_from_bytes: NotNegative = 0


class PingPong(Part):
    """A message there and back."""

    kind: Literal["ping-pong"]
    pairs: Positive = 1
    size: Positive = 8
    count: Positive = 1000
    warm_up: NotNegative = 10
    shared_core: bool = False
    think_us: NotNegative = 0


class Stream(Part):
    """Messages one way."""

    kind: Literal["stream"]
    pairs: Positive = 1
    size: Positive = 8
    count: Positive = 1000
    warm_up: NotNegative = 10


class Many(Part):
    """Many connections in one epoll set."""

    kind: Literal["many"]
    connections: Positive = 100
    clients: Positive = 4
    size: Positive = 8
    count: Positive = 10


class Mesh(Part):
    """Connections from each host to the next ones."""

    kind: Literal["mesh"]
    connections: Positive = 100
    peers: Positive = 4
    size: Positive = 8
    count: Positive = 10


class Storm(Part):
    """Connections, one after the other."""

    kind: Literal["storm"]
    pairs: Positive = 1
    size: Positive = 8
    count: Positive = 1000


class Shared(Part):
    """Threads that share a connection, at both ends."""

    kind: Literal["shared"]
    threads: Positive = 2
    size: Positive = 8
    count: Positive = 1000


class ForkServer(Part):
    """A child for each connection."""

    kind: Literal["fork-server"]
    clients: Positive = 2
    size: Positive = 8
    count: Positive = 20


class Pipeline(Part):
    """Messages through a row of processes."""

    kind: Literal["pipeline"]
    stages: Annotated[int, Field(ge=2)] = 4
    size: Positive = 8
    count: Positive = 1000
    work_ns: NotNegative = 0


class Proxy(Part):
    """Requests through a row of servers, each of which asks the next."""

    kind: Literal["proxy"]
    servers: Positive = 3
    clients: Positive = 1
    size: Positive = 64
    answer: Positive = 1024
    count: Positive = 1000
    work_ns: NotNegative = 0


class Kill(Part):
    """A process dies at once."""

    verb: Literal["kill"]
    at_us: NotNegative
    process: Positive


class Pause(Part):
    """A process does not run for a while."""

    verb: Literal["pause"]
    at_us: NotNegative
    for_us: Positive
    process: Positive


class CrashMonitor(Part):
    """The monitor dies, and a new one comes after a while."""

    verb: Literal["crash-monitor"]
    at_us: NotNegative
    back_after_us: NotNegative = 0


class Move(Part):
    """The sending directions of a process go over to kernel TCP while they are in use."""

    verb: Literal["move"]
    at_us: NotNegative
    process: Positive


class BetweenHosts(Part):
    """A fault between two hosts, which count from 1."""

    at_us: NotNegative
    for_us: Positive
    hosts: tuple[Positive, Positive] = (1, 2)


class Partition(BetweenHosts):
    """Nothing gets through."""

    verb: Literal["partition"]


class Hold(BetweenHosts):
    """What arrives is kept, and let go later."""

    verb: Literal["hold"]


class Delay(BetweenHosts):
    """Everything takes longer."""

    verb: Literal["delay"]
    by_us: Positive


class Lose(Part):
    """Packets get lost, wherever they go."""

    verb: Literal["lose"]
    at_us: NotNegative
    for_us: Positive
    percent: Annotated[float, Field(gt=0, le=50)]


class Chaos(Part):
    """[chaos]: faults drawn from the seed."""

    count: NotNegative = 1
    verbs: tuple[Verb, ...] = ("kill", "pause", "crash-monitor", "move")
    from_us: NotNegative = 0
    until_us: Positive = 1000


Workload = Annotated[
    PingPong | Stream | Many | Mesh | Storm | Shared | ForkServer | Pipeline | Proxy, Field(discriminator="kind")
]
Fault = Annotated[Kill | Pause | CrashMonitor | Move | Partition | Hold | Delay | Lose, Field(discriminator="verb")]


class Scenario(Part):
    """A whole file."""

    description: str
    profile: str = "paper-2019"
    seed: NotNegative = 1
    aggregate: bool = False
    site: SitePart = SitePart()
    library: LibraryPart = LibraryPart()
    workload: Workload
    fault: tuple[Fault, ...] = ()
    chaos: Chaos | None = None

    def options(self) -> dict[str, object]:
        """Everything that was chosen, flat, for the head of a trace."""
        return dict(_flat("", self.model_dump(exclude={"description", "seed"})))


def _flat(prefix: str, value: object) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [item for key, inner in value.items() for item in _flat(f"{prefix}{key}.", inner)]
    if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        return [item for index, inner in enumerate(value) for item in _flat(f"{prefix}{index}.", inner)]
    shown = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
    return [(prefix.removesuffix("."), shown)]


# Reading -------------------------------------------------------------------------------------------------------------


def bundled() -> dict[str, Path]:
    """The scenarios that come with the simulator, by name."""
    return {path.stem: path for path in sorted(BUNDLED.glob("*.toml"))}


def path_of(name: str) -> Path:
    """The file of a bundled scenario, or the file named.

    Raises:
        BadScenario: neither.
    """
    path = bundled().get(name, Path(name))
    if not path.is_file():
        raise BadScenario(f"{name}: no such file; bundled scenarios are {', '.join(bundled())}")
    return path


def load(name: str, changes: Sequence[str] = ()) -> Scenario:
    """Read a scenario; each change is `table.key=value`, the value as in TOML.

    Raises:
        BadScenario: the text names file, line, fault, and what is allowed.
    """
    path = path_of(name)
    text = path.read_text()
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadScenario(_syntax(path, error)) from error
    for change in changes:
        _apply(content, change)
    try:
        scenario = Scenario.model_validate_json(_json(content))
        costs_of(scenario.profile)
    except ValidationError as error:
        raise BadScenario("\n".join(_explain(path, text, detail) for detail in error.errors())) from error
    except BadProfile as error:
        raise BadScenario(f"{path}:{_line_of(text, ('profile',))}: {error}") from error
    return scenario


def _json(content: Mapping[str, Any]) -> str:
    """Strict validation of JSON takes lists as tuples, and still no string as a number."""
    import json

    return json.dumps(content, default=str)


def _syntax(path: Path, error: tomllib.TOMLDecodeError) -> str:
    found = re.search(r"\(at line (\d+), column \d+\)", str(error))
    line = f":{found[1]}" if found else ""
    return f"{path}{line}: not TOML: {error}"


def _apply(content: dict[str, Any], change: str) -> None:
    name, sign, value = change.partition("=")
    keys = name.strip().split(".")
    if not sign or not all(keys):
        raise BadScenario(f"--set {change}: must be table.key=value")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    table = content
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise BadScenario(f"--set {change}: {key} is not a table")
    table[keys[-1]] = parsed


def _explain(path: Path, text: str, detail: Any) -> str:
    location = tuple(part for part in detail["loc"] if part not in _TAGS)
    name = ".".join(map(str, location))
    where = f"{path}:{_line_of(text, location)}"
    return f"{where}: {name}: {_fault_of(detail)}; allowed: {_allowed(location, detail)}"


def _fault_of(detail: Any) -> str:
    if detail["type"] == "extra_forbidden":
        return "unknown key"
    if detail["type"] == "missing":
        return "is missing"
    shown = "" if isinstance(detail["input"], Mapping) else f" (it is {detail['input']!r})"
    message: str = detail["msg"]
    return message[0].lower() + message[1:] + shown


def _allowed(location: tuple[Any, ...], detail: Any) -> str:
    """Keys for an unknown key; otherwise what the error itself says."""
    if detail["type"] in ("extra_forbidden", "missing"):
        return ", ".join(_keys(location[:-1], detail))
    if detail["type"].startswith("union_tag"):
        tags = _WORKLOADS if location[0] == "workload" else _FAULTS
        return ", ".join(tags)
    context = detail.get("ctx", {})
    return ", ".join(f"{name} {value}" for name, value in context.items()) or detail["type"].replace("_", " ")


_WORKLOADS: Final[Mapping[str, type[Part]]] = {
    "ping-pong": PingPong, "stream": Stream, "many": Many, "mesh": Mesh, "storm": Storm, "shared": Shared,
    "fork-server": ForkServer, "pipeline": Pipeline, "proxy": Proxy,
}  # fmt: skip
_FAULTS: Final[Mapping[str, type[Part]]] = {
    "kill": Kill, "pause": Pause, "crash-monitor": CrashMonitor, "move": Move,
    "partition": Partition, "hold": Hold, "delay": Delay, "lose": Lose,
}  # fmt: skip
_TAGGED: Final[Mapping[str, type[Part]]] = {**_WORKLOADS, **_FAULTS}
_TAGS: Final = set(_TAGGED)
_PARTS: Final[Mapping[str, type[Part]]] = {"site": SitePart, "library": LibraryPart, "chaos": Chaos}


def _keys(table: tuple[Any, ...], detail: Any) -> list[str]:
    if not table:
        return sorted(Scenario.model_fields)
    tags = [part for part in detail["loc"] if part in _TAGS]
    model: type[Part] = _PARTS.get(table[0]) or _TAGGED.get(tags[0] if tags else "", Scenario)
    return sorted(model.model_fields)


def _line_of(text: str, location: Sequence[Any]) -> int:
    """The line that a key stands in; of its table if it stands nowhere; 1 if that does not either."""
    lines = text.splitlines()
    names = [part for part in location if isinstance(part, str)]
    number = next((part for part in location if isinstance(part, int)), 0)
    table, key = (names[0], names[-1]) if len(names) > 1 else ("", names[0] if names else "")
    start = _table_line(lines, table, number)
    for index in range(start, len(lines)):
        if index > start and lines[index].lstrip().startswith("["):
            break
        if re.match(rf"\s*\[*{re.escape(key)}\b", lines[index]):
            return index + 1
    header = _table_line(lines, key, number)
    return (start or header) + 1


def _table_line(lines: Sequence[str], table: str, number: int) -> int:
    if not table:
        return 0
    found = [index for index, line in enumerate(lines) if re.match(rf"\s*\[+{re.escape(table)}\]", line)]
    return found[min(number, len(found) - 1)] if found else 0


__all__ = ["BUNDLED", "FIELDS", "PROFILES", "BadScenario", "Scenario", "bundled", "load", "path_of"]
