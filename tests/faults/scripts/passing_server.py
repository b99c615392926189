"""Echo to every client after passing its socket through another one to ourselves, while its bytes are unread.

Usage: passing_server.py PORT
"""

from __future__ import annotations

import select
import socket
import sys
import threading


def passed(sock: socket.socket) -> socket.socket:
    """The same connection, by another descriptor."""
    ends = socket.socketpair()
    with ends[0], ends[1], sock:
        socket.send_fds(ends[0], [b"d"], [sock.fileno()])
        _, (number, *_), _, _ = socket.recv_fds(ends[1], 1, 1)
    return socket.socket(fileno=number)


def echo(sock: socket.socket) -> None:
    """Serve one client."""
    select.select([sock], [], [])
    with passed(sock) as again:
        try:
            while data := again.recv(65536):
                again.sendall(data)
        except OSError:
            return


with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512) as listener:
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
