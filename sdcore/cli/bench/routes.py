"""The routes that are compared: the environment of each transport, and the proof of where sdcore's bytes went.

Kernel TCP and Unix sockets run in the caller's environment without anything of sdcore's. sdcore runs with libsd.so
preloaded and with a monitor of our own, in a directory of its own, so that nothing else is counted there.

The proof: before and after each run the monitor is asked for its totals over closed sockets and for the open ones. What
came in between is this run's. If not almost all connections and bytes were shared memory, the run is not sdcore's.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sdcore.cli.bench.model import Transport
from sdcore.monitor import control, launch, paths
from sdcore.native import LibraryNotFoundError, library_path

ENOUGH = 0.99
LOOK_SECONDS_MAX = 2.0
SETTLE_SECONDS = 0.01
NO_TRANSPORT = "none"
PRIVATE = ("LD_PRELOAD", "SDCORE_RUNTIME_DIR", "SDCORE_DISABLE")


class RouteError(Exception):
    """sdcore cannot be measured here; the text is one line.

    Attributes:
        wrong_use: whether configuration or environment is at fault.
    """

    def __init__(self, message: str, *, wrong_use: bool = False) -> None:
        super().__init__(message)
        self.wrong_use = wrong_use


@dataclass(frozen=True)
class Traffic:
    """What a monitor has counted until some moment.

    Attributes:
        ends: ends of connections by transport, open and closed.
        bytes: that they carried.
        reasons: why ends are not accelerated.
        open: how many of the ends are open.
    """

    ends: Mapping[str, int] = field(default_factory=dict)
    bytes: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    open: int = 0

    def since(self, before: Traffic) -> Traffic:
        """What came after `before`."""
        return Traffic(
            _less(self.ends, before.ends),
            _less(self.bytes, before.bytes),
            _less(self.reasons, before.reasons),
            self.open,
        )


def _less(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in now.items()}


@dataclass(frozen=True)
class Share:
    """How much of a run went through shared memory."""

    traffic: Traffic

    @property
    def of_all(self) -> float:
        """The smaller part of connections and bytes, 0 to 1; 0 if the monitor saw nothing at all."""
        return min(_part(self.traffic.ends), _part(self.traffic.bytes))

    @property
    def enough(self) -> bool:
        """Whether this may be called a run of sdcore."""
        return self.of_all >= ENOUGH

    def __str__(self) -> str:
        ends, sizes = self.traffic.ends, self.traffic.bytes
        if not any(ends.values()):
            return "the monitor saw no connection"
        return (
            f"shared memory carried {ends.get('shm', 0)} of {sum(ends.values())} ends of connections "
            f"and {sizes.get('shm', 0)} of {sum(sizes.values())} bytes{self._why()}"
        )

    def _why(self) -> str:
        reasons = [f"{name} {count}" for name, count in self.traffic.reasons.items() if count > 0]
        return f" ({', '.join(reasons)})" if reasons else ""


def _part(counts: Mapping[str, int]) -> float:
    everything = sum(counts.values())
    return counts.get("shm", 0) / everything if everything > 0 else 0.0


class Watch:
    """Of one run. `look` while the sockets are still open; `share` is what came since the start."""

    share: Share | None = None

    def look(self) -> None:
        """Nothing to see on kernel routes."""


class MonitorWatch(Watch):
    """Asks a monitor."""

    def __init__(self, runtime: paths.RuntimeDir) -> None:
        self._runtime = runtime
        self._before = _settled(runtime)

    def look(self) -> None:
        """Count what came. Processes that just ended may not be added up yet, so a poor share is looked at again."""
        until = time.monotonic() + LOOK_SECONDS_MAX
        while True:
            self.share = Share(traffic(self._runtime).since(self._before))
            if self.share.enough or time.monotonic() > until:
                return
            time.sleep(0.05)


@dataclass(frozen=True)
class Route:
    """One transport.

    Attributes:
        kind: what the worker calls it; sdcore is "tcp" there.
        environment: of the measured processes.
        runtime: of the monitor that sees them; None on kernel routes.
    """

    transport: Transport
    kind: str
    environment: Mapping[str, str]
    runtime: paths.RuntimeDir | None = None

    def address(self, directory: Path) -> str:
        """Where a server shall listen."""
        return str(directory / f"{time.monotonic_ns():x}.sock") if self.kind == "unix" else "127.0.0.1:0"

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """One run; see `Watch`."""
        yield MonitorWatch(self.runtime) if self.runtime else Watch()


def kernel_environment() -> dict[str, str]:
    """The caller's, without what is sdcore's."""
    return {name: value for name, value in os.environ.items() if name not in PRIVATE}


def kernel_routes() -> dict[Transport, Route]:
    """Every route that needs no library."""
    environment = kernel_environment()
    return {
        "tcp": Route("tcp", "tcp", environment),
        "unix": Route("unix", "unix", environment),
        "bare": Route("bare", "bare", environment),
    }


@contextmanager
def sdcore_route(directory: Path) -> Iterator[Route]:
    """The route through libsd.so, with a monitor of its own in `directory` until the end of the block.

    Raises:
        RouteError: there is no library, or the monitor does not start.
    """
    try:
        library = library_path()
        runtime = paths.explicit(str(directory / "monitor"), "the bench's directory")
        environment = kernel_environment() | {"SDCORE_RUNTIME_DIR": str(runtime.path)}
        launch.start(runtime, environment)
    except launch.StartError as error:
        raise RouteError(str(error), wrong_use=error.exit_code == launch.EXIT_USAGE) from None
    except (LibraryNotFoundError, paths.RuntimeDirError) as error:
        raise RouteError(str(error), wrong_use=True) from None
    try:
        yield Route("shm", "tcp", environment | {"LD_PRELOAD": str(library)}, runtime)
    finally:
        _stop(runtime)


def _stop(runtime: paths.RuntimeDir) -> None:
    try:
        with control.Control(runtime) as monitor:
            monitor.stop()
            monitor.wait_closed()
    except (control.NoMonitor, control.Refused) as error:
        raise RouteError(f"the bench's monitor did not stop: {error}") from None


def traffic(runtime: paths.RuntimeDir) -> Traffic:
    """Everything the monitor there has counted until now.

    Raises:
        RouteError: it does not answer.
    """
    try:
        with control.Control(runtime) as monitor:
            return _counted(monitor.sockets())
    except (control.NoMonitor, control.Refused) as error:
        raise RouteError(f"the bench's monitor: {error}") from None


def _settled(runtime: paths.RuntimeDir) -> Traffic:
    """The count once processes that ended have been added up: nothing is open and nothing changes any more.

    A process that lives on with open connections, as redis does, only costs the time limit.
    """
    until = time.monotonic() + LOOK_SECONDS_MAX
    now = traffic(runtime)
    while time.monotonic() < until:
        time.sleep(SETTLE_SECONDS)
        before, now = now, traffic(runtime)
        if now == before and now.open == 0:
            break
    return now


def _counted(document: Mapping[str, Any]) -> Traffic:
    """The totals have every connection since it was established, and its bytes by what carried them.

    What has no transport, like a listener, does not count. Ends are open as long as they are shown.
    """
    totals = document["totals"]["transports"]
    ends = {name: int(total["connections"]) for name, total in totals.items()}
    sizes = Counter({name: int(total["sent_bytes"]) + int(total["received_bytes"]) for name, total in totals.items()})
    reasons = Counter({name: int(reason["count"]) for name, reason in document["totals"]["reasons"].items()})
    connected = sum(socket["transport"] != NO_TRANSPORT for socket in document["sockets"])
    return Traffic(_carried(ends), _carried(sizes), dict(reasons), connected)


def _carried(counts: Mapping[str, int]) -> dict[str, int]:
    """Without what had no transport."""
    return {name: count for name, count in counts.items() if name != NO_TRANSPORT}
