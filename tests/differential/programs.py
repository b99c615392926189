"""Hypothesis draws programs that mostly mean something.

Calls drawn blindly fail with EBADF and find nothing. So a `Scene` remembers roughly what a program has made so far:
which slots are connections, how many bytes lie unread, who is blocked. It guesses, and a wrong guess does no harm: both
runs then do the same nonsense. Two things it must get right, for Linux leaves them open:

- never more than UNREAD_MAX bytes unread in one direction, save by `fill` and loose steps, so that the kernel's buffers
  hold them surely and what a receiver gets does not depend on their tuning;
- no bytes held back by MSG_MORE while others look, nor sent so to an end that is gone.

A *tame* program keeps to what shared memory carries: not one of its bytes may go by TCP. A wild one may do anything.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from tests.differential.calls import (
    ACTORS,
    CHOICES,
    EPOLL_FLAGS,
    MESSAGE_FLAGS,
    NAMES,
    NO_SLOT,
    OPTIONS,
    POLL_FLAGS,
    SOCKET_FLAGS,
    STEPS_MAX,
    Program,
)
from tests.differential.scene import UNREAD_MAX, Draw, Scene, Thing, other

MOVES_MAX = 24
RING = 2 << 20  # bytes of a ring, as in sdcore/protocol/layout.py
SMALL = (0, 1, 2, 3, 7, 64, 100, 1000, 1448, 4095, 4096, 4097, 16_000)
LARGE = (65_483, 100_000, RING - 4096, RING - 1, RING, RING + 1, 2 * RING + 3)
PIECES = (1 << 20, 65_536, 10_007, RING)

DONTWAIT, NOSIGNAL, OOB = (MESSAGE_FLAGS[name] for name in ("DONTWAIT", "NOSIGNAL", "OOB"))
PEEK, WAITALL, TRUNC = (MESSAGE_FLAGS[name] for name in ("PEEK", "WAITALL", "TRUNC"))
BOTH_WAYS = 3
WITHOUT_FLAGS = {"write", "writev", "read", "readv"}


# --- connections ---


def open_listener(scene: Scene, actor: int) -> tuple[int, int]:
    """Listen at a new name; the slot and the name."""
    family = scene.one_of(CHOICES["family"].values())
    slot = scene.new_slot(actor, Thing("listener", family=family))
    name = len(scene.names)
    scene.names.append(family)
    scene.add(actor, "socket", slot, family, scene.one_of([0, *SOCKET_FLAGS.values()]) if scene.chance(10) else 0)
    if scene.chance(20):
        set_some_option(scene, actor, slot)
    scene.add(actor, "bind", slot, name)
    scene.add(actor, "listen", slot, scene.one_of([5, 0, 1, 128]))
    return slot, name


def connect_pair(scene: Scene) -> None:
    """A listener, old or new, and a connection to it, accepted."""
    idle = scene.idle()
    if not idle or scene.pairs > 5:
        return
    server = scene.one_of(idle)
    listeners = [slot for slot, thing in scene.slots[scene.process_of[server]].items() if thing.kind == "listener"]
    if (listeners and scene.chance(50)) or len(scene.names) >= NAMES:
        return
    slot, name = open_listener(scene, server)
    client = scene.one_of(scene.idle())
    connect_to(scene, client, name)
    accept_from(scene, server, slot)


def connect_to(scene: Scene, client: int, name: int) -> None:
    """A client's half of a connection."""
    flags = scene.one_of(SOCKET_FLAGS.values()) if scene.chance(25) else 0
    thing = Thing("stream", (scene.pairs, 0), scene.names[name], bool(flags & SOCKET_FLAGS["NONBLOCK"]))
    slot = scene.new_slot(client, thing)
    scene.add(client, "socket", slot, scene.names[name], flags)
    if scene.chance(15):
        set_some_option(scene, client, slot)
    scene.add(client, "connect", slot, name)
    scene.pairs += 1


def accept_from(scene: Scene, server: int, listener: int) -> None:
    """A server's half of the newest connection."""
    flags = scene.one_of(SOCKET_FLAGS.values()) if scene.chance(25) else 0
    thing = Thing("stream", (scene.pairs - 1, 1), nonblock=bool(flags & SOCKET_FLAGS["NONBLOCK"]))
    scene.add(server, "accept", listener, scene.new_slot(server, thing), flags)


def connect_again(scene: Scene) -> None:
    """One more connection to a name, accepted perhaps."""
    found = scene.pick("listener")
    if found is None or not scene.names or scene.pairs > 5:
        return
    server, slot, _ = found
    connect_to(scene, scene.one_of(scene.idle()), scene.one_of(range(len(scene.names))))
    if scene.chance(70):
        accept_from(scene, server, slot)


def lonely_socket(scene: Scene) -> None:
    """A socket that is not connected, for calls that must fail."""
    if scene.idle():
        actor = scene.one_of(scene.idle())
        family = scene.one_of(CHOICES["family"].values())
        scene.add(actor, "socket", scene.new_slot(actor, Thing("fresh", family=family)), family, 0)


# --- bytes ---


def send_some(scene: Scene) -> None:
    """One send, of a size that surely fits."""
    found = scene.pick("stream", "stream", "fresh")
    if found is None:
        return
    actor, slot, thing = found
    size = scene.one_of(SMALL)
    target = other(thing.end)
    if (scene.wild and target in scene.deaf) or not scene.fits(target, size):
        return
    sender = scene.one_of(CHOICES["sender"])
    flags = draw_flags(scene, (NOSIGNAL, DONTWAIT, OOB) if scene.wild else (NOSIGNAL, DONTWAIT))
    if sender in WITHOUT_FLAGS:
        flags = 0
    if sender == "sendmmsg" and scene.is_awaited(target):
        return  # who waits for data may wake after either message
    if thing.end[0] not in scene.ended and not scene.is_awaited(target) and scene.chance(8):
        scene.add(actor, "more", slot, size)
    else:
        scene.add(actor, "send", slot, size, flags, CHOICES["sender"][sender])
    scene.unread[target] = scene.unread.get(target, 0) + size + 1
    scene.wake(target)


def recv_some(scene: Scene) -> None:
    """One receive, blocking perhaps."""
    found = scene.pick("stream", "stream", "fresh")
    if found is None:
        return
    actor, slot, thing = found
    size = scene.one_of(SMALL)
    receiver = scene.one_of(CHOICES["receiver"])
    flags = draw_flags(scene, (DONTWAIT, PEEK, WAITALL, TRUNC, OOB) if scene.wild else (DONTWAIT, PEEK, WAITALL, TRUNC))
    if receiver in WITHOUT_FLAGS:
        flags = 0
    unread = scene.unread.get(thing.end, 0)
    if not flags & DONTWAIT and not thing.nonblock and (not unread or (flags & WAITALL and unread < size)):
        if not size or scene.chance(60):  # Linux wakes a receive of no bytes at whatever happens, when it happens
            flags |= DONTWAIT
            receiver = "recv" if receiver in WITHOUT_FLAGS else receiver
        else:
            scene.waits[actor] = slot
    scene.add(actor, "recv", slot, size, flags, CHOICES["receiver"][receiver])
    if not flags & PEEK:
        scene.unread[thing.end] = max(0, unread - size)


def draw_flags(scene: Scene, choices: tuple[int, ...]) -> int:
    """Mostly one flag or none, at times two."""
    flags = scene.one_of((0, *choices)) if scene.chance(50) else 0
    return int(flags | (scene.one_of(choices) if scene.chance(15) else 0))


def ends_of(scene: Scene) -> list[tuple[int, int, int, int]]:
    """Two idle actors that hold the two ends of a connection, with their slots."""
    streams = scene.things("stream")
    return [
        (a, s, b, t)
        for a, s in streams
        for b, t in streams
        if a != b and scene.thing(a, s).end == other(scene.thing(b, t).end)
    ]


def transfer(scene: Scene) -> None:
    """A large amount, sent and received at the same time."""
    found = ends_of(scene)
    if not found:
        return
    a, s, b, t = scene.one_of(found)
    size = scene.one_of(LARGE)
    unread = scene.unread.get(scene.thing(b, t).end, 0)
    if unread:
        scene.add(b, "recv", t, UNREAD_MAX * 2, DONTWAIT, 0)
    scene.add(a, "sendall", s, size, scene.one_of(PIECES), loose=True)
    timed = any(step.call == "setopt" and step.args[1] == CHOICES["option"]["RCVTIMEO"] for step in scene.steps)
    if scene.chance(30) and not timed and not scene.thing(b, t).nonblock:
        scene.add(b, "recv", t, size, WAITALL, 0, loose=True)
    else:
        scene.add(b, "recvall", t, size, scene.one_of(PIECES), loose=True)
    scene.add(b, "join")
    scene.add(a, "join")
    scene.unread[scene.thing(b, t).end] = 0


def fill_and_drain(scene: Scene) -> None:
    """Send until nothing more goes, look around, and receive it all."""
    found = ends_of(scene)
    if not found:
        return
    a, s, b, t = scene.one_of(found)
    scene.add(b, "recv", t, UNREAD_MAX * 2, DONTWAIT, 0)
    scene.add(a, "fill", s, 0)
    scene.add(a, "poll", s, POLL_FLAGS["OUT"] | POLL_FLAGS["IN"], NO_SLOT, 0, 0, 0)
    if scene.chance(50):
        scene.add(a, "send", s, 1, DONTWAIT, 0)
    scene.add(b, "drain", t, 0)
    scene.add(a, "poll", s, POLL_FLAGS["OUT"] | POLL_FLAGS["IN"], NO_SLOT, 0, 0, 0)


def send_file(scene: Scene) -> None:
    """Bytes of a file."""
    found = scene.pick("stream")
    if found is None:
        return
    actor, slot, thing = found
    size = scene.one_of(SMALL)
    if scene.fits(other(thing.end), size):
        scene.add(actor, "sendfile", slot, size)
        scene.unread[other(thing.end)] = scene.unread.get(other(thing.end), 0) + size
        scene.wake(other(thing.end))


def splice_some(scene: Scene) -> None:
    """Bytes of a pipe into a socket; those of a socket into a pipe, if there are any."""
    found = scene.pick("stream")
    if found is None:
        return
    actor, slot, thing = found
    size, target = scene.one_of(SMALL[1:]), other(thing.end)
    if scene.chance(50) and scene.fits(target, size) and target not in scene.deaf and not scene.is_awaited(target):
        scene.add(actor, "splice", slot, size, CHOICES["splicer"]["into"])
        scene.unread[target] = scene.unread.get(target, 0) + size
    elif scene.unread.get(thing.end, 0) >= size:
        scene.add(actor, "splice", slot, size, CHOICES["splicer"]["out"])
        scene.unread[thing.end] -= size


def signal_driven(scene: Scene) -> None:
    """O_ASYNC on and off."""
    found = scene.pick("stream", "stream", "listener", "fresh")
    if found is not None:
        scene.add(found[0], "async", found[1], scene.one_of((1, 1, 0)))


def shut_down(scene: Scene) -> None:
    """shutdown in all forms."""
    found = scene.pick("stream", "stream", "stream", "fresh", "listener")
    if found is None:
        return
    actor, slot, thing = found
    how = scene.one_of((1, 0, 2))
    scene.add(actor, "shutdown", slot, how)
    scene.shut[thing.end] = scene.shut.get(thing.end, 0) | (how + 1)
    if scene.shut[thing.end] == BOTH_WAYS:
        scene.deaf.add(thing.end)
    scene.ended.add(thing.end[0])
    scene.wake(thing.end)
    scene.wake(other(thing.end))


# --- descriptors ---


def close_one(scene: Scene) -> None:
    """close, or a second close."""
    found = scene.pick("stream", "stream", "listener", "fresh", "epoll")
    if found is None:
        return
    actor, slot, thing = found
    if scene.waited_for(actor, slot):
        return
    scene.add(actor, "close", slot)
    scene.ended.add(thing.end[0])
    if not scene.chance(10):
        del scene.slots[scene.process_of[actor]][slot]
    scene.wake(other(thing.end))


def duplicate(scene: Scene) -> None:
    """dup, F_DUPFD, dup2, dup3."""
    found = scene.pick("stream", "stream", "listener", "epoll", "fresh")
    if found is None:
        return
    actor, slot, thing = found
    if scene.chance(60):
        new = scene.new_slot(actor, thing)
        scene.add(actor, "dup", slot, new, scene.one_of(CHOICES["duper"].values()))
        return
    target = scene.one_of(list(scene.slots[scene.process_of[actor]]))
    if scene.waited_for(actor, target):
        return
    scene.add(actor, "dup2", slot, target, scene.one_of(CHOICES["duper2"].values()))
    scene.ended.add(scene.thing(actor, target).end[0])
    scene.wake(other(scene.thing(actor, target).end))
    scene.slots[scene.process_of[actor]][target] = thing


def pass_on(scene: Scene) -> None:
    """A descriptor from one process to another."""
    found = scene.pick("stream", "listener")
    if found is None:
        return
    actor, slot, thing = found
    scene.add(actor, "post", slot)
    if scene.chance(30):
        scene.add(actor, "close", slot)
        del scene.slots[scene.process_of[actor]][slot]
    receiver = scene.one_of(scene.idle())
    scene.add(receiver, "fetch", scene.new_slot(receiver, thing))


# --- settings and questions ---

_TAME_OPTIONS = ("LINGER", "RCVTIMEO", "SNDTIMEO", "NODELAY", "KEEPALIVE", "ERROR", "RCVBUF", "SNDBUF", "USER_TIMEOUT")
_VALUES = {
    "LINGER": (0, -1, 5),
    "RCVTIMEO": (10, 0),
    "SNDTIMEO": (10, 0),
    "RCVLOWAT": (1, 0, 2, 100, 5000),
    "RCVBUF": (300_000, 1 << 20),
    "SNDBUF": (300_000, 1 << 20),
}


def set_some_option(scene: Scene, actor: int, slot: int) -> None:
    """setsockopt with a value that makes sense, or nearly so."""
    option = scene.one_of(OPTIONS if scene.wild else _TAME_OPTIONS)
    scene.add(actor, "setopt", slot, CHOICES["option"][option], scene.one_of(_VALUES.get(option, (1, 0))))


def set_option(scene: Scene) -> None:
    """setsockopt on anything."""
    found = scene.pick("stream", "stream", "listener", "fresh")
    if found is not None:
        set_some_option(scene, found[0], found[1])


def ask(scene: Scene) -> None:
    """A question that changes nothing, save SO_ERROR."""
    found = scene.pick("stream", "stream", "listener", "fresh")
    if found is None:
        return
    actor, slot, _ = found
    match scene.one_of(("queued", "error", "getopt", "getname", "getfl")):
        case "queued":
            scene.add(actor, "queued", slot, scene.one_of(CHOICES["queue"].values()))
        case "error":
            scene.add(actor, "getopt", slot, CHOICES["option"]["ERROR"])
        case "getopt":
            scene.add(actor, "getopt", slot, scene.one_of(CHOICES["option"].values()))
        case "getname":
            scene.add(actor, "getname", slot, scene.one_of(CHOICES["end"].values()))
        case _:
            scene.add(actor, "getfl", slot)


def block_or_not(scene: Scene) -> None:
    """O_NONBLOCK on and off."""
    found = scene.pick("stream", "listener", "fresh")
    if found is None:
        return
    actor, slot, thing = found
    thing.nonblock = scene.chance(60)
    scene.add(actor, "nonblock", slot, thing.nonblock, scene.one_of(CHOICES["setter"].values()))


# --- waiting ---

_POLL_SETS = tuple(
    sum(POLL_FLAGS[name] for name in names)
    for names in (("IN",), ("IN", "OUT"), ("OUT",), ("IN", "RDHUP"), ("PRI",), (), ("IN", "OUT", "PRI", "RDHUP"))
)
_EPOLL_SETS = tuple(
    sum(EPOLL_FLAGS[name] for name in names)
    for names in (
        ("IN",),
        ("IN", "OUT"),
        ("IN", "ET"),
        ("IN", "OUT", "ET"),
        ("IN", "RDHUP", "ET"),
        ("IN", "ONESHOT"),
        ("IN", "OUT", "RDHUP"),
        ("OUT", "ET", "ONESHOT"),
        ("IN", "EXCLUSIVE"),
        ("RDHUP",),
        ("PRI",),
        (),
    )
)


def poll_some(scene: Scene) -> None:
    """poll, ppoll or select of two descriptors."""
    found = scene.pick("stream", "stream", "listener", "fresh", "epoll")
    if found is None:
        return
    actor, slot, _ = found
    second = scene.one_of([NO_SLOT, *scene.slots[scene.process_of[actor]]])
    timeout = scene.one_of((0, 0, 0, 10, -1))
    scene.add(
        actor,
        "poll",
        slot,
        scene.one_of(_POLL_SETS),
        second,
        scene.one_of(_POLL_SETS),
        timeout,
        scene.one_of(CHOICES["poller"].values()),
    )


def new_epoll(scene: Scene) -> None:
    """An epoll set that watches something."""
    found = scene.pick("stream", "stream", "listener")
    if found is None:
        return
    actor, slot, _ = found
    epoll = scene.new_slot(actor, Thing("epoll"))
    scene.add(actor, "epoll", epoll)
    scene.add(actor, "epctl", epoll, CHOICES["control"]["add"], slot, scene.one_of(_EPOLL_SETS))
    scene.add(actor, "epwait", epoll, 6, 0, 0)


def control_epoll(scene: Scene) -> None:
    """Add, change, remove."""
    found = scene.pick("epoll")
    if found is None:
        return
    actor, epoll, _ = found
    target = scene.one_of(list(scene.slots[scene.process_of[actor]]))
    control = scene.one_of((3, 1, 2))
    scene.add(actor, "epctl", epoll, control, target, scene.one_of(_EPOLL_SETS))


def nest_epoll(scene: Scene) -> None:
    """A set in a set."""
    found = scene.pick("epoll")
    if found is None:
        return
    actor, inner, _ = found
    outer = scene.new_slot(actor, Thing("epoll"))
    scene.add(actor, "epoll", outer)
    scene.add(actor, "epctl", outer, CHOICES["control"]["add"], inner, EPOLL_FLAGS["IN"])
    scene.add(actor, "epwait", outer, 6, 0, 0)


def wait_epoll(scene: Scene) -> None:
    """epoll_wait in all its names."""
    found = scene.pick("epoll")
    if found is None:
        return
    actor, slot, _ = found
    scene.add(actor, "epwait", slot, 6, scene.one_of((0, 0, 0, 0, 10, -1)), scene.one_of(CHOICES["waiter"].values()))


# --- processes and threads ---


def new_actor(scene: Scene) -> None:
    """A forked process, or a thread."""
    idle = scene.idle()
    if not idle or scene.actors == ACTORS:
        return
    parent, child = scene.one_of(idle), scene.actors
    scene.actors += 1
    if scene.chance(50):
        scene.add(parent, "thread", child)
        scene.process_of[child] = scene.process_of[parent]
    else:
        scene.add(parent, "fork", child, scene.one_of(CHOICES["forker"].values()))
        scene.process_of[child] = child
        scene.slots[child] = dict(scene.slots[scene.process_of[parent]])


def spawn(scene: Scene) -> None:
    """posix_spawn of something that ends."""
    if scene.idle() and scene.chance(30):
        scene.add(scene.one_of(scene.idle()), "spawn")


def unload(scene: Scene) -> None:
    """`sdcore drain`, once: it holds for the rest of the program."""
    if scene.chance(10) and not any(step.call == "unload" for step in scene.steps):
        scene.add(scene.one_of(list(scene.process_of)), "unload")


def end_process(scene: Scene) -> None:
    """kill -9, or exit."""
    if len(set(scene.process_of.values())) < 3:
        return
    victim = scene.one_of(scene.process_of)
    if scene.chance(50) or victim in scene.waits:
        scene.add(victim, "kill")
    else:
        scene.add(victim, "exit", 0)
    process = scene.process_of[victim]
    for thing in scene.slots[process].values():
        scene.ended.add(thing.end[0])
        scene.wake(other(thing.end))
    for actor in [actor for actor, home in scene.process_of.items() if home == process]:
        del scene.process_of[actor]
        scene.waits.pop(actor, None)


def interrupt(scene: Scene) -> None:
    """A signal to somebody who waits, or to anybody."""
    actor = scene.one_of(list(scene.waits) or list(scene.process_of))
    scene.add(actor, "signal", scene.restarts)
    if not scene.restarts:
        scene.waits.pop(actor, None)


def new_image(scene: Scene) -> None:
    """exec: sockets stay but for close-on-exec, threads do not."""
    idle = scene.idle()
    if not idle:
        return
    actor = scene.one_of(idle)
    scene.add(actor, "exec", scene.one_of(CHOICES["image"].values()))
    process = scene.process_of[actor]
    for lost in [one for one, home in scene.process_of.items() if home == process and one != actor]:
        del scene.process_of[lost]
        scene.waits.pop(lost, None)


Move = Callable[[Scene], None]
TAME_MOVES: dict[Move, int] = {
    send_some: 16,
    recv_some: 16,
    connect_pair: 3,
    connect_again: 3,
    poll_some: 6,
    wait_epoll: 7,
    control_epoll: 4,
    new_epoll: 4,
    shut_down: 4,
    close_one: 5,
    ask: 6,
    set_option: 3,
    duplicate: 4,
    block_or_not: 2,
    new_actor: 4,
    interrupt: 1,
    end_process: 2,
    transfer: 2,
    fill_and_drain: 1,
    lonely_socket: 1,
    nest_epoll: 1,
}
WILD_MOVES: dict[Move, int] = {
    **TAME_MOVES,
    pass_on: 4,
    new_image: 3,
    send_file: 2,
    splice_some: 2,
    signal_driven: 1,
    spawn: 1,
    unload: 1,
}


def look_at_the_end(scene: Scene) -> None:
    """What is left in each connection, by one idle actor of each process."""
    for actor in scene.idle():
        if scene.process_of[actor] != actor:
            continue
        for slot, thing in list(scene.slots[actor].items()):
            if thing.kind == "stream" and len(scene.steps) < STEPS_MAX - 4:
                scene.add(actor, "queued", slot, CHOICES["queue"]["unread"])
                scene.add(actor, "recv", slot, UNREAD_MAX * 2, DONTWAIT, 0)
                scene.add(actor, "poll", slot, _POLL_SETS[-1], NO_SLOT, 0, 0, 0)


def _weighted(moves: dict[Move, int]) -> list[Move]:
    return [move for move, weight in moves.items() for _ in range(weight)]


@st.composite
def programs(draw: Draw, wild: bool) -> Program:
    """A program: at least one connection, then whatever comes."""
    scene = Scene(draw, wild, restarts=draw(st.booleans()))
    moves = _weighted(WILD_MOVES if wild else TAME_MOVES)
    connect_pair(scene)
    for _ in range(draw(st.integers(1, MOVES_MAX))):
        if len(scene.steps) > STEPS_MAX - 30:
            break
        scene.one_of(moves)(scene)
    look_at_the_end(scene)
    return tuple(scene.steps[:STEPS_MAX])
