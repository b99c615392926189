"""Accept one connection and print how many bytes came over it until its end, and whether they were right."""

from __future__ import annotations

import socket
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
connection = listener.accept()[0]
assert connection.recv(1) == b"!"
connection.sendall(b"!")
got = bytearray()
while part := connection.recv(1 << 20):
    got += part
print(len(got), got == (bytes(range(256)) * (len(got) // 256 + 1))[: len(got)])
