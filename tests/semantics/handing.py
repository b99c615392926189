"""A server that hands its connection on in the middle of the talk, and its client.

    handing.py server PORT WAY TALK LIBRARY DIES      WAY: exec, spawn, pass, hold (pass, and keep the descriptor), by
                                                      (pass to a program without the library, which passes it on and
                                                      takes over again when the next one has ended)
    handing.py client PORT TALK DIES                  LIBRARY of the next program: with, without

TALK is `echo`, messages of which each is answered; `both`, streams both ways at the same time; `level` and `edge`, the
same with an epoll set of that kind; or `chain`, an echo that is handed on more than once. What is read is compared with
what must come. DIES: after so many calls that received something the process kills itself; the next program in place of
the server, 0 stands for nobody. A client that is told pauseN stops itself instead, and goes on when it is told to.
"""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

STREAMS = ("both", "level", "edge")
MESSAGES = 250
STREAM_BYTES = 6_000_000
HANDED_AT = 700_000
CHAIN_AT = (40, 90, 150)
LENT = 100
PERIOD = 251
PATTERN = bytes(range(PERIOD)) * 600
PIECE = 100_000


@dataclass
class Talk:
    """How far one end is.

    Attributes:
        sent, received: bytes, or messages in an echo.
        dies: receives that are left; negative for ever.
    """

    kind: str
    sent: int = 0
    received: int = 0
    dies: int = -1
    pauses: bool = False

    def words(self) -> list[str]:
        """For the next program."""
        return [self.kind, str(self.sent), str(self.received), str(self.dies)]

    def count(self) -> None:
        """One more receive."""
        self.dies -= 1
        if self.dies == 0 and self.pauses:
            print("paused", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.dies == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def pattern(position: int, size: int) -> bytes:
    """What the stream holds there."""
    begin = position % PERIOD
    return PATTERN[begin : begin + size]


def both(connection: socket.socket, talk: Talk, until: int) -> None:
    """Stream both ways until so many bytes were sent and received, or this side has to hand on."""
    connection.setblocking(False)
    poll = waiter(connection, talk.kind)
    while talk.sent < until or talk.received < until:
        wanted = select.POLLIN * (talk.received < until) | select.POLLOUT * (talk.sent < until)
        if talk.kind == "edge":
            ready = wanted
        else:
            poll.modify(connection, wanted)
            ready = poll.poll()[0][1] & wanted
        before = talk.sent + talk.received
        with suppress(BlockingIOError):
            if ready & select.POLLOUT:
                talk.sent += connection.send(pattern(talk.sent, min(PIECE, until - talk.sent)))
        with suppress(BlockingIOError):
            if ready & select.POLLIN:
                take(connection, talk, min(PIECE, until - talk.received))
        if talk.kind == "edge" and talk.sent + talk.received == before:
            poll.poll()


def waiter(connection: socket.socket, kind: str) -> select.poll | select.epoll:
    """What the streams wait with."""
    poll = select.poll() if kind == "both" else select.epoll()
    edge = select.EPOLLET if kind == "edge" else 0
    poll.register(connection, select.POLLIN | select.POLLOUT | edge)
    return poll


def take(connection: socket.socket, talk: Talk, size: int) -> None:
    """Receive a part of the stream."""
    data = connection.recv(size)
    assert data, f"the end after {talk.received} bytes"
    assert data == pattern(talk.received, len(data)), f"other bytes behind {talk.received}"
    talk.received += len(data)
    talk.count()


def echo(connection: socket.socket, talk: Talk, until: int) -> None:
    """Send back what comes, until the end or so many receives."""
    while talk.received < until:
        data = connection.recv(1 << 20)
        if not data:
            return
        connection.sendall(data)
        talk.received += 1
        talk.count()


def messages() -> Iterator[bytes]:
    """Of all sizes that matter: within a line, a segment, and more than a receive gives at once."""
    drawn = random.Random(1)
    for number in range(MESSAGES):
        yield pattern(number, drawn.choice((1, 64, 3_000, 60_000)))


def ask(connection: socket.socket, talk: Talk) -> None:
    """Send messages and compare the answers."""
    for message in messages():
        connection.sendall(message)
        answer = b""
        while len(answer) < len(message):
            data = connection.recv(len(message) - len(answer))
            assert data, f"the end behind message {talk.received}"
            answer += data
        assert answer == message, f"another answer to message {talk.received}"
        talk.received += 1
        talk.count()


# The server ----------------------------------------------------------------------------------------------------------


def go_on(connection: socket.socket, talk: Talk) -> None:
    """The next program's part."""
    if talk.kind == "chain" and talk.sent < len(CHAIN_AT):
        echo(connection, talk, CHAIN_AT[talk.sent])
        talk.sent += 1
        become(connection, talk, "with")
    elif talk.kind == "lent":
        lend(connection, talk)
    elif talk.kind == "part":
        echo(connection, talk, LENT)
    elif talk.kind in STREAMS:
        both(connection, talk, STREAM_BYTES)
        connection.setblocking(True)
        while connection.recv(1):  # a close before the other end has read would be a reset
            pass
    else:
        echo(connection, talk, sys.maxsize)


def environment(library: str) -> dict[str, str]:
    """Of the next program. One without the library still knows which it would be."""
    values = dict(os.environ)
    if library == "with" and "PUT_ASIDE" in values:
        values["LD_PRELOAD"] = values.pop("PUT_ASIDE")
    elif library == "without":
        values["PUT_ASIDE"] = values.pop("LD_PRELOAD")
    return values


def become(connection: socket.socket, talk: Talk, library: str) -> None:
    """This process becomes the next program."""
    connection.set_inheritable(True)
    words = [sys.executable, __file__, "heir", str(connection.fileno()), *talk.words()]
    os.execve(sys.executable, words, environment(library))


def receiver(library: str) -> tuple[socket.socket, int]:
    """A program that waits for the connection on a Unix socket."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        theirs.set_inheritable(True)
        words = [sys.executable, __file__, "receiver", str(theirs.fileno())]
        os.execve(sys.executable, words, environment(library))
    return ours, pid


def send_to(channel: socket.socket, connection: socket.socket, talk: Talk) -> None:
    """Over a Unix socket."""
    socket.send_fds(channel, [" ".join(talk.words()).encode()], [connection.fileno()])


def lend(connection: socket.socket, talk: Talk) -> None:
    """To another program, and go on when that one has ended."""
    channel, pid = receiver("with")
    send_to(channel, connection, Talk("part", 0, talk.received))
    os.waitpid(pid, 0)
    echo(connection, talk, sys.maxsize)


def hand_on(connection: socket.socket, talk: Talk, way: str, library: str) -> None:
    """To the next program, in one of the ways."""
    connection.setblocking(True)
    if way == "exec":
        become(connection, talk, library)
    if way == "spawn":
        pid = os.fork()
        if pid == 0:
            become(connection, talk, library)
    else:
        talk.kind = "lent" if way == "by" else talk.kind
        channel, pid = receiver("without" if way == "by" else library)
        send_to(channel, connection, talk)
    if way != "hold":
        connection.close()
    os.waitpid(pid, 0)


def serve(port: int, way: str, kind: str, library: str, dies: int) -> None:
    """Talk for a while, then hand on."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        connection, _ = listener.accept()
    talk = Talk(kind)
    if kind in STREAMS:
        both(connection, talk, HANDED_AT)
    else:
        echo(connection, talk, 5)
    talk.dies = dies or -1
    hand_on(connection, talk, way, library)


def receive(channel: socket.socket) -> None:
    """Wait for the connection."""
    words, descriptors, _, _ = socket.recv_fds(channel, 100, 1)
    os.set_inheritable(descriptors[0], False)
    kind, *numbers = words.decode().split()
    go_on(socket.socket(fileno=descriptors[0]), Talk(kind, *map(int, numbers)))


def connect(port: int, kind: str, dies: str) -> None:
    """The client. What it prints is how it ended."""
    talk = Talk(kind, dies=int(dies.removeprefix("pause")) or -1, pauses=dies.startswith("pause"))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        try:
            if kind in STREAMS:
                both(connection, talk, STREAM_BYTES)
            else:
                ask(connection, talk)
        except (AssertionError, ConnectionError) as error:
            print("cut off:", error)
        else:
            print("complete")


def main() -> None:
    """As the first word says."""
    role, *words = sys.argv[1:]
    if role == "server":
        serve(int(words[0]), *words[1:4], int(words[4]))
    elif role == "client":
        connect(int(words[0]), words[1], words[2])
    elif role == "receiver":
        receive(socket.socket(fileno=int(words[0])))
    else:
        go_on(socket.socket(fileno=int(words[0])), Talk(words[1], *map(int, words[2:])))


if __name__ == "__main__":
    main()
