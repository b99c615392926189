"""Answer each byte of one connection, late enough that who waits sleeps. Words: the port, and the address."""

from __future__ import annotations

import socket
import sys
import time

connection = socket.create_server((sys.argv[2], int(sys.argv[1]))).accept()[0]
while byte := connection.recv(1):
    time.sleep(0.1)
    connection.sendall(byte)
