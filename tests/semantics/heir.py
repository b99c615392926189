"""A program that inherited ends of connections and does what it is told, a line at a time.

    heir.py DESCRIPTOR ...

Each line is an expression; `ends` are the connections. What it gives is printed, an exception as well.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys

libc = ctypes.CDLL(None)
ends = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
NAMES = {"ctypes": ctypes, "ends": ends, "libc": libc, "os": os, "signal": signal, "socket": socket, "sys": sys}


def told(line: str) -> str:
    """What came of an expression."""
    try:
        return repr(eval(line, NAMES))
    except OSError as error:
        return repr(error)


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        print(told(line), flush=True)
