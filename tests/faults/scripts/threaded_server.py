"""Echo to every client, a blocking thread for each. Usage: threaded_server.py PORT"""

from __future__ import annotations

import socket
import sys
import threading


def echo(sock: socket.socket) -> None:
    """Serve one client."""
    with sock:
        try:
            while data := sock.recv(65536):
                sock.sendall(data)
        except OSError:
            return


with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512) as listener:
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
