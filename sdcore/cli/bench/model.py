"""The report of `sdcore bench`, as `--json` writes it and `--load` reads it.

The units are in the names or in `Row.unit`. `Report.model_json_schema()` is the schema; `sdcore bench --schema`
prints it. `schema_version` moves when a field changes its meaning or goes away, not when one comes.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Transport = Literal["tcp", "unix", "shm", "bare"]
Placement = Literal["same", "two", "all"]
Better = Literal["lower", "higher"]

TITLES: dict[Transport, str] = {
    "tcp": "kernel TCP",
    "unix": "Unix socket",
    "shm": "sdcore",
    "bare": "bare ring",
}
PLACEMENT_TITLES: dict[Placement, str] = {"same": "one core", "two": "two cores", "all": "all cores"}


class _Part(BaseModel):
    """Base of all parts: values never change, and an unknown field in a file is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Machine(_Part):
    """Where the numbers come from."""

    cpu: str = Field(description="model name, as the kernel gives it")
    cores: tuple[int, ...] = Field(description="cores that this process may use")
    hypervisor: bool = Field(description="whether the machine is virtual: waking another core then costs more")
    kernel: str = Field(description="release of the kernel")
    congestion_control: str = Field(description="what kernel TCP used; it moves large messages by half and more")
    slab_source: Literal["slabinfo", "meminfo"] = Field(description="how kernel memory was counted, see memory.py")
    load_before: float = Field(description="load average over one minute when the bench began; near 0 on a quiet host")


class Settings(_Part):
    """What was asked for."""

    quick: bool
    runs: int = Field(ge=1, description="runs of each measure; a few measures make fewer, see Cell.runs")
    transports: tuple[Transport, ...]
    placements: tuple[Placement, ...]


class Cell(_Part):
    """One transport in one row."""

    transport: Transport
    runs: tuple[float, ...] = Field(description="the value of each run, in order")
    median: float = Field(description="over the runs")
    p99: float = Field(description="99 of 100 runs are at least this good; with fewer than 100 the worst run")
    call_p99_us: float | None = Field(
        default=None, description="roundtrip: 99th percentile of single round trips, median over runs, microseconds"
    )
    ratio: float | None = Field(default=None, description="how many times better than kernel TCP, from the medians")
    shm_share: float | None = Field(
        default=None, description="shm only: part of connections and bytes in shared memory, the worst run's, 0 to 1"
    )
    fell_back: str | None = Field(
        default=None,
        description="shm only: set if shm_share is too low for this to be a value of sdcore, with what the monitor "
        "saw; such a cell has no ratio and meets no target",
    )


class Verdict(_Part):
    """A target and whether it was met."""

    target: str = Field(description="for people, like '>= 100x kernel TCP'")
    reached: float | None = Field(description="the ratio or value; null if it could not be measured")
    ok: bool


class Row(_Part):
    """One measure at one size and placement."""

    measure: str
    placement: Placement
    size: int | None = Field(default=None, description="bytes of a message")
    connections: int | None = Field(default=None, description="connections, clients or pairs at the same time")
    unit: str = Field(description="us, 1/s, B or ms")
    better: Better
    cells: tuple[Cell, ...]
    verdicts: tuple[Verdict, ...] = ()

    def cell(self, transport: Transport) -> Cell | None:
        """The cell of a transport, or None where it was not measured."""
        return next((cell for cell in self.cells if cell.transport == transport), None)


class Report(_Part):
    """Everything that one `sdcore bench` found out."""

    schema_version: Literal[1] = 1
    version: str = Field(description="of socksdirect")
    started: str = Field(description="date and time, ISO 8601, UTC")
    seconds: float = Field(description="how long it took")
    machine: Machine
    settings: Settings
    rows: tuple[Row, ...]

    def fell_back(self) -> list[Row]:
        """Rows whose sdcore cell did not go through shared memory."""
        return [row for row in self.rows if (cell := row.cell("shm")) and cell.fell_back]
