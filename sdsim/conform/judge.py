"""`sdsim conform`: judge the logs of a run, line by line."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sdcore.protocol.machines import MACHINES
from sdsim.conform.history import History, Offence, text
from sdsim.conform.joint import Joint
from sdsim.conform.log import BadLog, Log, merged


@dataclass(frozen=True)
class Verdict:
    """Logs that are a possible history.

    Attributes:
        lines: of each machine that took a step, by name.
        rows: of the tables that were taken, of all that the C code could take.
        whole: connections with both ends in the logs.
        withdrawn: connections whose client took its offer back before a server had it.
        unserved: connections whose client closed with its offer standing, and whose server ended before it accepted.
        again: steps that were taken again, since a killed process had only announced them.
        failed: errno that cut a recording short; 0 none.
    """

    lines: dict[str, int]
    rows: int
    processes: int
    threads: int
    connections: int
    whole: int
    withdrawn: int
    unserved: int
    again: int
    failed: int


def judge(paths: Sequence[Path]) -> Verdict:
    """Judge the logs of one run, which may be several files.

    Raises:
        BadLog: a file is no log, or lines are missing that no kill explains.
        Offence: the logs are not a possible history.
    """
    logs = [Log(path, number) for number, path in enumerate(paths)]
    for log in logs:
        if not log.chunks:
            raise BadLog(f"{log.path}: nobody has written to it; did the program use no socket, or another library?")
    joint = Joint()
    history = History(logs, joint.see)
    counts = [0] * len(MACHINES)
    gc.disable()  # millions of lines, none in a circle
    try:
        for line in merged(logs):
            history.take(line)
            counts[line.machine] += 1
    except Offence as offence:
        raise Offence(f"{text(history.current)}\n  {offence}") from None
    finally:
        gc.enable()
    history.finish()
    joint.finish()
    return Verdict(
        lines={machine.name: count for machine, count in zip(MACHINES, counts, strict=True) if count},
        rows=len(history.rows),
        processes=sum(log.head.processes for log in logs),
        threads=len({(chunk.log, chunk.tid) for log in logs for chunk in log.chunks}),
        connections=len(joint.connections),
        whole=sum(connection.whole for connection in joint.connections),
        withdrawn=sum(connection.client_won is not None for connection in joint.connections),
        unserved=sum(connection.unserved for connection in joint.connections),
        again=history.again,
        failed=next((log.head.failed for log in logs if log.head.failed), 0),
    )
