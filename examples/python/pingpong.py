"""A message goes to the server and comes back; print how long that takes.

Example: python pingpong.py server --port 7000
         python pingpong.py client 127.0.0.1 7000
"""

import argparse
from time import monotonic

from sdcore.socket import socket

WARM_UP = 100


def receive_whole(connection: socket, size: int) -> bytes:
    """One message; nothing if the peer has ended."""
    message = b""
    while len(message) < size:
        part = connection.recv(size - len(message))
        if not part:
            return b""
        message += part
    return message


def serve(port: int, size: int) -> None:
    """Send everything back to one client, until it ends."""
    with socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        print(f"listening on 127.0.0.1 port {listener.getsockname()[1]}", flush=True)
        connection, _ = listener.accept()
        with connection:
            while message := receive_whole(connection, size):
                connection.sendall(message)


def ping(connection: socket, message: bytes, count: int) -> float:
    """Seconds that `count` round trips take."""
    start = monotonic()
    for _ in range(count):
        connection.sendall(message)
        if receive_whole(connection, len(message)) != message:
            raise EOFError("the server is gone")
    return monotonic() - start


def ask(host: str, port: int, size: int, count: int) -> None:
    """Measure one connection."""
    with socket() as connection:
        connection.connect((host, port))
        message = b"x" * size
        ping(connection, message, WARM_UP)
        mean_us = ping(connection, message, count) / count * 1e6
        print(f"{count} round trips of {size} bytes; mean {mean_us:.2f} us", flush=True)


def main() -> None:
    """Be server or client."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sides = parser.add_subparsers(dest="side", required=True)
    server = sides.add_parser("server")
    server.add_argument("--port", type=int, default=7000, help="0 lets the kernel choose")
    client = sides.add_parser("client")
    client.add_argument("host")
    client.add_argument("port", type=int)
    client.add_argument("--count", type=int, default=10_000)
    for side in (server, client):
        side.add_argument("--size", type=int, default=8, help="bytes of a message")
    options = parser.parse_args()
    if options.side == "server":
        serve(options.port, options.size)
    else:
        ask(options.host, options.port, options.size, options.count)


if __name__ == "__main__":
    main()
