"""Receive messages of one client, one recv each, and print how many come in a second.

Example: python rate_server.py --port 7000 --size 64
"""

import argparse
from time import monotonic

from sdcore.socket import socket

BATCH = 1024


def receive_whole(connection: socket, size: int) -> bool:
    """One message; False if the client has ended."""
    left = size
    while left:
        part = connection.recv(left)
        if not part:
            if left < size:
                raise EOFError("the client ended within a message")
            return False
        left -= len(part)
    return True


def serve(connection: socket, size: int) -> None:
    """Count until the client ends."""
    start = last = monotonic()
    messages = since_last = 0
    while receive_whole(connection, size):
        messages += 1
        since_last += 1
        if messages % BATCH == 0 and (now := monotonic()) - last >= 1:
            print(f"{since_last / (now - last):.0f} messages/s", flush=True)
            since_last, last = 0, now
    print(f"{messages} messages; mean {messages / (monotonic() - start):.0f} messages/s", flush=True)


def main() -> None:
    """Listen on loopback, serve one client, end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=7000, help="0 lets the kernel choose")
    parser.add_argument("--size", type=int, default=8, help="bytes of a message")
    options = parser.parse_args()
    with socket() as listener:
        listener.bind(("127.0.0.1", options.port))
        listener.listen()
        print(f"listening on 127.0.0.1 port {listener.getsockname()[1]}", flush=True)
        connection, _ = listener.accept()
        with connection:
            serve(connection, options.size)


if __name__ == "__main__":
    main()
