"""The library in one process: attaches to the monitor, listens, connects and accepts.

Drives `attach`, `lease_client`, `listener`, `client` and `server`. What follows what is in their tables; here are the
messages, the swaps and the time that they take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from sdcore.monitor import events
from sdcore.monitor.identity import Address, ProcessId, SocketId
from sdcore.protocol import layout
from sdcore.protocol.attach import AttachDo, AttachEvent, AttachState
from sdcore.protocol.connection import ClientDo, ClientEvent, ServerEvent
from sdcore.protocol.lease import LeaseClientDo, LeaseClientEvent, LeaseClientState
from sdcore.protocol.listener import ListenerDo, ListenerEvent
from sdsim.arrival import Arrival
from sdsim.host import Host, Thread
from sdsim.kernel import End, Incoming, Kernel, Listener, Reset
from sdsim.monitor import Monitor
from sdsim.paths import join, swap_there
from sdsim.shared import DECLINED, FREE, OFFERED, PENDING, WITHDRAWN, Slab, Slot
from sdsim.socket import OFFER_LOOK_PS, Mode, Socket
from sdsim.stepper import Runner
from sdsim.units import MS
from sdsim.waiting import Patience
from sdsim.world import Steps, Violation

if TYPE_CHECKING:
    from sdsim.site import Site

BACKOFF_PS = 100 * MS
RETRY_PS = 100 * MS
NEVER_MAP = 1 << 62
USER = 1000


@dataclass(eq=False)
class Destination:
    """What this process remembers of one address."""

    machine: Runner
    slabs: list[Slab] = field(default_factory=list)
    generation: int = -1
    backoff_ps: int = BACKOFF_PS


@dataclass(eq=False)
class Listening:
    """A listening socket of this process."""

    machine: Runner
    kernel: Listener
    socket: SocketId
    number: int = 0
    leases: int = -1
    after: int = 0
    slabs: list[Slab] = field(default_factory=list)
    looks: bool = False


class Refused(Exception):
    """ECONNREFUSED."""


class Library:
    """One process under the library.

    Args:
        accelerated: False runs the process on kernel TCP alone, as the baseline.
        map_from_bytes: messages of this size and more are mapped instead of copied.
    """

    def __init__(
        self, site: Site, host: Host, *, accelerated: bool = True, patience: Patience | None = None,
        map_from_bytes: int = NEVER_MAP,
    ) -> None:  # fmt: skip
        self.site = site
        self.world = site.world
        self.kernel: Kernel = site.kernel
        self.monitor: Monitor = site.monitor_of(host)
        self.host = host
        self.accelerated = accelerated
        self.patience = patience or Patience()
        self.map_from_bytes = map_from_bytes
        self.name = self.world.name("process")
        self.pid = int(self.name.removeprefix("process"))
        self.number = 0
        self.page = self.monitor.page
        self.attach = self.world.start("attach", self.name)
        self._kernel_only = False
        self.destinations: dict[object, Destination] = {}
        self.listenings: list[Listening] = []
        self.sockets: set[Socket] = set()
        self.threads: list[Thread] = []
        self.alive = True
        self.parent: Library | None = None
        self.region = self.pid
        self.user = USER
        site.libraries.append(self)

    # Threads and death ------------------------------------------------------------------------------------------------

    def run(self, core: int, body: Callable[[Thread], Steps], delay_ps: int = 0, *, daemon: bool = False) -> Thread:
        """Start a thread of this process on a core of its host."""
        name = f"{self.name}.{len(self.threads)}"
        thread = Thread(self.host.cores[core % len(self.host.cores)], name, body, delay_ps, daemon)
        self.threads.append(thread)
        return thread

    def exit(self) -> None:
        """The process ends, in order or by a kill: the kernel closes what is open, and the monitor learns of it."""
        if not self.alive:
            return
        self.alive = False
        for thread in self.threads:
            thread.kill()
        for socket in sorted(self.sockets, key=lambda socket: socket.name):
            socket.die(self)
        for listening in self.listenings:
            self.site.leave_listener(listening.kernel)
        if self.number:
            self.monitor.tell(events.Died(self.number))

    def ring_bell(self, thread: Thread | None, sleeper: Thread) -> None:
        """A datagram to a doorbell: a system call of whoever rings."""
        if thread is not None:
            thread.debt_ps += self.world.costs.system_call
        sleeper.ring()

    # The monitor ------------------------------------------------------------------------------------------------------

    def _ask(self, thread: Thread, event: events.Event) -> Steps:
        """A request and its reply; None: no answer, and the attach machine knows."""
        if self.attach.state is not AttachState.ATTACHED:
            raise Violation(f"only the attached ask: {self.name} asks a monitor, and is {self.attach.state.name}")
        reply = yield from self.monitor.ask(thread, event)
        if reply is None and self.attach.state is AttachState.ATTACHED:
            yield from self._feed_attach(thread, AttachEvent.CONNECTION_LOST)
        return reply

    def _need_monitor(self, thread: Thread) -> Steps:
        """The program listens or connects. Returns whether the monitor can be asked."""
        if self.attach.state is AttachState.ATTACHED and not self.page.alive:
            yield from self._feed_attach(thread, AttachEvent.CONNECTION_LOST)
        self._kernel_only = False
        yield from self._feed_attach(thread, AttachEvent.NEED)
        return not self._kernel_only

    def _feed_attach(self, thread: Thread, event: AttachEvent) -> Steps:
        for effect in self.attach.feed(event):
            match effect:
                case AttachDo.CONNECT_MONITOR:
                    yield from thread.system_call(self.world.costs.open_socket)
                    if not self.monitor.page.alive:
                        yield from self._feed_attach(thread, AttachEvent.NO_MONITOR)
                        return
                case AttachDo.SEND_HELLO:
                    yield from self._hello(thread)
                case AttachDo.DROP_CONTROL:
                    self.number = 0
                case AttachDo.USE_KERNEL:
                    self._kernel_only = True
                case AttachDo.SCHEDULE_RETRY:
                    self.world.later(RETRY_PS, self._retry)
                case AttachDo.REGISTER_LISTENERS:
                    for listening in self.listenings:
                        yield from self._feed_listener(thread, listening, ListenerEvent.MONITOR_RETURNED)

    def _retry(self) -> None:
        """The next NEED tries again."""
        if self.alive and self.attach.state is AttachState.LOST:
            self.run(0, lambda thread: self._feed_attach(thread, AttachEvent.RETRY_DUE))

    def _hello(self, thread: Thread) -> Steps:
        if self.number:
            raise Violation(f"one process, one connection: {self.name} says hello on one that is in use")
        parent, secret = (self.parent.number, self.parent.pid) if self.parent is not None else (0, 0)
        me = ProcessId(self.pid, self.user, self.region)
        hello = events.Attach(me, parent_id=parent, secret=secret, child_secret=self.pid)
        reply = yield from self.monitor.ask(thread, hello)
        if isinstance(reply, events.Welcome):
            self.number, self.page = reply.process_id, self.monitor.page
            self.monitor.members[self.number] = self
            for destination in self.destinations.values():
                destination.generation = -1
            yield from self._feed_attach(thread, AttachEvent.WELCOME)
        else:
            yield from self._feed_attach(thread, AttachEvent.CONNECTION_LOST if reply is None else AttachEvent.REFUSED)

    # Listening --------------------------------------------------------------------------------------------------------

    def listen(self, thread: Thread, address: Address) -> Steps:
        """Listen at an address; several processes may. Returns the Listening."""
        kernel = yield from self.kernel.listen(thread, address)
        self.site.join_listener(kernel)
        cookie = self.site.cookie(kernel)
        socket = SocketId(cookie, 1, address, listening=True)
        listening = Listening(self.world.start("listener", self.name), kernel, socket)
        if self.accelerated:
            yield from self._need_monitor(thread)
            self.listenings.append(listening)
            yield from self._feed_listener(thread, listening, ListenerEvent.LISTEN)
        else:
            self.listenings.append(listening)
        return listening

    def _feed_listener(self, thread: Thread, listening: Listening, event: ListenerEvent) -> Steps:
        for effect in listening.machine.feed(event):
            match effect:
                case ListenerDo.SAVE_SYN:
                    yield from thread.system_call()
                case ListenerDo.REGISTER:
                    yield from self._register(thread, listening)
                case ListenerDo.UNREGISTER:
                    if listening.number and self.attach.state is AttachState.ATTACHED:
                        yield from self._ask(thread, events.Unlisten(self.number, listening.number))
                case ListenerDo.CHECK_HINT:
                    yield from thread.system_call()
                    listening.looks = True

    def _register(self, thread: Thread, listening: Listening) -> Steps:
        reply = None
        if self.attach.state is AttachState.ATTACHED:
            reply = yield from self._ask(thread, events.Listen(self.number, listening.socket))
        if isinstance(reply, events.Listening):
            listening.number, listening.after, listening.leases = reply.listener_id, 0, -1
            yield from self._feed_listener(thread, listening, ListenerEvent.REGISTERED_OK)
        else:
            yield from self._feed_listener(thread, listening, ListenerEvent.REGISTER_FAILED)

    def stop_listening(self, thread: Thread, listening: Listening) -> Steps:
        """Close the listening socket."""
        yield from thread.system_call()
        if self.accelerated:
            yield from self._feed_listener(thread, listening, ListenerEvent.CLOSE)
        self.listenings.remove(listening)
        self.site.leave_listener(listening.kernel)

    # Connecting -------------------------------------------------------------------------------------------------------

    def connect(self, thread: Thread, address: Address) -> Steps:
        """Connect; returns the Socket. Raises Refused."""
        socket = self._new_socket(0)
        attempt = Attempt(self, socket, address)
        if self.accelerated:
            yield from self._need_monitor(thread)
            yield from self._use_destination(thread, attempt)
        else:
            yield from attempt.feed(thread, ClientEvent.CONNECT_PLAIN)
        if socket.end is None:
            self.sockets.discard(socket)
            raise Refused(str(address))
        return socket

    def _new_socket(self, side: int) -> Socket:
        socket = Socket(self, self.world.name("client" if side == 0 else "server"), side)
        self.sockets.add(socket)
        return socket

    def _use_destination(self, thread: Thread, attempt: Attempt) -> Steps:
        destination = self.destinations.get(attempt.address)
        if destination is None:
            destination = self.destinations[attempt.address] = Destination(self.world.start("lease_client", self.name))
        machine = destination.machine
        if destination.slabs and destination.slabs[-1].revoked and machine.state in _HAS_SLAB:
            yield from self._feed_destination(thread, destination, attempt, LeaseClientEvent.REVOKED_SEEN)
            return
        if destination.generation != self.page.listeners:
            destination.generation = self.page.listeners
            yield from self._feed_destination(thread, destination, attempt, LeaseClientEvent.GENERATION_MOVED)
        yield from self._feed_destination(thread, destination, attempt, LeaseClientEvent.CONNECT)

    def _feed_destination(
        self, thread: Thread, destination: Destination, attempt: Attempt, event: LeaseClientEvent
    ) -> Steps:
        for effect in destination.machine.feed(event):
            match effect:
                case LeaseClientDo.ASK:
                    answer = yield from self._ask_lease(thread, destination, attempt, event)
                    yield from self._feed_destination(thread, destination, attempt, answer)
                case LeaseClientDo.USE_SLAB:
                    slot = destination.slabs[-1].claim(attempt.socket.name)
                    if slot is None:
                        yield from self._feed_destination(thread, destination, attempt, LeaseClientEvent.FULL)
                    else:
                        attempt.slot, attempt.destination = slot, destination
                        yield from attempt.feed(thread, ClientEvent.CONNECT_LEASED)
                case LeaseClientDo.USE_KERNEL:
                    full = event in (LeaseClientEvent.DENY, LeaseClientEvent.NO_ANSWER) and bool(destination.slabs)
                    yield from attempt.feed(thread, ClientEvent.NO_SLOT if full else ClientEvent.CONNECT_PLAIN)
                case LeaseClientDo.DROP_SLAB:
                    destination.slabs.clear()
                    yield from self._feed_destination(thread, destination, attempt, LeaseClientEvent.CONNECT)
                case LeaseClientDo.START_BACKOFF:
                    self._start_backoff(destination)

    def _start_backoff(self, destination: Destination) -> None:
        self.world.later(destination.backoff_ps, lambda: self._backoff_over(destination))
        destination.backoff_ps *= 2

    def _backoff_over(self, destination: Destination) -> None:
        if self.alive:
            destination.machine.feed(LeaseClientEvent.BACKOFF_OVER)

    def _ask_lease(self, thread: Thread, destination: Destination, attempt: Attempt, event: LeaseClientEvent) -> Steps:
        if not (yield from self._need_monitor(thread)):
            return LeaseClientEvent.NO_ANSWER
        far = self.site.host_of(attempt.address)
        if far is not self.host:
            return (yield from self._ask_far(thread, destination, attempt.address))
        full = destination.slabs[-1].lease_id if event is LeaseClientEvent.FULL else 0
        address = attempt.address
        socket = SocketId(0, 1, Address(bytes(16), 0))
        reply = yield from self._ask(thread, events.WantLease(self.number, socket, address, full))
        if isinstance(reply, events.Leased):
            slab = self.monitor.slabs.get(reply.lease_id)
            if slab is not None:
                if slab not in destination.slabs:
                    destination.slabs.append(slab)
                return LeaseClientEvent.GRANT
        return LeaseClientEvent.NO_ANSWER if reply is None else LeaseClientEvent.DENY

    def _ask_far(self, thread: Thread, destination: Destination, address: Address) -> Steps:
        """Ask for a slab between two hosts: this monitor asks the other. The site stands in for the machine `link`."""
        yield from thread.system_call(2 * self.world.costs.monitor_request)
        yield self.world.env.timeout(2 * self.world.costs.rdma_one_way)
        slab = self.site.far_slab(self, address) if self.page.alive else None
        if slab is None:
            return LeaseClientEvent.DENY
        if slab not in destination.slabs:
            destination.slabs.append(slab)
        return LeaseClientEvent.GRANT

    # Accepting --------------------------------------------------------------------------------------------------------

    def accept(self, thread: Thread, listening: Listening) -> Steps:
        """Accept one connection, waiting for it; None if the listener is closed."""
        incoming = yield from self.kernel.accept(thread, listening.kernel)
        if incoming is None:
            return None
        return (yield from self.take(thread, listening, incoming))

    def take(self, thread: Thread, listening: Listening, incoming: Incoming) -> Steps:
        """Make a Socket of what the kernel gave."""
        socket = self._new_socket(1)
        socket.end = incoming.end
        self.site.accepted(incoming.end, socket)
        arrival = Arrival(self, socket, listening, incoming)
        hinted = False
        if self.accelerated:
            listening.looks = False
            yield from self._feed_listener(thread, listening, ListenerEvent.ACCEPT)
            hinted = incoming.hinted and listening.looks
        yield from arrival.feed(thread, ServerEvent.ACCEPT_HINTED if hinted else ServerEvent.ACCEPT_PLAIN)
        return socket

    def new_slabs(self, thread: Thread, listening: Listening) -> Steps:
        """Ask for slabs of leases that were granted since the last look."""
        if not self.page.alive:
            yield from self._need_monitor(thread)
        while listening.leases != self.page.leases:
            if not (yield from self._need_monitor(thread)):
                return
            seen = self.page.leases
            reply = yield from self._ask(thread, events.WantLeasesOf(self.number, listening.socket, listening.after))
            if not isinstance(reply, events.Leased) or not reply.lease_id:
                listening.leases = seen
                return
            listening.after = reply.lease_id
            slab = self.monitor.slabs.get(reply.lease_id)
            if slab is not None:
                listening.slabs.append(slab)


_HAS_SLAB = (LeaseClientState.LEASED, LeaseClientState.LOST)


class Attempt:
    """A connect under way, and the offer that it makes: drives the `client` machine."""

    def __init__(self, library: Library, socket: Socket, address: Address) -> None:
        self.library = library
        self.world = library.world
        self.socket = socket
        self.address = address
        self.slot: Slot | None = None
        self.destination: Destination | None = None
        self.machine = self.world.start("client", socket.name)
        self._hint = False
        self._answer: ClientEvent | None = None

    def feed(self, thread: Thread, event: ClientEvent) -> Steps:
        """One event, its effects, and the event that they bring."""
        self._answer = None
        for effect in self.machine.feed(event):
            yield from self._perform(thread, cast("ClientDo", effect))
        answer = self._taken_answer()
        if answer is not None:
            yield from self.feed(thread, answer)

    def _taken_answer(self) -> ClientEvent | None:
        answer, self._answer = self._answer, None
        return answer

    def _perform(self, thread: Thread, effect: ClientDo) -> Steps:
        costs = self.world.costs
        match effect:
            case ClientDo.HINT | ClientDo.UNHINT:
                yield thread.work(costs.system_call)
                self._hint = effect is ClientDo.HINT
            case ClientDo.CONNECT_KERNEL:
                yield from self._connect(thread)
            case ClientDo.MAKE_OFFER:
                yield thread.work(2 * costs.cache_line)
                self._answer = yield from self._offer(thread)
            case ClientDo.TRY_WITHDRAW:
                yield thread.work(costs.cache_line)
                self._answer = yield from self._withdraw(thread)
            case ClientDo.RESEND_ON_COMPANION:
                yield from self._resend(thread)
            case ClientDo.FREE_SLOT:
                self._free_slot()
            case ClientDo.USE_KERNEL:
                self.socket.mode = Mode.KERNEL
            case ClientDo.USE_RING:
                self.socket.mode = Mode.RING
                self._watch_companion()

    def _connect(self, thread: Thread) -> Steps:
        made = yield from self.library.kernel.connect(thread, self.address, self._hint, self.library.host)
        hinted = self._hint
        if made is None:
            self._answer = ClientEvent.KERNEL_FAILED
            return
        self.socket.end, port = made
        self.library.site.streams(self.socket)
        if hinted and self.slot is not None:
            self.slot.client_port = port
            self._answer = ClientEvent.KERNEL_OPEN

    def _offer(self, thread: Thread) -> Steps:
        """Write the word, then enter the slot by port; what stands there decides."""
        slot, socket = self.slot, self.socket
        assert slot is not None
        if slot.slab.nics is not None:
            join(slot, *slot.slab.nics)
        socket.attach_slot(slot)
        seen: list[int] = []

        def enter() -> None:
            slot.offer = OFFERED
            seen.append(slot.slab.ports.get(slot.client_port, slot.number))
            if seen[0] in (PENDING, slot.number):
                slot.slab.ports[slot.client_port] = slot.number

        if not (yield from swap_there(thread, slot, enter)):
            self.library.kernel.abort(cast("End", socket.end))
            return ClientEvent.PORT_TAKEN
        if seen[0] == DECLINED:
            return ClientEvent.PORT_DECLINED
        if seen[0] not in (PENDING, slot.number):
            return ClientEvent.PORT_TAKEN
        socket.mode = Mode.OFFERED
        socket.deadline_ps = self.world.now + OFFER_LOOK_PS
        socket.accepted = lambda thread: self.feed(thread, ClientEvent.ACCEPTED)
        socket.withdraw = self._take_back
        self._watch_companion()
        return ClientEvent.AWAITED if seen[0] == PENDING else None

    def _withdraw(self, thread: Thread) -> Steps:
        """Whether the swap won. If that cannot be known, the connection is reset: neither side relies on it."""
        slot, won = self.slot, [False]
        assert slot is not None

        def swap() -> None:
            won[0] = slot.swap(OFFERED, WITHDRAWN)

        if not (yield from swap_there(thread, slot, swap)):
            self.library.kernel.abort(cast("End", self.socket.end))
            slot.swap(OFFERED, WITHDRAWN)
            return ClientEvent.SWAP_WON
        return ClientEvent.SWAP_WON if won[0] else ClientEvent.SWAP_LOST

    def _watch_companion(self) -> None:
        end = cast("End", self.socket.end)
        if self.socket.companion_news not in end.watchers:
            end.watchers.append(self.socket.companion_news)

    def _take_back(self, thread: Thread, why: ClientEvent) -> Steps:
        yield from self.feed(thread, why)
        if why is ClientEvent.EXPIRED and self.destination is not None and self.socket.mode is Mode.KERNEL:
            for effect in self.destination.machine.feed(LeaseClientEvent.UNANSWERED_OFFER):
                if effect is LeaseClientDo.START_BACKOFF:
                    self.library._start_backoff(self.destination)

    def _resend(self, thread: Thread) -> Steps:
        """What lies in the ring goes over the companion, before anything else.

        Where nobody reads any more it is lost, as what the kernel has in its buffers: the program's next call is told.
        """
        assert self.slot is not None
        assert self.socket.end is not None
        try:
            for span in self.socket.tx_dir.content.take(layout.RING_BYTES):
                yield from self.library.kernel.send(thread, self.socket.end, span)
        except Reset:
            self.socket.end.break_off()

    def _free_slot(self) -> None:
        slot = self.slot
        if slot is None:
            return
        if slot.slab.ports.get(slot.client_port) == slot.number:
            del slot.slab.ports[slot.client_port]
        slot.offer = FREE
        slot.unclaim()
        self.slot = self.socket.slot = None
