"""Ask a late echo server, and wait in a thread of another network namespace, where nobody can ring its bell.

Words: the port, and how to wait: recv, poll, epoll.
"""

from __future__ import annotations

import ctypes
import select
import socket
import sys
import threading

CLONE_NEWNET = 0x40000000
port, how = int(sys.argv[1]), sys.argv[2]
libc = ctypes.CDLL(None, use_errno=True)


def wait(end: socket.socket) -> None:
    """Until there is something to receive."""
    if how == "poll":
        poll = select.poll()
        poll.register(end, select.POLLIN)
        poll.poll()
    elif how == "epoll":
        with select.epoll() as epoll:
            epoll.register(end, select.EPOLLIN)
            epoll.poll()


def ask(end: socket.socket) -> None:
    """From elsewhere, three times."""
    assert libc.unshare(CLONE_NEWNET) == 0, ctypes.get_errno()
    for _ in range(3):
        end.sendall(b"?")
        wait(end)
        assert end.recv(1) == b"?"


connection = socket.create_connection(("127.0.0.1", port))
connection.sendall(b"?")
assert connection.recv(1) == b"?"
thread = threading.Thread(target=ask, args=(connection,))
thread.start()
thread.join()
