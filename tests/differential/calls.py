"""The calls that a program may make, and the one-line text of a program.

A program is a sequence of steps; a step is one call made by one *actor*, a thread of a process of the stage. Text and
numbers come from the table below and from nothing else: the C half (c/) is compiled with a header printed from it.

    a0 socket s1 inet 0 ; a0 bind s1 n0 ; a0 listen s1 5 ; a1 socket s2 inet 0 ; a1 connect s2 n0 ; a0 accept s1 s3 0

Words:  a0..a2 are processes from the start; `fork`, `thread` and the like add actors. s0..s23 are *slots*, a process's
own names of its descriptors; a fork copies them. n0..n3 are addresses that `bind` has found. A step beginning with `~`
is only started: whether it blocks is left open, and its result is looked at by `join`.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ACTORS = 12
FIRST_ACTORS = 3
SLOTS = 24
NAMES = 4
ARGUMENTS = 6
STEPS_MAX = 120

NO_SLOT = -1

SOCKET_FLAGS = {"NONBLOCK": socket.SOCK_NONBLOCK, "CLOEXEC": socket.SOCK_CLOEXEC}
MESSAGE_FLAGS = {
    name: int(getattr(socket, f"MSG_{name}"))
    for name in ("DONTWAIT", "NOSIGNAL", "OOB", "PEEK", "WAITALL", "TRUNC", "CMSG_CLOEXEC")
}
POLL_FLAGS = {
    "IN": select.POLLIN,
    "OUT": select.POLLOUT,
    "PRI": select.POLLPRI,
    "RDHUP": select.POLLRDHUP,
    "ERR": select.POLLERR,
    "HUP": select.POLLHUP,
    "NVAL": select.POLLNVAL,
}
EPOLL_FLAGS = {
    name: int(getattr(select, f"EPOLL{name}"))
    for name in ("IN", "OUT", "PRI", "RDHUP", "ERR", "HUP", "ET", "ONESHOT", "EXCLUSIVE")
}
FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6, "unix": socket.AF_UNIX}
SHUTS = {"rd": socket.SHUT_RD, "wr": socket.SHUT_WR, "rdwr": socket.SHUT_RDWR}
SENDERS = ("send", "write", "writev", "sendto", "sendmsg", "sendmmsg")
RECEIVERS = ("recv", "read", "readv", "recvfrom", "recvmsg", "recvmmsg")

# name: level, C name, how the value is passed. `linger`: -1 is off, else seconds. `time`: milliseconds.
OPTIONS = {
    "REUSEADDR": ("SOL_SOCKET", "SO_REUSEADDR", "whole"),
    "KEEPALIVE": ("SOL_SOCKET", "SO_KEEPALIVE", "whole"),
    "OOBINLINE": ("SOL_SOCKET", "SO_OOBINLINE", "whole"),
    "LINGER": ("SOL_SOCKET", "SO_LINGER", "linger"),
    "RCVTIMEO": ("SOL_SOCKET", "SO_RCVTIMEO", "time"),
    "SNDTIMEO": ("SOL_SOCKET", "SO_SNDTIMEO", "time"),
    "RCVLOWAT": ("SOL_SOCKET", "SO_RCVLOWAT", "whole"),
    "RCVBUF": ("SOL_SOCKET", "SO_RCVBUF", "whole"),
    "SNDBUF": ("SOL_SOCKET", "SO_SNDBUF", "whole"),
    "ERROR": ("SOL_SOCKET", "SO_ERROR", "whole"),
    "TYPE": ("SOL_SOCKET", "SO_TYPE", "whole"),
    "ACCEPTCONN": ("SOL_SOCKET", "SO_ACCEPTCONN", "whole"),
    "NODELAY": ("IPPROTO_TCP", "TCP_NODELAY", "whole"),
    "USER_TIMEOUT": ("IPPROTO_TCP", "TCP_USER_TIMEOUT", "whole"),
    "KEEPIDLE": ("IPPROTO_TCP", "TCP_KEEPIDLE", "whole"),
    "STATE": ("IPPROTO_TCP", "TCP_INFO", "state"),
}


@dataclass(frozen=True)
class Call:
    """One call of the table: its name and its parameters, each with the kind that says how it is written."""

    name: str
    params: tuple[str, ...] = ()


# Kinds of parameters that are one word out of several, and those that are several words joined by `+`.
CHOICES: dict[str, dict[str, int]] = {
    "family": {name: int(number) for name, number in FAMILIES.items()},
    "how": {name: int(number) for name, number in SHUTS.items()},
    "sender": {name: number for number, name in enumerate(SENDERS)},
    "receiver": {name: number for number, name in enumerate(RECEIVERS)},
    "option": {name: number for number, name in enumerate(OPTIONS)},
    "duper": {"dup": 0, "dupfd": 1, "cloexec": 2},
    "duper2": {"dup2": 0, "dup3": 1},
    "setter": {"fcntl": 0, "ioctl": 1},
    "queue": {"unread": 0, "unsent": 1, "atmark": 2},
    "end": {"own": 0, "peer": 1},
    "poller": {"poll": 0, "ppoll": 1, "select": 2},
    "waiter": {"epoll_wait": 0, "epoll_pwait": 1, "epoll_pwait2": 2},
    "control": {"add": 1, "del": 2, "mod": 3},
    "forker": {"fork": 0, "_Fork": 1, "clone": 2},
    "image": {"same": 0, "scrubbed": 1},
    "splicer": {"into": 0, "out": 1},
}
UNIONS: dict[str, dict[str, int]] = {
    "socket_flags": {name: int(number) for name, number in SOCKET_FLAGS.items()},
    "message_flags": MESSAGE_FLAGS,
    "poll_flags": POLL_FLAGS,
    "epoll_flags": EPOLL_FLAGS,
}
LETTERS = {"slot": "s", "name": "n", "actor": "a"}

CALLS = (
    Call("socket", ("slot", "family", "socket_flags")),
    Call("bind", ("slot", "name")),
    Call("listen", ("slot", "int")),
    Call("connect", ("slot", "name")),
    Call("accept", ("slot", "slot", "socket_flags")),
    Call("send", ("slot", "int", "message_flags", "sender")),
    # What MSG_MORE holds back, and a byte that pushes it: when held bytes come is open.
    Call("more", ("slot", "int")),
    Call("recv", ("slot", "int", "message_flags", "receiver")),
    # All bytes, in calls of at most so many: blocking, until done, end or error.
    Call("sendall", ("slot", "int", "int")),
    Call("recvall", ("slot", "int", "int")),
    # Send without blocking until nothing more is taken; receive as many as that was. The number is Linux's secret.
    Call("fill", ("slot", "int")),
    Call("drain", ("slot", "int")),
    Call("sendfile", ("slot", "int")),
    # By way of a pipe, into a socket or out of one.
    Call("splice", ("slot", "int", "splicer")),
    Call("shutdown", ("slot", "how")),
    Call("close", ("slot",)),
    Call("dup", ("slot", "slot", "duper")),
    Call("dup2", ("slot", "slot", "duper2")),
    Call("nonblock", ("slot", "int", "setter")),
    Call("async", ("slot", "int")),  # O_ASYNC; nobody cares for SIGIO
    Call("getfl", ("slot",)),
    Call("setopt", ("slot", "option", "int")),
    Call("getopt", ("slot", "option")),
    Call("queued", ("slot", "queue")),
    Call("getname", ("slot", "end")),
    Call("poll", ("slot", "poll_flags", "slot", "poll_flags", "int", "poller")),
    Call("epoll", ("slot",)),
    Call("epctl", ("slot", "control", "slot", "epoll_flags")),
    Call("epwait", ("slot", "int", "int", "waiter")),
    # A descriptor through a Unix socket that all processes share, first in, first out.
    Call("post", ("slot",)),
    Call("fetch", ("slot",)),
    Call("fork", ("actor", "forker")),
    Call("thread", ("actor",)),
    Call("exec", ("image",)),
    Call("spawn"),  # a program that inherits what is not close-on-exec, and ends
    Call("exit", ("int",)),
    # What the stage does itself. `kill` names a victim by the actor before it: all of its process goes.
    Call("kill"),
    Call("signal", ("int",)),  # 1: the handler asks that calls go on (SA_RESTART)
    Call("join"),
    Call("sleep", ("int",)),
    Call("unload"),  # `sdcore drain` of the actor's program
)
BY_NAME = {call.name: number for number, call in enumerate(CALLS)}
BY_THE_STAGE = frozenset({"kill", "signal", "join", "sleep", "unload"})

_WIRE = struct.Struct(f"=3i{ARGUMENTS}I")


class Malformed(Exception):
    """A text is not a program."""


@dataclass(frozen=True)
class Step:
    """One call by one actor; `loose`: only start it, `join` has the result."""

    actor: int
    call: str
    args: tuple[int, ...] = ()
    loose: bool = False

    def __str__(self) -> str:
        kinds = CALLS[BY_NAME[self.call]].params
        words = [written(kind, value) for kind, value in zip(kinds, self.args, strict=True)]
        return " ".join(["~" * self.loose + f"a{self.actor}", self.call, *words])

    def packed(self) -> bytes:
        """As the stage reads it."""
        args = [arg & 0xFFFFFFFF for arg in (*self.args, *([0] * (ARGUMENTS - len(self.args))))]
        return _WIRE.pack(self.actor, BY_NAME[self.call], self.loose, *args)


Program = tuple[Step, ...]


def written(kind: str, value: int) -> str:
    """An argument as a word."""
    if kind in CHOICES:
        return next(name for name, number in CHOICES[kind].items() if number == value)
    if kind in UNIONS:
        return "+".join(name for name, bit in UNIONS[kind].items() if value & bit) or "0"
    if kind == "slot" and value == NO_SLOT:
        return "-"
    return f"{LETTERS.get(kind, '')}{value}"


def read(kind: str, word: str) -> int:
    """The argument that a word stands for."""
    try:
        if kind in CHOICES:
            return CHOICES[kind][word]
        if kind in UNIONS:
            return sum(UNIONS[kind][name] for name in word.split("+")) if word != "0" else 0
        if kind == "slot" and word == "-":
            return NO_SLOT
        letter = LETTERS.get(kind, "")
        if not word.startswith(letter):
            raise Malformed(f"{word!r}: a {kind} begins with {letter!r}")
        return within(kind, int(word.removeprefix(letter)))
    except (KeyError, ValueError) as error:
        raise Malformed(f"{word!r} is no {kind}") from error


def within(kind: str, value: int) -> int:
    """The number, if the stage has so many of the kind."""
    limit = {"slot": SLOTS, "name": NAMES, "actor": ACTORS}.get(kind)
    if limit is not None and not 0 <= value < limit:
        raise Malformed(f"there is no {kind} {value}")
    return value


def parse_step(text: str) -> Step:
    """Read one step."""
    words = text.split()
    if len(words) < 2 or words[1] not in BY_NAME:
        raise Malformed(f"no call: {text!r}")
    kinds = CALLS[BY_NAME[words[1]]].params
    if len(words) != len(kinds) + 2:
        raise Malformed(f"{words[1]} takes {len(kinds)} words: {text!r}")
    args = tuple(read(kind, word) for kind, word in zip(kinds, words[2:], strict=True))
    loose = words[0].startswith("~")
    return Step(read("actor", words[0].removeprefix("~")), words[1], args, loose)


def parse(text: str) -> Program:
    """Read a program: steps on lines of their own or separated by `;`; what stands behind `#` is a remark."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    return tuple(parse_step(part) for line in lines for part in line.split(";") if part.strip())


def text_of(program: Sequence[Step]) -> str:
    """The program in one line."""
    return " ; ".join(map(str, program))


def header() -> Iterator[str]:
    """The lines of calls.h, by which the C half knows the same table."""
    yield "/* Printed from calls.py. */"
    yield f"#define ACTORS {ACTORS}"
    yield f"#define FIRST_ACTORS {FIRST_ACTORS}"
    yield f"#define SLOTS {SLOTS}"
    yield f"#define NAMES {NAMES}"
    yield f"#define ARGUMENTS {ARGUMENTS}"
    yield f"#define STEPS_MAX {STEPS_MAX}"
    yield f"enum call {{ {', '.join('CALL_' + call.name.upper() for call in CALLS)} }};"
    for kind in (
        "sender",
        "receiver",
        "duper",
        "duper2",
        "setter",
        "queue",
        "end",
        "poller",
        "waiter",
        "forker",
        "image",
        "splicer",
    ):
        yield f"enum {kind} {{ {', '.join(f'BY_{name.upper()} = {value}' for name, value in CHOICES[kind].items())} }};"
    yield "enum passed { PASSED_WHOLE, PASSED_LINGER, PASSED_TIME, PASSED_STATE };"
    yield "static const struct { int level, name; enum passed passed; } OPTIONS[] = {"
    for level, name, passed in OPTIONS.values():
        yield f"    {{{level}, {name}, PASSED_{passed.upper()}}},"
    yield "};"
