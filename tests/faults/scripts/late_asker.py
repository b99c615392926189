"""Ask a server three times, and let it wait in between. Words: the port, and the address."""

from __future__ import annotations

import socket
import sys
import time

connection = socket.create_connection((sys.argv[2], int(sys.argv[1])))
for _ in range(3):
    connection.sendall(b"?")
    assert connection.recv(1) == b"?"
    time.sleep(0.1)
