"""A peer that speaks the protocol until its connection is accelerated, and then writes garbage into shared memory.

Usage: python -m tests.faults.hostile client|server PORT SEED SECONDS
       python -m tests.faults.hostile words PORT SEED PID
       python -m tests.faults.hostile hold PORT SEED CONNECTIONS
       python -m tests.faults.hostile liar PORT SEED PID
       python -m tests.faults.hostile deaf PORT SEED MESSAGES

It runs without the library and does all by hand: attaches to the monitor, gets a lease, makes (or takes up) an offer.
From then on it overwrites words of the slab with values that are chosen to hurt: bounds and their neighbours, huge
numbers, flags in every combination, names of doorbells. Nothing stops a peer from writing words that are the other
side's to write, so every word is a target. After each burst it rouses the other side, so that it looks.
"""

from __future__ import annotations

import mmap
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from sdcore.monitor.identity import Address
from sdcore.protocol import layout
from sdcore.protocol.struct_kit import Struct, View
from tests.monitor.fake import Client

ACCEPT_S = 0.3
BURSTS = 12
WRITES = 40
CLIENT, SERVER = 0, 1
BITS: dict[str, int] = {"B": 8, "H": 16, "I": 32, "Q": 64}
VALUES = (1, 2, 4, 8, 15, 0x100, 0x1FF, layout.RING_BYTES, layout.RING_BYTES + 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
Target = tuple[View, str, int | None]


def words_of(view: View, struct: Struct) -> Iterator[Target]:
    """Every scalar of a structure: its view, name, and index if it is one of an array."""
    for field in struct.fields:
        if not field.scalar:
            part = getattr(view, field.name)
            for inner in part if field.count else [part]:
                yield from words_of(inner, field.struct)
        elif field.count:
            yield from ((view, field.name, index) for index in range(min(field.count, 8)))
        else:
            yield view, field.name, None


def connection_words() -> Iterator[str]:
    """The names of the words of a connection."""
    yield from ("offer", "done")
    for direction in (0, 1):
        for line, names in (("p", "tail base flags"), ("c", "head flags")):
            yield from (f"dir.{direction}.{line}.{name}" for name in names.split())
        for line in ("data_wait", "room_wait"):
            yield from (f"dir.{direction}.{line}.{name}" for name in ("armed", "watch", "sleepers.0"))


def word(view: View, path: str) -> Target:
    """The word of a view with this name."""
    place: Any = view
    *steps, last = path.split(".")
    if last.isdigit():
        return (*word(view, ".".join(steps))[:2], int(last))
    for step in steps:
        place = place[int(step)] if step.isdigit() else getattr(place, step)
    return place, last, None


def store(target: Target, value: int) -> None:
    """Write a word, cut to its size."""
    view, name, index = target
    cut = value % 2 ** bits_of(view, name)
    if index is None:
        setattr(view, name, cut)
    else:
        getattr(view, name)[index] = cut


def load(target: Target) -> int:
    """Read a word."""
    view, name, index = target
    held = getattr(view, name)
    return int(held if index is None else held[index])


def bits_of(view: View, name: str) -> int:
    """The size of a word."""
    return BITS[next(f.code for f in view._struct.fields if f.name == name)]


class Attacker:
    """One hostile process: its slab, and a generator of bad ideas."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.control = Client(Path(os.environ["SDCORE_RUNTIME_DIR"]) / "monitor.sock")
        self.control.hello()
        self.slab: View | None = None
        self.memory: mmap.mmap | None = None
        self.accelerated = 0

    def map(self, descriptor: int) -> View:
        """Map a whole slab, rings included."""
        self.memory = mmap.mmap(descriptor, layout.SLAB_BYTES)
        os.close(descriptor)
        self.slab = layout.SLAB.view(self.memory)
        return self.slab

    def value(self, old: int, bits: int) -> int:
        """A value that might hurt."""
        near = self.random.choice((-1, 0, 1, 7, 8, 4096))
        bound = self.random.choice(
            (0, 1, 2, layout.RING_BYTES, 2 * layout.RING_BYTES, layout.SLOTS, 2**15, 2**31, 2**32, 2**63, 2**64, old)
        )
        chosen = self.random.choice((bound + near, self.random.getrandbits(bits), self.random.getrandbits(4)))
        return int(chosen % 2**bits)

    def spoil(self, target: Target) -> None:
        """Overwrite one word."""
        store(target, self.value(load(target), bits_of(*target[:2])))

    def targets(self, slot: int) -> list[Target]:
        """Words to spoil: all of the connection, both sides' announcements, the head, some of the table of ports."""
        assert self.slab is not None
        found = list(words_of(self.slab.slot[slot], layout.SLOT)) * 4
        for side in (CLIENT, SERVER):
            found += list(words_of(self.slab.side[side], layout.SIDE))
            found.append((self.slab.side[side], "ready", slot))
        found += [(self.slab, name, None) for name in ("magic", "version", "heavy_fence", "revoked", "lease_id")]
        found += [(self.slab, "port", self.random.randrange(65536)) for _ in range(4)]
        found += list(words_of(self.slab.slot[self.random.randrange(layout.SLOTS)], layout.SLOT))
        return found

    def rouse(self, slot: int) -> None:
        """Ring every doorbell that the slab names, and some that it does not."""
        assert self.slab is not None
        names = {self.random.getrandbits(32)}
        for side in (CLIENT, SERVER):
            names |= set(self.slab.side[side].doorbell[:4])
        for direction in self.slab.slot[slot].dir:
            names |= set(direction.data_wait.sleepers) | set(direction.room_wait.sleepers)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as bell:
            for name in names - {0}:
                with suppress(OSError):
                    bell.sendto(b"!", b"\0sdcore-%08x" % name)

    def attack(self, slot: int, companion: socket.socket) -> None:
        """Spoil one accelerated connection in bursts."""
        for _ in range(self.random.randrange(1, BURSTS)):
            targets = self.targets(slot)
            for _ in range(self.random.randrange(1, WRITES)):
                self.spoil(self.random.choice(targets))
            self.rouse(slot)
            if self.random.random() < 0.1:
                with suppress(OSError):
                    companion.send(self.random.randbytes(50), socket.MSG_DONTWAIT)
            time.sleep(self.random.choice((0, 0.001, 0.01)))

    def repair(self) -> None:
        """Make the head whole, or no further connection would be accelerated."""
        assert self.slab is not None
        self.slab.magic, self.slab.version, self.slab.revoked = layout.SLAB_MAGIC, layout.LAYOUT_VERSION, 0

    def wait_offer(self, slot: int, state: int) -> bool:
        """Whether an offer reaches a state in time."""
        assert self.slab is not None
        deadline = time.monotonic() + ACCEPT_S
        while self.slab.slot[slot].offer % layout.OFFER_STATES != state:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True


def write_address(view: View, name: tuple[str, int]) -> None:
    """Put an address into a slot."""
    view.ip, view.port, view.family = Address.parse(*name).ip, name[1], socket.AF_INET


def put(attacker: Attacker, slot: int, data: bytes) -> None:
    """Send as an honest client would: the server's echo is on its way when the garbage comes."""
    assert attacker.slab is not None
    assert attacker.memory is not None
    start = layout.SLAB.offsets["front"] + 2 * slot * layout.FRONT_BYTES
    attacker.memory[start : start + len(data)] = data
    attacker.slab.slot[slot].dir[0].p.tail = len(data)


def connect(attacker: Attacker, sock: socket.socket, port: int, slot: int) -> bool:
    """Connect with an offer in a slot that was cleared; whether the server took it up."""
    if attacker.slab is None:
        reply = attacker.control.lease(sock, "127.0.0.1", port)
        assert reply.status == 0, f"no lease: {layout.REASONS[reply.reason]}"
        attacker.map(reply.descriptors[0])
    assert attacker.slab is not None
    attacker.repair()
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, layout.HINT_TTL)
    sock.settimeout(1)
    part = attacker.slab.slot[slot]
    part.offer = layout.OFFER_CLAIMED  # before the SYN leaves, or the server expects no offer
    sock.connect(("127.0.0.1", port))
    for direction in part.dir:
        for target in words_of(direction, layout.DIRECTION):
            store(target, 0)
    write_address(part.local, sock.getsockname())
    write_address(part.peer, sock.getpeername())
    part.done = 0
    part.offer = layout.OFFER_STATES * attacker.random.getrandbits(20) + layout.OFFER_OFFERED
    attacker.slab.port[sock.getsockname()[1]] = slot + 1
    attacker.rouse(slot)
    return attacker.wait_offer(slot, layout.OFFER_ACCEPTED)


def attack_as_client(attacker: Attacker, port: int) -> None:
    """One connection to an honest server."""
    slot = attacker.random.randrange(layout.SLOTS)
    with socket.socket() as sock:
        if connect(attacker, sock, port, slot):
            attacker.accelerated += 1
            put(attacker, slot, attacker.random.randbytes(5000))
        attacker.attack(slot, sock)


def attack_word_by_word(attacker: Attacker, port: int, server: int) -> None:
    """Each word of a connection alone, each value that might hurt; a server with a thread for each connection.

    The connection is closed at once, so the thread has to end. The words that are printed are those where it did not.
    """
    threads = thread_count(server)
    for data in (b"", b"x" * 100):
        for name in connection_words():
            for value in VALUES:
                slot = attacker.accelerated % layout.SLOTS
                with socket.socket() as sock:
                    attacker.accelerated += connect(attacker, sock, port, slot)
                    assert attacker.slab is not None
                    if data:
                        put(attacker, slot, data)
                        attacker.rouse(slot)
                        time.sleep(0.003)
                    store(word(attacker.slab.slot[slot], name), value)
                    attacker.rouse(slot)
                    time.sleep(0.002)
                if not ends(server, threads):
                    print(f"stuck: {name} = {value:#x} with {len(data)} bytes sent", flush=True)
                    threads = thread_count(server)
                    break  # one value is enough: what is stuck may take the time that others need


def hold_back(attacker: Attacker, port: int, connections: int) -> None:
    """Ask the server to move, say that bytes are still being forwarded, and end: it must not wait for them to close."""
    with ExitStack() as stack:
        for slot in range(connections):
            sock = stack.enter_context(socket.socket())
            attacker.accelerated += connect(attacker, sock, port, slot)
            assert attacker.slab is not None
            outward, inward = attacker.slab.slot[slot].dir
            inward.c.flags = layout.RX_FORWARDING
            inward.data_wait.armed |= layout.ARM_MOVE
            outward.p.flags = layout.TX_FIN
            attacker.rouse(slot)
            time.sleep(0.02)
        time.sleep(1)


def lie(attacker: Attacker, port: int, server: int) -> None:
    """Name each descriptor of the server as our end of the companion, so that its bytes go astray."""
    for slot, number in enumerate(sorted(int(path.name) for path in Path(f"/proc/{server}/fd").iterdir())):
        with socket.socket() as sock:
            if not connect(attacker, sock, port, slot):
                continue
            assert attacker.slab is not None
            attacker.accelerated += 1
            producer = attacker.slab.slot[slot].dir[0].p
            producer.pid, producer.fd = server, number
            put(attacker, slot, b"astray")
            attacker.rouse(slot)
            time.sleep(0.05)


def sleep_deaf(attacker: Attacker, port: int, messages: int) -> None:
    """Say for each answer that every bell there may be is to be rung: bells of ours, which nobody ever reads."""
    with ExitStack() as stack:
        names = [attacker.random.getrandbits(32) | 1 for _ in range(layout.DOORBELLS)]
        for name in names:
            bell = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            bell.bind(b"\0sdcore-%08x" % name)
        sock = stack.enter_context(socket.socket())
        attacker.accelerated += connect(attacker, sock, port, 0)
        assert attacker.slab is not None
        outward, inward = attacker.slab.slot[0].dir
        side = attacker.slab.side[CLIENT]
        for place, name in enumerate(names):
            side.doorbell[place] = name
        for number in range(1, messages + 1):
            for line in (inward.data_wait, outward.room_wait):
                for place in range(len(line.sleepers)):
                    line.sleepers[place] = names[place]
                line.watch, line.armed = 2**64 - 1, layout.ARM_WATCHED | layout.ARM_SLEEPER
            side.claimed = side.asleep = 2**64 - 1
            outward.p.tail = number
            attacker.slab.side[SERVER].ready[0] = 1
            attacker.rouse(0)
            deadline = time.monotonic() + ACCEPT_S
            while inward.p.tail < number and time.monotonic() < deadline:
                inward.c.head = inward.p.tail
                time.sleep(0)
        print(f"answered {inward.p.tail}", flush=True)


def thread_count(pid: int) -> int:
    """How many threads a process has."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Threads:")))


def ends(pid: int, threads: int) -> bool:
    """Whether the number of threads comes back in time."""
    deadline = time.monotonic() + ACCEPT_S
    while thread_count(pid) > threads:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def attack_as_server(attacker: Attacker, listener: socket.socket) -> None:
    """One connection of an honest client."""
    with suppress(TimeoutError), listener.accept()[0] as sock:
        port = 0
        with suppress(OSError):  # a client that has gone has no name any more
            port = sock.getpeername()[1]
        if attacker.slab is None:
            reply = attacker.control.leases_of(listener)
            assert reply.descriptors, "no lease"
            attacker.map(reply.descriptors[0])
        assert attacker.slab is not None
        attacker.repair()
        deadline = time.monotonic() + ACCEPT_S
        while not (entry := attacker.slab.port[port]) and time.monotonic() < deadline:
            time.sleep(0.001)
        slot = (entry - 1) % layout.SLOTS
        part = attacker.slab.slot[slot]
        if part.offer % layout.OFFER_STATES == layout.OFFER_OFFERED:
            part.offer += layout.OFFER_ACCEPTED - layout.OFFER_OFFERED
            attacker.slab.port[port] = layout.PORT_EMPTY
            attacker.accelerated += 1
            attacker.rouse(slot)
        attacker.attack(slot, sock)


BY_HAND = {"words": attack_word_by_word, "hold": hold_back, "liar": lie, "deaf": sleep_deaf}


def main() -> None:
    """Attack until the time is up; print how many connections were accelerated before they were spoilt."""
    role, port, seed, seconds = sys.argv[1:]
    attacker = Attacker(int(seed))
    if role in BY_HAND:
        BY_HAND[role](attacker, int(port), int(seconds))
        print(f"accelerated {attacker.accelerated}", flush=True)
        return
    end = time.monotonic() + float(seconds)
    if role == "client":
        while time.monotonic() < end:
            with suppress(OSError):
                attack_as_client(attacker, int(port))
    else:
        with socket.create_server(("127.0.0.1", int(port))) as listener:
            listener.settimeout(0.2)
            attacker.control.listen(listener)
            print("listening", flush=True)
            while time.monotonic() < end:
                attack_as_server(attacker, listener)
    print(f"accelerated {attacker.accelerated}", flush=True)


if __name__ == "__main__":
    main()
