"""Echo to many clients from one thread with one epoll set, and print how many messages come in a second.

Ends when its last client has ended.

Example: python epoll_server.py --port 7000
"""

import argparse
from select import EPOLLIN
from time import monotonic

from sdcore.socket import epoll, socket

PART = 4096


class Server:
    """A listener, its clients, and what has been counted."""

    def __init__(self, listener: socket) -> None:
        self.listener = listener
        self.watched = epoll()
        self.watched.register(listener.fileno(), EPOLLIN)
        self.clients: dict[int, socket] = {}
        self.come = 0
        self.messages = 0

    def accept(self) -> None:
        """Watch one more client."""
        client, _ = self.listener.accept()
        self.clients[client.fileno()] = client
        self.watched.register(client.fileno(), EPOLLIN)
        self.come += 1

    def echo(self, fd: int) -> None:
        """Send back what a client has sent; forget it if it has ended."""
        if data := self.clients[fd].recv(PART):
            self.clients[fd].sendall(data)
            self.messages += 1
            return
        self.watched.unregister(fd)
        self.clients.pop(fd).close()

    def serve(self) -> None:
        """Until nobody is left who came."""
        start = last = monotonic()
        seen = 0
        while self.clients or not self.come:
            for fd, _ in self.watched.poll():
                if fd == self.listener.fileno():
                    self.accept()
                else:
                    self.echo(fd)
            if (now := monotonic()) - last >= 1:
                print(f"{(self.messages - seen) / (now - last):.0f} messages/s", flush=True)
                seen, last = self.messages, now
        mean = self.messages / (monotonic() - start)
        print(f"{self.come} clients; {self.messages} messages; mean {mean:.0f} messages/s", flush=True)
        self.watched.close()


def main() -> None:
    """Listen on loopback and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=7000, help="0 lets the kernel choose")
    options = parser.parse_args()
    with socket() as listener:
        listener.bind(("127.0.0.1", options.port))
        listener.listen(1024)
        print(f"listening on 127.0.0.1 port {listener.getsockname()[1]}", flush=True)
        Server(listener).serve()


if __name__ == "__main__":
    main()
