"""Lanes: which thread had which core, and what went over which link, as a trace that Perfetto opens.

A run that is asked for lanes collects spans while it runs; `write` makes a file of the JSON trace event format: a
process for each host, a lane for each core and each direction of its NIC. Times are exact to a nanosecond.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sdsim.units import NS, US


class Lanes:
    """Spans, in the order in which they ended."""

    def __init__(self) -> None:
        self._hosts: dict[str, int] = {}
        self._lanes: dict[tuple[str, str], int] = {}
        self.events: list[dict[str, Any]] = []

    def span(self, host: str, lane: str, what: str, from_ps: int, until_ps: int) -> None:
        """Something had a lane for a while."""
        event = {"ph": "X", "name": what, "pid": self._host(host), "tid": self._lane(host, lane)}
        self.events.append(event | {"ts": from_ps // NS * NS / US, "dur": (until_ps - from_ps) // NS * NS / US})

    def _host(self, host: str) -> int:
        if host not in self._hosts:
            self._hosts[host] = len(self._hosts) + 1
            self._name("process_name", self._hosts[host], 0, host)
        return self._hosts[host]

    def _lane(self, host: str, lane: str) -> int:
        key = (host, lane)
        if key not in self._lanes:
            self._lanes[key] = len(self._lanes) + 1
            self._name("thread_name", self._hosts[host], self._lanes[key], lane)
        return self._lanes[key]

    def _name(self, kind: str, host: int, lane: int, text: str) -> None:
        self.events.append({"ph": "M", "name": kind, "pid": host, "tid": lane, "args": {"name": text}})

    def write(self, path: Path, head: str) -> None:
        """Write the file; `head` names the run."""
        path.write_text(json.dumps({"otherData": {"run": head}, "traceEvents": self.events}))
