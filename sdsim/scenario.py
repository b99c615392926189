"""Scenarios: what to simulate. docs/reference/scenarios.md lists every key; `sdsim/scenario_file.py` reads files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sdsim.waiting import SPINS, YIELDS, YIELDS_CONTENDED

Positive = Annotated[int, Field(ge=1)]
Verb = Literal["kill", "pause", "crash-monitor", "move", "partition", "hold", "delay", "lose"]
NotNegative = Annotated[int, Field(ge=0)]


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


class Constant(Part):
    """Always the same."""

    law: Literal["constant"]
    value: NotNegative


class Uniform(Part):
    """Evenly between two values."""

    law: Literal["uniform"]
    least: NotNegative
    most: NotNegative


class Exponential(Part):
    """Many small ones and few large ones."""

    law: Literal["exponential"]
    mean: Positive
    least: NotNegative = 1


class Bimodal(Part):
    """Of two sorts."""

    law: Literal["bimodal"]
    small: NotNegative
    large: NotNegative
    large_percent: Annotated[float, Field(ge=0, le=100)]


class Empirical(Part):
    """As a file says."""

    law: Literal["empirical"]
    file: str


def _constant(value: object) -> object:
    """A number is short for the law that always gives it."""
    return {"law": "constant", "value": value} if isinstance(value, int) and not isinstance(value, bool) else value


Drawn = Annotated[
    Constant | Uniform | Exponential | Bimodal | Empirical, Field(discriminator="law"), BeforeValidator(_constant)
]
"""A number, or a law by which one is drawn."""


class Requests(Part):
    """Requests and answers of drawn sizes."""

    kind: Literal["requests"]
    clients: Positive = 4
    servers: Positive = 1
    count: Positive = 1000
    request: Drawn = Constant(law="constant", value=64)
    answer: Drawn = Constant(law="constant", value=1024)
    pause_us: Drawn = Constant(law="constant", value=0)
    work_ns: NotNegative = 0


class TraceFile(Part):
    """Requests one by one, from a file."""

    kind: Literal["trace"]
    file: str
    count: NotNegative = 0
    servers: Positive = 1
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
    PingPong | Stream | Many | Mesh | Storm | Shared | ForkServer | Pipeline | Proxy | Requests | TraceFile,
    Field(discriminator="kind"),
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


WORKLOADS: Final[Mapping[str, type[Part]]] = {
    "ping-pong": PingPong, "stream": Stream, "many": Many, "mesh": Mesh, "storm": Storm, "shared": Shared,
    "fork-server": ForkServer, "pipeline": Pipeline, "proxy": Proxy, "requests": Requests, "trace": TraceFile,
}  # fmt: skip
FAULTS: Final[Mapping[str, type[Part]]] = {
    "kill": Kill, "pause": Pause, "crash-monitor": CrashMonitor, "move": Move,
    "partition": Partition, "hold": Hold, "delay": Delay, "lose": Lose,
}  # fmt: skip
LAWS: Final[Mapping[str, type[Part]]] = {
    "constant": Constant, "uniform": Uniform, "exponential": Exponential, "bimodal": Bimodal, "empirical": Empirical,
}  # fmt: skip
PARTS: Final[Mapping[str, type[Part]]] = {"site": SitePart, "library": LibraryPart, "chaos": Chaos}
