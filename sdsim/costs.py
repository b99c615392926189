"""What things cost. Every figure has its unit and its source; a profile is one set of them.

`paper-2019` holds the published costs of *single* operations and data of the hardware, nothing else. No figure is taken
from a plotted curve; but the plots were known when it was chosen how operations make up a message, so agreement with
them is a consistency check, not a prediction. Where two published figures are combined, the source says how.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sdsim.units import LINE_BYTES, MS, NS, PAGE_BYTES, US

UNITS: Final = {"ps": 1, "ns": NS, "us": US, "ms": MS, "bytes": 1, "Gbit/s": 1, "times": 1, "queue pairs": 1}


class BadProfile(ValueError):
    """A profile file cannot be used; the text names the file and what is wrong."""


@dataclass(frozen=True)
class Figure:
    """One published or measured number.

    Attributes:
        value: in `unit`.
        source: where it stands, and how it was combined.
    """

    value: float
    unit: str
    source: str


@dataclass(frozen=True)
class Costs:
    """Durations in picoseconds, sizes in bytes, rates in Gbit/s.

    Attributes:
        cache_line: one cache line moves from one core to another.
        line_fills: lines that a core waits for at the same time.
        system_call: into the kernel and back.
        lock: a spinlock that nobody else wants.
        buffer: a kernel buffer allocated and freed.
        copy_page: copying 4096 bytes.
        map_page: mapping one page.
        map_more: each further change of a page in the same call.
        context_switch: one thread gives its core to another of the same core.
        wake_least, wake_most: from the wake-up to the first instruction of a thread that slept.
        time_slice: a thread that does not yield loses its core after this.
        open_socket: making a socket descriptor.
        poll_queue: looking at one queue that is empty.
        ring_message: work of one side for one message in a ring, cache lines apart.
        tcp_send: sending a message by kernel TCP to the same host, its copy apart.
        tcp_receive: receiving it.
        tcp_remote: what a host more on the way adds, one way, to kernel TCP.
        tcp_payload: what a packet of kernel TCP carries.
        tcp_rto: the kernel sends a lost segment again after this, at first.
        monitor_request: the monitor decides one request.
        rdma_one_way: a one-sided write of a few bytes, until it can be seen at the other host.
        rdma_post: least distance of two writes posted by one core.
        rdma_timeout: a NIC sends again what was not acknowledged for so long.
        rdma_retries: after so many times it gives the queue pair up.
        nic_qp_cache: queue pairs whose state a NIC holds.
        nic_qp_miss: fetching the state of another.
        pcie_gbit: bandwidth between a NIC and its host's memory.
        link_gbit: bandwidth of a link.
        switch: from the first bit into a switch to the first bit out of it.
        switch_buffer: bytes that wait for one link at most.
        mtu: payload of one packet.
        packet_bytes: what a packet has beside its payload, gaps included.
    """

    cache_line: int
    line_fills: int
    system_call: int
    lock: int
    buffer: int
    copy_page: int
    map_page: int
    map_more: int
    context_switch: int
    wake_least: int
    wake_most: int
    time_slice: int
    open_socket: int
    poll_queue: int
    ring_message: int
    tcp_send: int
    tcp_receive: int
    tcp_remote: int
    tcp_payload: int
    tcp_rto: int
    monitor_request: int
    rdma_one_way: int
    rdma_post: int
    rdma_timeout: int
    rdma_retries: int
    nic_qp_cache: int
    nic_qp_miss: int
    pcie_gbit: int
    link_gbit: int
    switch: int
    switch_buffer: int
    mtu: int
    packet_bytes: int

    def copy(self, size: int) -> int:
        """Copying `size` bytes."""
        return self.copy_page * size // PAGE_BYTES

    def fetch(self, size: int) -> int:
        """What a copy of `size` bytes waits longer for because another core, or a NIC, has just written them.

        One line comes with the message and is part of what a message costs; the rest comes `line_fills` at a time.
        """
        return self.cache_line * -(-(size // LINE_BYTES) // self.line_fills)

    def map(self, size: int) -> int:
        """Mapping the pages of `size` bytes in one call: each leaves one place and comes to another.

        A sender's page becomes read-only and another takes its place; a receiver's old page goes back to the pool for
        the one that has come.
        """
        pages = -(-size // PAGE_BYTES)
        return self.map_page + self.map_more * (2 * pages - 1)

    def dma(self, size: int) -> int:
        """What a NIC adds to the way of `size` bytes: it holds a whole packet before it goes on with it."""
        return min(size, self.mtu) * 8 * 1000 // self.pcie_gbit

    def wire(self, size: int) -> int:
        """Time on a link."""
        return size * 8 * 1000 // self.link_gbit


_TABLE = "published table of single operations"
PAPER_2019: Final[Mapping[str, Figure]] = {
    "cache_line": Figure(30, "ns", f"{_TABLE}: cache line moved between cores, 0.03 us"),
    "line_fills": Figure(10, "times", "Intel optimization manual: Haswell has 10 line fill buffers"),
    "system_call": Figure(200, "ns", f"{_TABLE}: system call after page-table isolation, 0.20 us"),
    "lock": Figure(100, "ns", f"{_TABLE}: spinlock, uncontended, 0.10 us"),
    "buffer": Figure(130, "ns", f"{_TABLE}: allocate and free a buffer, 0.13 us"),
    "copy_page": Figure(400, "ns", f"{_TABLE}: copy a 4 KiB page, 0.40 us"),
    "map_page": Figure(780, "ns", f"{_TABLE}: map a 4 KiB page, 0.78 us"),
    "map_more": Figure(13.548, "ns", f"{_TABLE}: map 32 pages 1.2 us, one 0.78 us: the difference over 31 pages"),
    "context_switch": Figure(520, "ns", f"{_TABLE}: cooperative context switch, 0.52 us"),
    "wake_least": Figure(2800, "ns", f"{_TABLE}: process wake-up, 2.8 us at least"),
    "wake_most": Figure(5500, "ns", f"{_TABLE}: process wake-up, 5.5 us at most"),
    "time_slice": Figure(1000, "us", "Linux 4.15, CFS: least granularity on many cores, about 1 ms and more"),
    "open_socket": Figure(1600, "ns", f"{_TABLE}: open a socket FD, 1.6 us"),
    "poll_queue": Figure(1.25, "ns", f"{_TABLE}: poll 32 empty queues, 0.04 us: one of them"),
    "ring_message": Figure(45.455, "ns", f"{_TABLE}: SocksDirect inside a host, 22 M/s: 1 s / 22 M"),
    "tcp_send": Figure(
        1111, "ns", f"{_TABLE}: loopback TCP, 0.9 M/s: 1 s / 0.9 M; the sender's core is the slower one"
    ),
    "tcp_receive": Figure(365, "ns", f"{_TABLE}: system call 0.20, lock 0.10, half of a buffer's 0.13 us"),
    "tcp_remote": Figure(9500, "ns", f"{_TABLE}: TCP between hosts 30 us less loopback TCP 11 us, one way"),
    "tcp_payload": Figure(1448, "bytes", "Ethernet MTU of 1500 less IP 20, TCP 20, time stamps 12"),
    "tcp_rto": Figure(200, "ms", "Linux: TCP_RTO_MIN, 200 ms"),
    "monitor_request": Figure(188.7, "ns", "text: the monitor tops out at 5.3 M/s: 1 s / 5.3 M"),
    "rdma_one_way": Figure(800, "ns", f"{_TABLE}: one-sided RDMA write, round trip 1.6 us: half"),
    "rdma_post": Figure(76.923, "ns", f"{_TABLE}: one-sided RDMA write, 13 M/s: 1 s / 13 M"),
    "rdma_timeout": Figure(4.194, "ms", "InfiniBand: 4.096 us * 2^10, a usual local ack timeout"),
    "rdma_retries": Figure(7, "times", "InfiniBand: the retry count has three bits; 7 is the usual value"),
    "nic_qp_cache": Figure(5592, "queue pairs", "Kalia, NSDI 2019: 2 MB in the NIC, 375 bytes for each queue pair"),
    "nic_qp_miss": Figure(500, "ns", "Neugebauer, SIGCOMM 2018: a small read over PCIe, about 0.5 us"),
    "pcie_gbit": Figure(115, "Gbit/s", "PCIe 3.0, 16 lanes: 16 * 8 GT/s * 128/130; 256 of 280 bytes are payload"),
    "link_gbit": Figure(100, "Gbit/s", "testbed: ConnectX-4, 100 Gbit/s"),
    "switch": Figure(300, "ns", "data sheets of 100 Gbit/s switches: port to port, cut through, 0.3 us"),
    "switch_buffer": Figure(4194304, "bytes", "data sheets: 16 MB shared by all ports; one may take about a quarter"),
    "mtu": Figure(1024, "bytes", "RoCE on an Ethernet MTU of 1500: the largest MTU that fits"),
    "packet_bytes": Figure(82, "bytes", "RoCEv2: gap and preamble 20, Ethernet 18, IP 20, UDP 8, BTH 12, ICRC 4"),
}
PROFILES: Final[Mapping[str, Mapping[str, Figure]]] = {"paper-2019": PAPER_2019}
FIELDS: Final = tuple(field.name for field in dataclasses.fields(Costs))


def figures_of(profile: str) -> Mapping[str, Figure]:
    """The figures of a profile: its name, or the path of a TOML file with a table for each figure.

    Raises:
        BadProfile: no such profile, or a figure is missing, unknown or without unit and source.
    """
    if profile in PROFILES:
        return PROFILES[profile]
    path = Path(profile)
    if path.suffix != ".toml" or not path.is_file():
        raise BadProfile(f"profile {profile}: allowed are {', '.join(PROFILES)}, or the path of a .toml file")
    try:
        content = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise BadProfile(f"{path}: {error}") from error
    return {name: _figure(path, name, content.get(name)) for name in _names(path, content)}


def costs_of(profile: str) -> Costs:
    """The costs of a profile, in whole picoseconds."""
    figures = figures_of(profile)
    return Costs(**{name: round(figures[name].value * UNITS[figures[name].unit]) for name in FIELDS})


def _names(path: Path, content: Mapping[str, object]) -> tuple[str, ...]:
    unknown = sorted(set(content) - set(FIELDS))
    if unknown:
        raise BadProfile(f"{path}: unknown figure {unknown[0]}; allowed are {', '.join(FIELDS)}")
    return FIELDS


def _figure(path: Path, name: str, entry: object) -> Figure:
    if not isinstance(entry, dict) or set(entry) != {"value", "unit", "source"}:
        raise BadProfile(f"{path}: [{name}] needs value, unit and source, and nothing else")
    if entry["unit"] not in UNITS:
        raise BadProfile(f"{path}: [{name}] unit {entry['unit']}; allowed are {', '.join(UNITS)}")
    if not isinstance(entry["value"], int | float) or entry["value"] < 0:
        raise BadProfile(f"{path}: [{name}] value must be a number that is not negative")
    return Figure(float(entry["value"]), str(entry["unit"]), str(entry["source"]))
