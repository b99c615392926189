"""Kernel TCP: the baseline, the companion of every accelerated connection, and where connections come from.

Only what the library relies on is modelled: a backlog, two byte streams with room, an end of file that comes when the
last descriptor of an end is closed (also by death), and threads and watchers that are woken. On one host the kernel's
own handshake, segments and timers are costs; between two, all of it goes over the fabric (`tcp.py`). Windows are not
modelled: a sender knows at once how much room its receiver has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sdsim.costs import Costs
from sdsim.fabric import Fabric
from sdsim.host import Host, Thread
from sdsim.stream import Bytes, Span
from sdsim.tcp import TcpFlow
from sdsim.units import PAGE_BYTES
from sdsim.world import Steps, Violation, World

BUFFER_BYTES = 2 * 1024 * 1024
PIECE_BYTES = 65536
FIRST_PORT = 32768


class Reset(Exception):
    """ECONNRESET, or EPIPE when sending."""


class End:
    """One end of a kernel connection.

    Attributes:
        inbox: bytes that came and were not received.
        eof: the peer has closed or shut its direction.
        watchers: called whenever something comes.
        flow: the way to the peer, if that is on another host.
        coming: bytes that are on their way to this end.
        held: a program has it, or a backlog.
        queued: a client's end whose connection is in the server's backlog.
    """

    __slots__ = (
        "closed",
        "coming",
        "eof",
        "flow",
        "held",
        "inbox",
        "name",
        "on_room",
        "peer",
        "queued",
        "reset",
        "sleepers",
        "watchers",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.inbox = Bytes()
        self.peer: End
        self.eof = False
        self.queued = False
        self.reset = False
        self.closed = False
        self.sleepers: list[Thread] = []
        self.on_room: list[Thread] = []
        self.watchers: list[Callable[[], None]] = []
        self.flow: TcpFlow | None = None
        self.coming = 0
        self.held = False

    @property
    def readable(self) -> bool:
        """Whether recv would not wait."""
        return bool(self.inbox.size) or self.eof or self.reset

    def carry(self, size: int, arrive: Callable[[], None]) -> None:
        """Let something happen at the peer, behind everything before it."""
        if self.flow is None:
            arrive()
        else:
            self.flow.send(size, arrive)

    def break_off(self) -> None:
        """Reset: unread bytes are gone, the program is told at its next call."""
        self.reset = self.eof = True
        self.inbox = Bytes()
        self.tell()
        self.tell_room()

    def tell(self) -> None:
        """Something came: wake who waits."""
        sleepers, self.sleepers = self.sleepers, []
        for thread in sleepers:
            thread.ring()
        for watcher in tuple(self.watchers):
            watcher()

    def tell_room(self) -> None:
        """There is room again for who sends."""
        waiting, self.on_room = self.on_room, []
        for thread in waiting:
            thread.ring()


class Kernel:
    """The kernels of all hosts, as far as TCP goes."""

    def __init__(self, world: World, fabric: Fabric) -> None:
        self.world = world
        self.fabric = fabric
        self.costs: Costs = world.costs
        self.listeners: dict[object, Listener] = {}
        self.open_ends: set[End] = set()
        self._ports = 0
        world.at_end(self._all_closed)

    def _all_closed(self) -> None:
        if self.open_ends:
            names = sorted(end.name for end in self.open_ends)
            raise Violation(f"everything is released: {len(names)} kernel sockets are open: {', '.join(names[:4])}")

    def pair(self) -> tuple[End, End]:
        """Two connected ends."""
        name = self.world.name("tcp")
        one, other = End(name + ".client"), End(name + ".server")
        one.peer, other.peer = other, one
        self.open_ends |= {one, other}
        return one, other

    def next_port(self) -> int:
        """An ephemeral port that is not in use."""
        self._ports = (self._ports + 1) % (65536 - FIRST_PORT)
        return FIRST_PORT + self._ports

    # Connecting -------------------------------------------------------------------------------------------------------

    def listen(self, thread: Thread, address: object) -> Steps:
        """socket, bind and listen."""
        yield from thread.system_call(self.costs.open_socket + 2 * self.costs.system_call)
        listener = self.listeners.get(address)
        if listener is None or listener.closed:
            listener = self.listeners[address] = Listener(address, thread.core.host)
        return listener

    def connect(self, thread: Thread, address: object, hinted: bool, host: Host) -> Steps:
        """connect(): the handshake, three packets on this core. Returns (end, port), or None if nobody listens."""
        yield from thread.system_call(self.costs.open_socket)
        yield from thread.system_call(3 * self.costs.tcp_send)
        listener = self.listeners.get(address)
        if listener is None or listener.closed:
            return None
        mine, theirs = self.pair()
        port = self.next_port()
        if listener.host is not host and not (yield from self._handshake(thread, mine, theirs, listener.host)):
            return None
        mine.held = mine.queued = True
        mine.carry(0, lambda: self._arrived(listener, Incoming(theirs, port, hinted, host)))
        return mine, port

    def _handshake(self, thread: Thread, mine: End, theirs: End, there: Host) -> Steps:
        """SYN and SYN-ACK between two hosts. Returns whether the answer came."""
        here = thread.core.host
        mine.flow = TcpFlow(self.fabric, here, there, lambda: self.abort(mine))
        theirs.flow = TcpFlow(self.fabric, there, here, lambda: self.abort(mine))
        answers: list[bool] = []

        def answered() -> None:
            answers.append(True)
            thread.ring()

        mine.carry(0, lambda: theirs.carry(0, answered))
        done = False
        try:
            while not answers and not mine.reset:
                mine.sleepers.append(thread)
                yield from thread.block()
            done = bool(answers)
        finally:  # also when the process is killed meanwhile
            if not done:
                self.abort(mine)
                self.close(mine)
                self.close(theirs)
        return done

    def _arrived(self, listener: Listener, incoming: Incoming) -> None:
        """The client's last packet of the handshake: a listener that is closed meanwhile resets it."""
        if listener.closed:
            incoming.end.carry(0, incoming.end.peer.break_off)
            self.close(incoming.end)
        else:
            incoming.end.held = True
            listener.push(incoming)

    def abort(self, end: End) -> None:
        """Nothing gets through: both kernels give the connection up, each by itself."""
        for one in (end, end.peer):
            if one.flow is not None:
                one.flow.dead = True
            if not one.held:
                self.close(one)
            elif not one.closed:
                one.break_off()

    def accept(self, thread: Thread, listener: Listener) -> Steps:
        """accept(): waits in the kernel; returns the connection, or None if the listener is closed."""
        yield from thread.system_call(self.costs.lock)
        while not listener.backlog:
            if listener.closed:
                return None
            listener.acceptors.append(thread)
            thread.idle = True
            yield from thread.block()
            thread.idle = False
            if thread in listener.acceptors:
                listener.acceptors.remove(thread)
        yield thread.work(self.costs.open_socket)
        if not listener.backlog:
            return (yield from self.accept(thread, listener))
        incoming = listener.backlog.popleft()
        incoming.end.peer.queued = False
        return incoming

    # Bytes ------------------------------------------------------------------------------------------------------------

    def send(self, thread: Thread, end: End, span: Span) -> Steps:
        """Send all of it; waits for room. Raises Reset."""
        left = span.size
        start = span.start
        while left:
            if end.reset or end.closed or (end.peer.closed and end.flow is None):
                raise Reset(f"{end.name}: nobody reads")
            room = BUFFER_BYTES - end.peer.inbox.size - end.peer.coming
            if room <= 0:
                end.on_room.append(thread)
                yield from thread.block()
                continue
            part = min(left, PIECE_BYTES, room)
            work = self.costs.tcp_send if left == span.size else self.costs.buffer
            yield from thread.system_call(work - self.costs.system_call + self._pages(part))
            self._deliver(end, Span(span.stream, start, part))
            start += part
            left -= part

    def _deliver(self, end: End, span: Span) -> None:
        peer = end.peer

        def arrive() -> None:
            peer.coming -= span.size
            if peer.closed:
                peer.carry(0, end.break_off)
            elif not peer.reset:
                peer.inbox.put(span)
                peer.tell()

        peer.coming += span.size
        end.carry(span.size, arrive)

    def receive(self, thread: Thread, end: End, most: int) -> Steps:
        """Up to `most` bytes, waiting for the first; [] at the end of the stream. Raises Reset."""
        while not end.readable:
            end.sleepers.append(thread)
            yield from thread.system_call()
            if not end.readable:
                yield from thread.block()
        if end.reset and not end.inbox.size:
            end.reset, end.eof = False, True
            raise Reset(f"{end.name}: reset by the peer")
        spans = end.inbox.take(min(most, PIECE_BYTES))
        size = sum(span.size for span in spans)
        yield from thread.system_call(self.costs.tcp_receive - self.costs.system_call + self._taking(end, size))
        if end.peer.on_room:
            end.carry(0, end.peer.tell_room)
        return spans

    def _pages(self, size: int) -> int:
        """Copying, and a buffer for each page beyond the first."""
        return self.costs.copy(size) + self.costs.buffer * (max(0, size - 1) // PAGE_BYTES)

    def _taking(self, end: End, size: int) -> int:
        """Copying what another core or a NIC has written; a NIC fills a buffer for each packet."""
        in_buffer = PAGE_BYTES if end.flow is None else self.costs.tcp_payload
        buffers = max(0, size - 1) // in_buffer
        return self.costs.copy(size) + self.costs.fetch(size) + self.costs.buffer * buffers

    # Ending -----------------------------------------------------------------------------------------------------------

    def shutdown(self, end: End) -> None:
        """No byte follows from this end."""
        end.carry(0, lambda: self._ended(end.peer, False))

    def close(self, end: End) -> None:
        """The last descriptor of this end is gone: the peer reads end-of-file, or a reset if bytes were unread."""
        if end.closed:
            return
        end.closed = True
        self.open_ends.discard(end)
        unread = bool(end.inbox.size)
        end.carry(0, lambda: self._ended(end.peer, unread))

    def _ended(self, end: End, reset: bool) -> None:
        """The peer's end of its stream has come."""
        end.reset = end.reset or reset
        end.eof = True
        end.tell()
        end.tell_room()

    def close_listener(self, listener: Listener) -> None:
        """Stop listening; what waits in the backlog is reset."""
        listener.closed = True
        for incoming in listener.backlog:
            incoming.end.carry(0, incoming.end.peer.break_off)
            self.close(incoming.end)
        listener.backlog.clear()
        listener.tell()


class Incoming:
    """A connection in a backlog."""

    __slots__ = ("end", "hinted", "host", "port")

    def __init__(self, end: End, port: int, hinted: bool, host: Host) -> None:
        self.end = end
        self.port = port
        self.hinted = hinted
        self.host = host


class Listener:
    """A listening socket: its backlog, and who waits for it."""

    def __init__(self, address: object, host: Host) -> None:
        self.address = address
        self.host = host
        self.backlog: deque[Incoming] = deque()
        self.acceptors: deque[Thread] = deque()
        self.watchers: list[Callable[[], None]] = []
        self.closed = False

    def push(self, incoming: Incoming) -> None:
        """One more; wakes one acceptor, the one that has waited longest."""
        self.backlog.append(incoming)
        if self.acceptors:
            self.acceptors.popleft().ring()
        for watcher in tuple(self.watchers):
            watcher()

    def tell(self) -> None:
        """Wake everybody: it is closed."""
        while self.acceptors:
            self.acceptors.popleft().ring()
        for watcher in tuple(self.watchers):
            watcher()
