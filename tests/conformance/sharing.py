"""A server and a client that both fork: children share their parents' connections and use them at the same time."""

from __future__ import annotations

import os
import socket
import sys
import threading

TIMES = int(sys.argv[1])
WORD = b"x" * 100


def use(end: socket.socket) -> None:
    """Send and receive as much as the others."""

    def send() -> None:
        for _ in range(TIMES):
            end.sendall(WORD)

    sender = threading.Thread(target=send)
    sender.start()
    left = TIMES * len(WORD)
    while left:
        left -= len(end.recv(min(left, 4096)))
    sender.join()


def both(end: socket.socket) -> None:
    """The parent and its child use one end."""
    child = os.fork()
    use(end)
    if child == 0:
        end.close()
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    end.close()


listener = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    both(socket.create_connection(listener.getsockname()))
    again = socket.create_connection(listener.getsockname())  # with what the process inherited of its parent's leases
    again.sendall(WORD)
    for _ in range(5 * TIMES):  # a wait for most
        assert again.recv(1) == b"y"
        again.sendall(b"z")
    again.close()
    sys.exit(0)
both(listener.accept()[0])
last = listener.accept()[0]
assert last.recv(len(WORD), socket.MSG_WAITALL) == WORD
for _ in range(5 * TIMES):
    last.sendall(b"y")
    assert last.recv(1) == b"z"
assert last.recv(1) == b""
last.close()
assert os.wait()[1] == 0
