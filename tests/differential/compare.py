"""When two runs of a program count as the same: everything must be equal but what Linux itself leaves open.

Each opening below is a function that rewrites an event of a step, in both runs alike, so that what is open looks the
same; its docstring says why. What a program of calls.py must not depend on is kept out there: `fill` and `drain` hide
how many bytes a full connection takes, `~` and `join` whether a large send blocks, and nothing shows a process number.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.differential.calls import CHOICES, EPOLL_FLAGS, MESSAGE_FLAGS, Program, Step, written
from tests.differential.stage import Event, Kind, Run

INNER_ERROR = 512
"""ERESTARTSYS of the kernel, which no program should see."""

Opening = Callable[[Step, Event], Event]

_BUFFERS = {CHOICES["option"]["RCVBUF"], CHOICES["option"]["SNDBUF"]}
_UNSENT = CHOICES["queue"]["unsent"]


def buffer_sizes(step: Step, event: Event) -> Event:
    """The kernel grows the buffers of a connection as bytes flow; what they are now is a matter of its tuning."""
    if step.call == "getopt" and step.args[1] in _BUFFERS and event.value > 0:
        return replace(event, value=0)
    return event


def unacknowledged(step: Step, event: Event) -> Event:
    """SIOCOUTQ counts bytes not acknowledged: when the peer's kernel acknowledges is open, up to 40 ms."""
    if step.call == "queued" and step.args[1] == _UNSENT and event.value >= 0:
        return replace(event, value=0)
    return event


OPENINGS: tuple[Opening, ...] = (buffer_sizes, unacknowledged)


def with_ports_by_order(program: Program, events: Sequence[Event]) -> Iterator[Event]:
    """Ports are the kernel's choice: each becomes the number of its first appearance."""
    seen: dict[int, int] = {0: 0}
    for event in events:
        if event.step >= 0 and program[event.step].call == "getname" and len(event.extra) == 3:
            family, size, port = event.extra
            yield replace(event, extra=(family, size, seen.setdefault(port, len(seen))))
        else:
            yield event


def canonical(program: Program, events: Sequence[Event]) -> tuple[Event, ...]:
    """The run without what is open."""
    result = []
    for event in with_ports_by_order(program, events):
        for opening in OPENINGS:
            event = opening(program[event.step], event)  # noqa: PLW2901
        result.append(event)
    return tuple(result)


def is_open(program: Program, kernel: Sequence[Event]) -> bool:
    """Whether a connection was left full on the kernel: then all that follows hangs on how much it holds.

    A large transfer must have come to its end, and what `fill` put in must have been drained.
    """
    done = {event.step: event.value for event in kernel if event.kind in {Kind.RETURNED, Kind.LATER}}
    transfers = [(number, step.args[1]) for number, step in enumerate(program) if step.loose]
    fills = [number for number, step in enumerate(program) if step.call == "fill"]
    drains = [number for number, step in enumerate(program) if step.call == "drain" and done.get(number) == 1]
    filled = [number for number in fills if done.get(number) is not None and not any(n > number for n in drains)]
    return bool(filled) or any(done.get(number) != size for number, size in transfers)


# Calls that wait in slots, and which of their arguments those are.
_WAITS = {"recv": (0,), "send": (0,), "accept": (0,), "poll": (0, 2), "epwait": (0,), "recvall": (0,), "drain": (0,)}


def closes_under_a_waiter(program: Program, kernel: Sequence[Event]) -> bool:
    """Whether a thread closes what another one waits in: a known difference (cases/close_under_a_blocked_recv.txt)."""
    home = {step.args[0]: step.actor for step in program if step.call == "thread"}

    def process(actor: int) -> int:
        return process(home[actor]) if actor in home else actor

    waiting: set[tuple[int, int]] = set()  # step and process
    for event in kernel:
        step = program[event.step]
        here = process(step.actor)
        if event.kind == Kind.BLOCKED:
            waiting.add((event.step, here))
        elif event.kind in {Kind.LATER, Kind.CUT}:
            waiting.discard((event.step, here))
        elif step.call in {"close", "dup2"}:
            gone = step.args[1 if step.call == "dup2" else 0]
            slots = [program[n].args[place] for n, at in waiting if at == here for place in _WAITS[program[n].call]]
            if gone in slots:
                return True
    return False


MOVING = frozenset({"post", "exec", "spawn", "async", "splice", "unload"})


def forgets_over_a_move(program: Program, kernel: Sequence[Event]) -> bool:
    """Whether an end is passed on or inherited by exec after something that the kernel's connection does not know.

    Known differences: an edge of room, for TCP has room where the ring was full; an edge told to a process that shares
    the set, or to a program before; and bytes in the ring of a process that is killed after the move
    (killed_after_the_peer_moved.txt). Who polls a set is told of an edge that epoll_wait then keeps back. A connection
    that is full on TCP has room once it is back in shared memory.
    """
    if not any(step.call in MOVING for step in program):
        return False
    edges = any(step.call == "epctl" and step.args[3] & EPOLL_FLAGS["ET"] for step in program)
    otherwise = any(step.call in {"fill", "sendall", "fork", "exec", "spawn"} for step in program)
    moved = min(n for n, step in enumerate(program) if step.call in MOVING)
    sets = {step.args[0] for step in program if step.call == "epoll"}
    polled = any(step.call == "poll" and {step.args[0], step.args[2]} & sets for step in program[moved:])
    return (edges and (otherwise or polled)) or any(step.call in {"kill", "fill"} for step in program[moved:])


def loses_an_urgent_byte(program: Program, kernel: Sequence[Event]) -> bool:
    """Whether an end is passed on or inherited with an urgent byte behind others (urgent_byte_and_a_stand_in.txt)."""
    urgent = MESSAGE_FLAGS["OOB"]
    sent = [n for n, step in enumerate(program) if step.call == "send" and step.args[2] & urgent]
    return any(step.call in {"post", "exec", "spawn"} for step in program[min(sent, default=len(program)) :])


def dies_after_an_urgent_byte(program: Program, kernel: Sequence[Event]) -> bool:
    """Whether somebody is killed after a connection moved for an urgent byte: killed_after_an_urgent_byte.txt."""
    urgent = MESSAGE_FLAGS["OOB"]
    sent = [n for n, step in enumerate(program) if step.call == "send" and step.args[2] & urgent]
    return any(step.call == "kill" for step in program[min(sent, default=len(program)) :])


def tells_an_inner_error(program: Program, kernel: Sequence[Event]) -> bool:
    """Whether Linux gave an error of its insides: recvmmsg keeps the 512 of an interrupted wait for the next call."""
    return any(event.value < 0 and event.error == INNER_ERROR for event in kernel)


def wakes_a_reader_by_a_part(program: Program, kernel: Sequence[Event]) -> bool:
    """Whether MSG_MORE is used while a call waits: the kernel holds the part back, the library does not.

    A call waits when a step begins if it was told as blocked, and no step before returned after it went on.
    """
    for number in (n for n, step in enumerate(program) if step.call == "more"):
        waiting = {event.step for event in kernel if event.kind == Kind.BLOCKED and event.step < number}
        for place, event in enumerate(kernel):
            if event.kind in {Kind.LATER, Kind.CUT}:
                follows = (one for one in kernel[place + 1 :] if one.kind == Kind.RETURNED)
                waiting -= {event.step} if any(one.step < number for one in follows) else set()
        if waiting:
            return True
    return False


_UNIX = CHOICES["family"]["unix"]
_ENDING = frozenset({"kill", "close", "dup2", "exit", "exec", "spawn"})


def leaves_unix_rings_for_the_kernel(program: Program, kernel: Sequence[Event]) -> bool:
    """Whether a Unix connection is moved and then ends, or watched by edges.

    Known differences: the kernel's connection cannot tell a reset behind bytes that lie unread in a ring, nor how many
    bytes it has carried, by which edges that were told are known.
    """
    if not any(step.call == "socket" and step.args[1] == _UNIX for step in program):
        return False
    urgent = MESSAGE_FLAGS["OOB"]
    sent = [n for n, step in enumerate(program) if step.call == "send" and step.args[2] & urgent]
    moves = sorted(sent + [n for n, step in enumerate(program) if step.call in MOVING])
    if not moves:
        return any(step.call == "kill" for step in program) and any(step.call == "epwait" for step in program)
    edges = any(step.call == "epctl" and step.args[3] & EPOLL_FLAGS["ET"] for step in program)
    return edges or any(step.call in _ENDING for step in program[moves[0] + 1 :])


Excuse = Callable[[Program, Sequence[Event]], bool]
EXCUSES: tuple[Excuse, ...] = (
    is_open,
    closes_under_a_waiter,
    forgets_over_a_move,
    loses_an_urgent_byte,
    dies_after_an_urgent_byte,
    wakes_a_reader_by_a_part,
    tells_an_inner_error,
    leaves_unix_rings_for_the_kernel,
)


def told(program: Program, event: Event) -> str:
    """An event in words."""
    step = program[event.step]
    if event.kind not in {Kind.RETURNED, Kind.LATER}:
        return event.kind.name.lower()
    words = [errno.errorcode.get(event.error, str(event.error)) if event.value < 0 else str(event.value)]
    if event.extra and event.value >= 0:
        words.append(_extra(step, event.extra))
    if event.digest:
        words.append(f"bytes {event.first.hex()}.. digest {event.digest & 0xFFFFFFFF:08x}")
    if event.broken_pipes:
        words.append("SIGPIPE" + f" {event.broken_pipes} times" * (event.broken_pipes > 1))
    return ("later " if event.kind == Kind.LATER else "") + ", ".join(words)


def _extra(step: Step, extra: tuple[int, ...]) -> str:
    if step.call == "poll":
        return " ".join(written("poll_flags", events) for events in extra)
    if step.call == "epwait":
        return " ".join(f"s{word >> 16}:{written('epoll_flags', word & 0xFFFF)}" for word in extra)
    if step.call == "getname":
        return f"{socket.AddressFamily(extra[0]).name} port {extra[2] if len(extra) > 2 else 0}"
    return " ".join(map(str, extra))


def report(program: Program, run: Run) -> str:
    """Both runs beside each other; a line that differs begins with `!`."""
    kernel, library = ([(event.step, told(program, event)) for event in canonical(program, events)] for events in run)
    lines = []
    for step, text in enumerate(map(str, program)):
        left = [words for number, words in kernel if number == step]
        right = [words for number, words in library if number == step]
        mark = " " if left == right else "!"
        lines.append(
            f"{mark} {step:3} {text:45} {' ; '.join(left)}" + (f"   sdcore: {' ; '.join(right)}" * (mark == "!"))
        )
    if kernel != library and sorted(kernel) == sorted(library):
        lines.append("! the same results, in another order: a call returned after another step than on the kernel")
    return "\n".join(lines)
