"""Many connections to epoll_server from one thread: on each, a message goes out as soon as the last one came back.

Example: python many_clients.py 127.0.0.1 7000 --clients 500
"""

import argparse
from select import EPOLLIN
from time import monotonic

from sdcore.socket import epoll, socket

MESSAGE = b"message\n"


def receive_whole(connection: socket) -> None:
    """One message."""
    left = len(MESSAGE)
    while left:
        part = connection.recv(left)
        if not part:
            raise EOFError("the server is gone")
        left -= len(part)


def ask(connections: dict[int, socket], watched: epoll, seconds: float) -> None:
    """Keep a message under way on every connection; at the end wait for what still is."""
    for connection in connections.values():
        connection.sendall(MESSAGE)
    start = now = monotonic()
    messages, under_way = 0, len(connections)
    while under_way:
        for fd, _ in watched.poll():
            receive_whole(connections[fd])
            messages += 1
            if now - start < seconds:
                connections[fd].sendall(MESSAGE)
            else:
                under_way -= 1
        now = monotonic()
    print(f"{messages} messages; mean {messages / (now - start):.0f} messages/s", flush=True)


def main() -> None:
    """Connect all, ask, close all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    watched = epoll()
    connections: dict[int, socket] = {}
    for _ in range(options.clients):
        connection = socket()
        connection.connect((options.host, options.port))
        connections[connection.fileno()] = connection
        watched.register(connection.fileno(), EPOLLIN)
    ask(connections, watched, options.seconds)
    for connection in connections.values():
        connection.close()
    watched.close()


if __name__ == "__main__":
    main()
