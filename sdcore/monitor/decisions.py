"""What the monitor decides, without sockets, memory or clock; the simulator runs this very class.

    monitor = Monitor(Policy(), leases_max=4096)
    effects = monitor.handle(Listen(process_id, socket), now_ns)      # to be performed in order
    effects = monitor.handle(WantLease(...), now_ns)                  # MakeSlab, LeasesMoved, Leased, or Denied

What follows what is said by three machines of `sdcore.protocol`: `attach_monitor` for each process, `listener_monitor`
for each listener, `lease` for each client process at a listener. This file finds the machine that an event concerns,
calls the event by its name there (is it allowed? is it the same process again?), and carries out the machine's effects:
some change the tables, some feed other machines, the rest goes out to whoever performs effects.

    law     each slab is dropped exactly once, after it was made
    law     a process is told of slabs of its own leases and of its own listening sockets only
    law     an event with a wrong number changes nothing
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sdcore.monitor.events import (
    Attach,
    Denied,
    Died,
    Disconnected,
    Done,
    Drain,
    DropSlab,
    Effect,
    Event,
    Forget,
    Leased,
    LeasesMoved,
    Listen,
    ListenersMoved,
    Listening,
    MakeSlab,
    MarkDrained,
    OffersTaken,
    PokeSlab,
    PolicyChanged,
    PressSlab,
    Rejected,
    Replaced,
    RevokeSlab,
    SlabFailed,
    Unlisten,
    Unused,
    UseHeavyFence,
    WantJoin,
    WantLease,
    WantLeasesOf,
    WatchOffers,
    WatchUse,
    Welcome,
)
from sdcore.monitor.identity import ProcessId, SocketId
from sdcore.monitor.joins import Hands, Joins
from sdcore.monitor.policy import Policy
from sdcore.monitor.registry import Lease, Listener, Process, Registry
from sdcore.protocol import layout
from sdcore.protocol.attach import ATTACH_MONITOR, AttachMonitorDo, AttachMonitorEvent
from sdcore.protocol.kit import Effect as Do
from sdcore.protocol.kit import Event as Input
from sdcore.protocol.kit import Instance, Machine, PeerError, Step
from sdcore.protocol.lease import LEASE, LeaseDo, LeaseEvent, LeaseState
from sdcore.protocol.listener import LISTENER_MONITOR, ListenerMonitorDo, ListenerMonitorEvent

SLABS_EACH_MAX = 256
"""Slabs of one lease: as many as give each of a client's 65536 ports a slot."""

CLIENT, SERVER = 0, 1

MARKS: Mapping[Do, type[RevokeSlab | MarkDrained]] = {
    LeaseDo.MARK_REVOKED: RevokeSlab,
    LeaseDo.MARK_DRAINED: MarkDrained,
}
WATCHES: Mapping[Do, tuple[type[WatchOffers | WatchUse | PressSlab], LeaseEvent]] = {
    LeaseDo.WATCH_OFFERS: (WatchOffers, LeaseEvent.OFFERS_TAKEN),
    LeaseDo.WATCH_USE: (WatchUse, LeaseEvent.UNUSED),
    LeaseDo.PRESS: (PressSlab, LeaseEvent.UNUSED),
}
"""What is done to each slab of a lease, and what is fed once each has been seen so."""


class _Nonsense(Exception):
    """An event that names what is not there, or that its sender may not name."""


class Monitor:
    """The decisions of one monitor.

    Args:
        policy: the rules at the start.
        leases_max: slabs that may exist at a time.
        trace: sees each step of each machine.
        start: makes an instance of a machine, in place of `machine.start(trace)`; the simulator follows any table.
    """

    def __init__(
        self,
        policy: Policy,
        leases_max: int = 4096,
        trace: Callable[[Step], Any] | None = None,
        start: Callable[[Machine], Instance] | None = None,
    ) -> None:
        self.leases_max = leases_max
        self.counts: Counter[str] = Counter()
        self._policy = policy
        self._drained: list[Drain] = []
        self._start = start or (lambda machine: machine.start(trace))
        self._registry = Registry()
        self._now_ns = 0
        self._out: list[Effect] = []
        self._joins = Joins(Hands(self._registry, self._start, self._feed, self._feed_lease, self._tell))
        self._handlers: Mapping[type[Any], Callable[[Any], None]] = {
            Attach: self._attach,
            Listen: self._listen,
            Unlisten: self._unlisten,
            WantLease: self._want_lease,
            SlabFailed: self._slab_failed,
            WantLeasesOf: self._want_leases_of,
            WantJoin: self._want_join,
            OffersTaken: self._offers_taken,
            Unused: self._unused,
            Disconnected: self._disconnected,
            Replaced: self._replaced,
            Died: self._died,
            PolicyChanged: self._policy_changed,
            Drain: self._drain,
        }

    def handle(self, event: Event, now_ns: int) -> tuple[Effect, ...]:
        """Take one event; returns the effects, to be performed in order. Never fails, whatever a process sent.

        Args:
            event: what happened.
            now_ns: the time, on a clock that never goes back.
        """
        self._now_ns, self._out = now_ns, []
        try:
            self._handlers[type(event)](event)
        except (_Nonsense, PeerError) as error:
            return (Rejected(str(error)),)
        return tuple(self._out)

    # What reports ask -------------------------------------------------------------------------------------------------

    @property
    def process_count(self) -> int:
        """Processes attached."""
        return len(self._registry.processes)

    @property
    def listener_count(self) -> int:
        """Listeners with members."""
        return len(self._registry.listeners)

    @property
    def lease_count(self) -> int:
        """Slabs that exist."""
        return len(self._registry.slabs)

    @property
    def remembered_leases(self) -> int:
        """Leases that a process or a listener still has, with or without slabs."""
        held = [lease for process in self._registry.processes.values() for lease in process.leases.values()]
        return len({*held, *(lease for one in self._registry.listeners.values() for lease in one.leases)})

    @property
    def remembered_joins(self) -> int:
        """Connections of which an end asked to join, and the other one has not."""
        return len(self._registry.joins)

    @property
    def drained_count(self) -> int:
        """Processes that are drained."""
        return sum(process.drained for process in self._registry.processes.values())

    def region_of(self, pid: int) -> int | None:
        """The region of the attached process with this pid."""
        process = self._registry.process_with_pid(pid)
        return process.identity.region if process else None

    def family(self, region: int) -> tuple[ProcessId, ...]:
        """The processes that share a region."""
        return tuple(self._registry.family(region))

    def is_party(self, region: int, lease_id: int, side: int) -> bool:
        """Whether a family has this slab, on this side."""
        lease = self._registry.slabs.get(lease_id)
        if lease is None:
            return False
        return lease.client.identity.region == region if side == CLIENT else region in lease.server_regions

    def _tell(self, effect: Effect) -> None:
        self._out.append(effect)

    # Machines ---------------------------------------------------------------------------------------------------------

    def _feed(self, machine: Instance, event: Input, arg: int = 0) -> Iterator[Do]:
        """The effects of one step, counted."""
        for effect in machine.feed(event, arg):
            self.counts[f"{machine.machine.name}.{effect.name}"] += 1
            yield effect

    def _feed_process(self, process: Process, event: AttachMonitorEvent) -> None:
        for effect in self._feed(process.machine, event):
            match effect:
                case AttachMonitorDo.WATCH_PIDFD:
                    self._registry.add_process(process)
                case AttachMonitorDo.SEND_WELCOME:
                    self._out.append(Welcome(process.number))
                case AttachMonitorDo.REFUSE:
                    self._out.append(Denied(layout.REASON_VERSION))
                case AttachMonitorDo.DRAIN_ALL:
                    self._drain_all(process)
                case AttachMonitorDo.SWEEP:
                    self._sweep(process)

    def _feed_listener(self, listener: Listener, event: ListenerMonitorEvent, arg: int = 0) -> None:
        for effect in self._feed(listener.machine, event, arg):
            match effect:
                case ListenerMonitorDo.BUMP_LISTENERS:
                    self._registry.add_listener(listener)
                    self._out.append(ListenersMoved())
                case ListenerMonitorDo.REVOKE_LEASES:
                    for lease in tuple(listener.leases):
                        self._feed_lease(lease, LeaseEvent.LISTENER_GONE)
                case ListenerMonitorDo.DRAIN_LEASES:
                    for lease in tuple(listener.leases):
                        self._feed_lease(lease, LeaseEvent.DRAIN)
                case ListenerMonitorDo.FORGET:
                    self._forget_listener(listener)

    def _feed_lease(self, lease: Lease, event: LeaseEvent, arg: int = 0, reason: int = 0) -> None:
        for effect in self._feed(lease.machine, event, arg):
            match effect:
                case LeaseDo.MAKE_SLAB:
                    if not self._make_slab(lease):
                        return
                case LeaseDo.BUMP_LEASES:
                    self._out.append(LeasesMoved())
                case LeaseDo.SEND_SLAB:
                    self._out.append(Leased(lease.slabs[-1], lease.listener.number))
                case LeaseDo.DENY:
                    self._out.append(Denied(reason))
                case LeaseDo.MARK_REVOKED | LeaseDo.MARK_DRAINED:
                    self._out += [MARKS[effect](slab) for slab in lease.slabs]
                case LeaseDo.POKE:
                    survivor = SERVER if event is LeaseEvent.CLIENT_DIED else CLIENT
                    self._out += [PokeSlab(slab, survivor) for slab in lease.slabs]
                case LeaseDo.WATCH_OFFERS | LeaseDo.WATCH_USE | LeaseDo.PRESS:
                    self._watch(lease, *WATCHES[effect])
                case LeaseDo.FREE_SLAB:
                    self._free_slabs(lease)
        if lease.machine.state is LeaseState.ENDED:
            self._registry.forget_lease(lease)

    # Processes --------------------------------------------------------------------------------------------------------

    def _attached(self, number: int) -> Process:
        process = self._registry.processes.get(number)
        if process is None:
            raise _Nonsense("a request of a process that is not attached")
        return process

    def _attach(self, event: Attach) -> None:
        known = self._registry.process_with_pid(event.process.pid)
        if known is not None and known.identity.region == event.process.region:
            known.identity, known.child_secret = event.process, event.child_secret
            self._feed_process(known, AttachMonitorEvent.HELLO_AGAIN)
            return
        if known is not None:
            self._feed_process(known, AttachMonitorEvent.REPLACED)
        self._meet(event)

    def _meet(self, event: Attach) -> None:
        """A process that is new here."""
        process = Process(
            number=self._registry.next_number(),
            identity=event.process,
            machine=self._start(ATTACH_MONITOR),
            fences=event.fences,
            child_secret=event.child_secret,
            attached_ns=self._now_ns,
        )
        parent = self._registry.parent_of(event.process, event.parent_id, event.secret)
        if parent is not None:
            process.parent = parent.number
            self._feed_process(process, AttachMonitorEvent.PARENT_PROVEN)
        right = event.version == layout.LAYOUT_VERSION
        self._feed_process(process, AttachMonitorEvent.HELLO_OK if right else AttachMonitorEvent.HELLO_BAD)
        if right and any(concerns(drain, process.identity) for drain in self._drained):
            self._feed_process(process, AttachMonitorEvent.DRAIN)

    def _disconnected(self, event: Disconnected) -> None:
        self._feed_process(self._attached(event.process_id), AttachMonitorEvent.CONNECTION_CLOSED)

    def _replaced(self, event: Replaced) -> None:
        self._feed_process(self._attached(event.process_id), AttachMonitorEvent.REPLACED)

    def _died(self, event: Died) -> None:
        self._feed_process(self._attached(event.process_id), AttachMonitorEvent.PIDFD_READY)

    def _sweep(self, process: Process) -> None:
        """A process is no more: its totals are kept while its slabs are there, then it leaves, and its leases end."""
        self._out.append(Forget(process.number, self._registry.slabs_of(process)))
        self._registry.remove_process(process)
        for listener in tuple(process.listeners):
            self._leave(process, listener, died=True)
        self._joins.end(process)
        for lease in tuple(process.leases.values()):
            self._feed_lease(lease, LeaseEvent.CLIENT_DIED)
        process.leases.clear()

    def _drain(self, event: Drain) -> None:
        """Who is concerned, now and later: a program forks, and may attach again."""
        if event not in self._drained:
            self._drained.append(event)
        for process in tuple(self._registry.processes.values()):
            if concerns(event, process.identity):
                self._feed_process(process, AttachMonitorEvent.DRAIN)
        self._out.append(Done())

    def _drain_all(self, process: Process) -> None:
        for listener in tuple(process.listeners):
            self._feed_listener(listener, ListenerMonitorEvent.DRAIN)
        served = self._registry.leases_served_by(process.identity.region)
        for lease in {*process.leases.values(), *served}:
            self._feed_lease(lease, LeaseEvent.DRAIN)

    # Listeners --------------------------------------------------------------------------------------------------------

    def _listen(self, event: Listen) -> None:
        listener = self._join(self._attached(event.process_id), event.socket)
        self._out.append(Listening(listener.number))

    def _unlisten(self, event: Unlisten) -> None:
        process = self._attached(event.process_id)
        listener = self._registry.listeners.get(event.listener_id)
        if listener is None or process not in listener.members:
            raise _Nonsense(f"listener {event.listener_id} is not this process's")
        self._leave(process, listener, died=False)
        self._out.append(Done())

    def _join(self, process: Process, socket: SocketId) -> Listener:
        """Make the process a member of the listener to which its socket belongs, known before or not."""
        if not socket.listening:
            raise _Nonsense("a socket that does not listen")
        listener = self._registry.listener_of(socket)
        if listener is not None and not self._is_same(listener, socket, process):
            self._evict(listener)
            listener = None
        if listener is None:
            listener = self._new_listener(socket, process)
            self._feed_listener(listener, ListenerMonitorEvent.REGISTER)
        else:
            self._feed_listener(listener, ListenerMonitorEvent.JOIN)
        self._registry.add_socket(listener, socket)
        listener.members.add(process)
        process.listeners.add(listener)
        if process.drained:
            self._feed_listener(listener, ListenerMonitorEvent.DRAIN)
        if not process.fences:
            self._out += [UseHeavyFence(slab) for slab in listener.slabs]
        return listener

    def _is_same(self, listener: Listener, socket: SocketId, process: Process) -> bool:
        """A socket that is known, or one more of the same user at the same address (SO_REUSEPORT)."""
        return socket.cookie in listener.cookies or listener.uid == process.identity.uid

    def _evict(self, listener: Listener) -> None:
        """Another user listens at an address, so whoever did must have closed it without a word."""
        for member in tuple(listener.members):
            self._leave(member, listener, died=False)

    def _new_listener(self, socket: SocketId, process: Process) -> Listener:
        return Listener(
            number=self._registry.next_number(),
            endpoint=(socket.netns, socket.place),
            uid=process.identity.uid,
            dual=socket.dual,
            machine=self._start(LISTENER_MONITOR),
        )

    def _leave(self, process: Process, listener: Listener, *, died: bool) -> None:
        """A member less. If it died, the clients look at their companions first."""
        listener.members.discard(process)
        process.listeners.discard(listener)
        left = len(listener.members)
        if died:
            for lease in tuple(listener.leases):
                self._feed_lease(lease, LeaseEvent.SERVER_DIED, left)
        self._feed_listener(listener, ListenerMonitorEvent.LEAVE, left)
        if listener.members and not any(member.drained for member in listener.members):
            self._feed_listener(listener, ListenerMonitorEvent.CLEAN)

    def _forget_listener(self, listener: Listener) -> None:
        """No number and no socket of it is left. Leases whose slabs are in use go on until they end."""
        self._registry.remove_listener(listener)
        for lease in listener.leases:
            if not lease.slabs:
                lease.client.leases.pop(listener, None)

    # Leases -----------------------------------------------------------------------------------------------------------

    def _want_lease(self, event: WantLease) -> None:
        process = self._attached(event.process_id)
        listener = self._choose(event)
        if listener is None:
            self._out.append(Denied(layout.REASON_PEER_PLAIN))
            return
        lease = process.leases.get(listener)
        if lease is None:
            lease = process.leases[listener] = Lease(process, listener, self._start(LEASE))
            listener.leases.add(lease)
        lease.netns = event.socket.netns
        self._request(lease, event.full_lease)

    def _choose(self, event: WantLease) -> Listener | None:
        """The listener that the connection will reach."""
        netns = event.socket.netns
        listener = self._registry.listener_for(netns, event.destination)
        return listener or self._registry.listener_elsewhere(netns, event.destination)

    def _objection(self, lease: Lease) -> int:
        """Why the two may not share memory, as a REASON_*; 0 if they may."""
        client = list(self._feed(lease.client.machine, AttachMonitorEvent.SHARES))
        server = list(self._feed(lease.listener.machine, ListenerMonitorEvent.LEASES))
        if AttachMonitorDo.DENY_DRAINED in client or ListenerMonitorDo.DENY_DRAINED in server:
            return int(layout.REASON_DRAINED)
        return 0 if self._allows(lease.client, lease.listener, lease.netns) else int(layout.REASON_POLICY)

    def _allows(self, process: Process, listener: Listener, netns: int) -> bool:
        users = self._policy.users(process.identity.uid, listener.uid)
        return users and self._policy.networks(netns, listener.endpoint[0])

    def _request(self, lease: Lease, full_lease: int) -> None:
        """Call the request by its name: forbidden, one more because the newest is full, or the one there is."""
        full = bool(lease.slabs) and full_lease == lease.slabs[-1]
        objection = self._objection(lease)
        if objection:
            self._feed_lease(lease, LeaseEvent.REQUEST_DENIED, reason=objection)
        elif full and len(lease.slabs) >= SLABS_EACH_MAX:
            self._feed_lease(lease, LeaseEvent.REQUEST_DENIED, reason=layout.REASON_NO_SLOT)
        else:
            self._feed_lease(lease, LeaseEvent.REQUEST_MORE if full else LeaseEvent.REQUEST_ALLOWED)

    def _make_slab(self, lease: Lease) -> bool:
        """Ask for memory; False if there are as many slabs as there may be."""
        if len(self._registry.slabs) >= self.leases_max:
            self._fail_slab(lease)
            return False
        number = self._registry.next_number()
        self._registry.slabs[number] = lease
        lease.slabs.append(number)
        lease.listener.slabs.append(number)
        lease.granted_ns = self._now_ns
        self._out.append(MakeSlab(number, lease.listener.number, heavy_fence=not lease.fences))
        return True

    def _slab_failed(self, event: SlabFailed) -> None:
        lease = self._registry.slabs.pop(event.lease_id, None)
        if lease is None:
            raise _Nonsense(f"lease {event.lease_id} does not exist")
        lease.slabs.remove(event.lease_id)
        lease.listener.slabs.remove(event.lease_id)
        self._fail_slab(lease)

    def _fail_slab(self, lease: Lease) -> None:
        reason = layout.REASON_NO_SLOT if lease.slabs else layout.REASON_NO_MEMORY
        self._feed_lease(lease, LeaseEvent.SLAB_FAILED, len(lease.slabs), reason)

    def _want_leases_of(self, event: WantLeasesOf) -> None:
        process = self._attached(event.process_id)
        listener = self._join(process, event.socket)
        number = next((slab for slab in listener.slabs if slab > event.after), 0)
        if number:
            self._registry.slabs[number].server_regions.add(process.identity.region)
        self._out.append(Leased(number, listener.number))

    def _watch(self, lease: Lease, look: type[WatchOffers | WatchUse | PressSlab], end: LeaseEvent) -> None:
        """Have each slab looked at, and feed `end` once none is left to look at."""
        lease.watched = dict.fromkeys(lease.slabs, end)
        self._out += [look(slab) for slab in lease.slabs]
        self._end_if_seen(lease, end)

    def _offers_taken(self, event: OffersTaken) -> None:
        self._seen(event.lease_id, LeaseEvent.OFFERS_TAKEN)

    def _unused(self, event: Unused) -> None:
        self._seen(event.lease_id, LeaseEvent.UNUSED)

    def _seen(self, slab: int, end: LeaseEvent) -> None:
        lease = self._registry.slabs.get(slab)
        if lease is None or lease.watched.get(slab) is not end:
            raise _Nonsense(f"lease {slab} is not watched for {end.name}")
        del lease.watched[slab]
        self._end_if_seen(lease, end)

    def _end_if_seen(self, lease: Lease, end: LeaseEvent) -> None:
        if not lease.watched:
            self._feed_lease(lease, end)

    def _free_slabs(self, lease: Lease) -> None:
        for slab in lease.slabs:
            del self._registry.slabs[slab]
            lease.listener.slabs.remove(slab)
            self._out.append(DropSlab(slab))
        lease.slabs.clear()

    # The rest ---------------------------------------------------------------------------------------------------------

    def _want_join(self, event: WantJoin) -> None:
        self._joins.want(self._policy, self._attached(event.process_id), event)

    def _policy_changed(self, event: PolicyChanged) -> None:
        """Leases that the new rules forbid are revoked; what they refused before may be asked for again."""
        self._policy = event.policy
        for process in self._registry.processes.values():
            for listener, lease in tuple(process.leases.items()):
                if not self._allows(process, listener, lease.netns):
                    self._feed_lease(lease, LeaseEvent.POLICY_CHANGED)
        self._out.append(ListenersMoved())


def concerns(drain: Drain, process: ProcessId) -> bool:
    """Whether an administrator meant this process."""
    return drain.region in (None, process.region) and drain.uid in (None, process.uid)
