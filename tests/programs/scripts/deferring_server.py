"""A server that sets TCP_DEFER_ACCEPT, before or after listen(): `deferring_server.py PORT before|after`.

Prints the option as it is told to the program, then sends back what each connection sends first.
"""

from __future__ import annotations

import socket
import sys

SECONDS = 30

port, when = int(sys.argv[1]), sys.argv[2]
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
if when == "after":
    listener.listen()
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SECONDS)
if when == "before":
    listener.listen()
print(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT), flush=True)
while True:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(connection.recv(1000))
