"""A real process of a program: makes the steps that come by a named pipe, says by another what each gave.

actor.py FOLDER NUMBER      the pipes are FOLDER/NUMBER.steps and FOLDER/NUMBER.given
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

PERIOD = bytes(range(251))
sockets: dict[str, socket.socket] = {}
listener: list[socket.socket] = []


def stream(offset: int, size: int) -> bytes:
    """Bytes of a stream: each tells its place."""
    start = offset % len(PERIOD)
    return (PERIOD[start:] + PERIOD * (size // len(PERIOD) + 1))[:size]


def send(step: dict[str, Any]) -> list[Any]:
    """All bytes, or a broken pipe."""
    try:
        sockets[step["end"]].sendall(stream(step["offset"], step["size"]))
    except BrokenPipeError:
        return [0, "broken pipe"]
    return [step["size"], ""]


def receive(step: dict[str, Any]) -> list[Any]:
    """So many bytes, unless the stream ends before."""
    data = b""
    behind = ""
    while len(data) < step["size"] and not behind:
        try:
            more = sockets[step["end"]].recv(step["size"] - len(data))
        except ConnectionResetError:
            behind = "reset"
        else:
            data += more
            behind = "" if more else "end"
    assert data == stream(step["offset"], len(data)), "other bytes than were sent"
    return [len(data), behind]


def make(step: dict[str, Any]) -> list[Any]:
    """One step."""
    match step["verb"]:
        case "listen":
            listener.append(socket.create_server(("127.0.0.1", 0), backlog=16))
            return [listener[0].getsockname()[1], ""]
        case "connect":
            sockets[step["end"]] = socket.create_connection(("127.0.0.1", step["size"]))
        case "accept":
            sockets[step["end"]] = listener[0].accept()[0]
        case "send":
            return send(step)
        case "receive":
            return receive(step)
        case "shutdown":
            sockets[step["end"]].shutdown(socket.SHUT_WR)
        case "close":
            sockets.pop(step["end"]).close()
    return [0, ""]


def live(folder: Path, number: int) -> None:
    """Until the pipe is closed."""
    with (folder / f"{number}.steps").open() as steps, (folder / f"{number}.given").open("w") as given:
        for line in steps:
            step = json.loads(line)
            if step["verb"] == "fork" and os.fork() == 0:
                os.close(steps.fileno())
                os.close(given.fileno())
                live(folder, step["child"])
                os._exit(0)
            try:
                answer = make(step)
            except (OSError, AssertionError) as error:  # the reader compares: this is what no byte stream gives
                answer = [-1, repr(error)]
            print(json.dumps(answer), file=given, flush=True)


live(Path(sys.argv[1]), int(sys.argv[2]))
