"""A connection whose other end is held here, without the library: what its owner does when it gets rings, or not."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sdcore.monitor.identity import Address
from sdcore.protocol import layout, messages
from sdcore.protocol.struct_kit import View
from tests.monitor.fake import Client, Reply, map_slab
from tests.support.host import Host
from tests.support.processes import kill, wait_until

PROGRAM = str(Path(__file__).with_name("heir.py"))
ANSWER_S = 5.0
RECORD = 5
CALLS = 5
"""After so many it has asked for the first time."""
OURS, ITS = 0, 1
"""Sides of the slab: who asks first has 0."""


class Heir:
    """The other program, and our end of its connection.

    Attributes:
        slab: once both have met.
    """

    def __init__(self, host: Host, ends: int, error: bool) -> None:
        """`ends`: descriptors of one connection that it inherits, standard `error`, too. Ours stays open, unseen."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.ours = socket.create_connection(listener.getsockname())
            self.unseen, _ = listener.accept()
        self.ours.settimeout(ANSWER_S)
        self.client = Client(host.directory / "monitor.sock")
        self.client.hello()
        self.slab: View | None = None
        passed = [os.dup(self.unseen.fileno()) for _ in range(ends)]
        self.process = subprocess.Popen(
            [sys.executable, "-u", PROGRAM, *map(str, passed)],
            env=host.environment(shim=True),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.unseen if error else None,
            pass_fds=passed,
            start_new_session=True,
        )
        for descriptor in passed:
            os.close(descriptor)
        assert self.answer() == "ready"

    def close(self) -> None:
        """End it."""
        kill(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        with self.client, self.ours, self.unseen:
            pass

    def begin(self, line: str) -> None:
        """Tell it something."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """What it says."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWER_S)
        assert ready, "it says nothing"
        return self.process.stdout.readline().decode().strip()

    def do(self, line: str) -> str:
        """Tell it something, and wait for the answer."""
        self.begin(line)
        return self.answer()

    def take(self, count: int) -> None:
        """Have it receive so many bytes, one a call."""
        for _ in range(count):
            self.ours.send(b".")
            assert self.do("ends[0].recv(1)") == "b'.'"

    def show(self) -> None:
        """Write our record."""
        record = self.client.record(RECORD)
        record.pid, record.state = os.getpid(), layout.SOCK_STATES.index("established")
        for place, (host, port) in ((record.local, self.ours.getsockname()), (record.peer, self.ours.getpeername())):
            place.ip, place.port = Address.parse(host, port).ip, port
        record.refs = 1

    def ask(self) -> Reply:
        """Ask for our end."""
        body = messages.JOIN.pack(index=RECORD)
        return self.client.ask(messages.MSG_JOIN, body, [self.ours.fileno()])

    def invite(self) -> None:
        """It has asked in vain, so that the monitor knows it; now we ask, and its next call is to answer."""
        self.take(CALLS)
        self.show()
        assert self.ask().descriptors == ()

    def meet(self) -> None:
        """Until it has rings, and we have the slab."""
        self.invite()
        self.take(1)
        self.slab = map_slab(self.ask())
        assert self.flags() & layout.RX_AWAY

    def stays_apart(self) -> bool:
        """Whether it does not come though it is invited."""
        self.invite()
        self.take(1)
        return self.ask().descriptors == ()

    def flags(self) -> int:
        """What it says as the consumer of what we send."""
        assert self.slab is not None
        return int(self.slab.slot[0].dir[OURS].c.flags)

    def put(self, data: bytes) -> None:
        """Into its ring."""
        assert self.slab is not None
        line = self.slab.slot[0].dir[OURS].p
        tail = int(line.tail)
        for place, byte in enumerate(data, tail):
            self.slab.front[place] = byte
        line.tail = tail + len(data)

    def send(self, data: bytes) -> None:
        """By TCP, and wait until it is there."""
        self.ours.sendall(data)
        probe = self.unseen
        wait_until(lambda: data in probe.recv(100_000, socket.MSG_PEEK | socket.MSG_DONTWAIT), "it is there")


@pytest.fixture
def heir(request: pytest.FixtureRequest, own_host: Host) -> Iterator[Heir]:
    """A program with one descriptor of a connection, or others, as the test says."""
    own_host.start_monitor()
    with ExitStack() as stack:
        it = Heir(own_host, *getattr(request, "param", (1, False)))
        stack.callback(it.close)
        yield it


def test_what_came_by_tcp_is_read_before_what_is_in_the_ring(heir: Heir) -> None:
    heir.meet()
    heir.send(b"first")
    heir.put(b"then")
    assert heir.do("ends[0].recv(100)") == "b'first'"
    assert heir.do("ends[0].recv(100)") == "b'then'"


def test_empty_buffers_before_the_first_do_not_hide_what_came_by_tcp(heir: Heir) -> None:
    heir.meet()
    heir.send(b"first")
    heir.put(b"then")
    heir.do("setattr(sys, 'room', bytearray(5))")
    assert heir.do("ends[0].recvmsg_into([bytearray(0)] * 100 + [sys.room])[0]") == "5"
    assert heir.do("sys.room") == "bytearray(b'first')"


def test_what_is_behind_the_mark_of_an_urgent_byte_is_read_before_what_is_in_the_ring(heir: Heir) -> None:
    heir.invite()
    heir.ours.send(b"!", socket.MSG_OOB)
    heir.send(b"first")
    assert heir.do("ends[0].recv(1, socket.MSG_OOB)") == "b'!'"
    heir.slab = map_slab(heir.ask())
    heir.put(b"then")
    assert heir.do("ends[0].recv(100)") == "b'first'"
    assert heir.do("ends[0].recv(100)") == "b'then'"


def test_a_slab_that_only_one_end_took_goes_when_that_one_is_done(heir: Heir, own_host: Host) -> None:
    heir.invite()
    heir.take(1)
    assert own_host.status()["leases"] == 1
    heir.do("ends[0].close()")
    wait_until(lambda: own_host.status()["leases"] == 0, "the slab is dropped")
    assert heir.process.poll() is None


@pytest.mark.parametrize("heir", [(2, False), (1, True)], ids=["two", "error"], indirect=True)
def test_an_end_of_which_two_descriptors_were_inherited_stays_outside(heir: Heir) -> None:
    assert heir.stays_apart()


def test_a_program_whose_handlers_may_interrupt_themselves_stays_outside(heir: Heir) -> None:
    heir.do("libc.sysv_signal(signal.SIGUSR1, libc.getpid) and 0")
    assert heir.stays_apart()


def test_a_mode_that_another_holder_set_is_kept(heir: Heir) -> None:
    heir.invite()
    heir.unseen.setblocking(False)
    heir.take(1)
    heir.slab = map_slab(heir.ask())
    assert heir.do("ends[0].recv(1)").startswith("BlockingIOError")


def test_an_exec_that_closes_the_end_leaves_it_to_whom_nobody_sees(heir: Heir) -> None:
    heir.meet()
    heir.send(b"first")
    heir.do("ends[0].set_inheritable(False)")
    heir.begin(f"os.execv({sys.executable!r}, [{sys.executable!r}, '-c', 'import time; time.sleep(100)'])")
    wait_until(lambda: bool(heir.flags() & layout.RX_ABANDONED), "it leaves")
    assert heir.unseen.recv(100) == b"first"


FORKS = """
def forks(_):
    if libc.fork() == 0:
        room = ctypes.create_string_buffer(10)
        count = libc.recv(ends[0].fileno(), room, 10, 0)
        os.write(1, b'child %d\\n' % count)
        os._exit(0)
    libc.usleep(200000)  # until the child waits
globals()['handler'] = ctypes.CFUNCTYPE(None, ctypes.c_int)(forks)
libc.signal(signal.SIGUSR1, globals()['handler'])
"""


def test_a_handler_that_forks_while_the_end_asks_leaves_nobody_behind_in_the_kernel(heir: Heir, own_host: Host) -> None:
    heir.do(f"exec({FORKS!r})")
    heir.invite()
    assert own_host.monitor is not None
    own_host.monitor.send_signal(signal.SIGSTOP)
    heir.ours.send(b".")
    heir.begin("ends[0].recv(1)")
    wait_until(lambda: asks(heir.process.pid), "it asks")
    heir.process.send_signal(signal.SIGUSR1)
    own_host.monitor.send_signal(signal.SIGCONT)
    assert heir.answer() == "b'.'"
    reply = heir.ask()
    if reply.descriptors:
        heir.slab = map_slab(reply)
        heir.put(b"by the ring")
    else:
        heir.ours.send(b"by TCP....")
    assert heir.answer() == "child 10"


def asks(pid: int) -> bool:
    """Whether a process waits in ppoll, with signals blocked."""
    words = Path(f"/proc/{pid}/status").read_text().split()
    blocked = words[words.index("SigBlk:") + 1]
    return words[words.index("State:") + 1] == "S" and blocked != "0" * 16
