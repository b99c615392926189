"""A client that does what its standard input says, one JSON line each, and answers each with a line.

    ["open", NAME, PORT]     connect
    ["echo", NAME, BYTES]    send so many bytes, 8 KiB at a time, and receive each piece back
    ["send", NAME, BYTES]    only send
    ["close", NAME]

An answer is "ok", or the name of the error.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys

PIECE = 8192
connections: dict[str, socket.socket] = {}


def echo(sock: socket.socket, count: int) -> None:
    """Send and receive."""
    while count > 0:
        piece = os.urandom(min(PIECE, count))
        sock.sendall(piece)
        back = b""
        while len(back) < len(piece):
            part = sock.recv(len(piece) - len(back))
            if not part:
                raise ConnectionResetError(errno.ECONNRESET, "end-of-file")
            back += part
        if back != piece:
            raise OSError(errno.EBADMSG, "damaged")
        count -= len(piece)


def perform(verb: str, name: str, number: int = 0) -> None:
    """Do one thing."""
    if verb == "open":
        connections[name] = socket.create_connection(("127.0.0.1", number), timeout=8)
    elif verb == "echo":
        echo(connections[name], number)
    elif verb == "send":
        connections[name].sendall(bytes(number))
    else:
        connections.pop(name).close()


for line in sys.stdin:
    try:
        perform(*json.loads(line))
        answer = "ok"
    except OSError as error:
        answer = errno.errorcode.get(error.errno or 0, type(error).__name__)
    print(answer, flush=True)
