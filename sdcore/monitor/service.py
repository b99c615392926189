"""Answers requests: asks the kernel who and what, lets `decisions` decide, and performs the effects.

Owns the regions and the pidfds; memory is the business of `effects`. Does not block and does not wait.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Protocol

from sdcore.monitor import events, kernel, report, wire
from sdcore.monitor.carrier import Carriers
from sdcore.monitor.decisions import CLIENT, SERVER, Monitor
from sdcore.monitor.effects import Performer
from sdcore.monitor.identity import Address, Place, ProcessId, UnixName
from sdcore.monitor.keeper import Keeper
from sdcore.monitor.memory import Slab
from sdcore.monitor.policy import Policy
from sdcore.monitor.region import Region, SocketRecord, WrongVersion
from sdcore.monitor.regions import Regions
from sdcore.monitor.session import BAD, Answer, Session, denied
from sdcore.protocol import layout, messages

log = logging.getLogger(__name__)

KEPT_LOOK_S = 30.0
"""How often a family without an attached process is looked for."""


class Watcher(Protocol):
    """What the service needs of the event loop."""

    def watch_death(self, pidfd: int, process_id: int) -> None:
        """Call `process_died` once when the pidfd becomes readable."""

    def unwatch(self, pidfd: int) -> None:
        """Forget a pidfd."""

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call once, after a while."""

    def begin(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a job beside everything else."""

    def stop(self) -> None:
        """End the monitor after the replies under way."""


@dataclass(frozen=True)
class Tracked:
    """An attached process: its pidfd and its family's region, both owned here."""

    pidfd: int
    region: Region


class Service:
    """The monitor's work behind its socket."""

    def __init__(self, monitor: Monitor, watcher: Watcher, faults: Counter[str]) -> None:
        """Make the status page, which is not alive yet.

        Raises:
            OSError: no memory or no descriptor is left.
        """
        self.monitor = monitor
        self.regions = Regions()
        self.performer = Performer(watcher.later, self._decide)
        self._watcher = watcher
        self._carriers = Carriers()
        self._keeper = Keeper()
        self._faults = faults
        self._tracked: dict[int, Tracked] = {}
        self._started_s = time.time()
        self._handlers: Mapping[int, Callable[[Session, wire.Request, list[int]], Answer]] = {
            messages.MSG_HELLO: self._hello,
            messages.MSG_LISTEN: self._listen,
            messages.MSG_UNLISTEN: self._unlisten,
            messages.MSG_LEASE: self._lease,
            messages.MSG_LEASES_OF: self._leases_of,
            messages.MSG_STATUS: self._status,
            messages.MSG_SOCKETS: self._sockets,
            messages.MSG_STOP: self._stop,
            messages.MSG_CARRY: self._carry,
            messages.MSG_KEEP: self._keep,
            messages.MSG_KEPT: self._kept,
            messages.MSG_LET_GO: self._let_go,
            messages.MSG_DRAIN: self._drain,
            messages.MSG_JOIN: self._join,
        }

    # Requests ---------------------------------------------------------------------------------------------------------

    def answer(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        """Answer one request; takes the descriptors that it keeps out of the list."""
        try:
            return self._handlers[request.type](session, request, descriptors)
        except kernel.WrongDescriptor as error:
            log.info("process %d passed a wrong descriptor: %s", session.credentials.pid, error)
            self._faults["wrong_descriptors"] += 1
            return BAD
        except WrongVersion:
            return denied(layout.REASON_VERSION)
        except OSError as error:
            log.warning("no resources for process %d: %s", session.credentials.pid, error)
            self._faults["no_resources"] += 1
            return denied(layout.REASON_NO_MEMORY)

    def _hello(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        hello = request.body
        assert hello is not None
        if session.credentials.pid == 0:  # in a pid namespace outside of ours: it could not be told from others
            return denied(layout.REASON_POLICY)
        pidfd = kernel.peer_pidfd(session.connection, session.credentials.pid)
        try:
            # The memory of another version is not looked at; the hello is refused for its version.
            ours = hello.version == layout.LAYOUT_VERSION
            region = self.regions.adopt(descriptors[0]) if ours else None
        except (OSError, kernel.WrongDescriptor, WrongVersion):
            os.close(pidfd)
            raise
        if region is not None:
            descriptors.clear()
        attach = events.Attach(
            ProcessId(session.credentials.pid, session.credentials.uid, region.inode if region else 0),
            fences=bool(hello.capabilities & messages.HELLO_MEMBARRIER),
            version=hello.version,
            parent_id=hello.parent_id,
            secret=hello.secret,
            child_secret=hello.child_secret,
        )
        reply = self._decide(attach)
        self._track(session, reply, pidfd, region)
        return replace(self._packed(reply), ends=not isinstance(reply, events.Welcome))

    def _track(self, session: Session, reply: events.Reply, pidfd: int, region: Region | None) -> None:
        """Keep what a welcomed process brought, once; give up what anybody else did."""
        if isinstance(reply, events.Welcome) and region is not None:
            session.process_id = reply.process_id
            if reply.process_id not in self._tracked:
                self._tracked[reply.process_id] = Tracked(pidfd, region)
                self.regions.hold(region)
                self._watcher.watch_death(pidfd, reply.process_id)
                return
        os.close(pidfd)
        if region is not None:
            self.regions.drop_unheld(region)

    def _listen(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        return self._packed(self._decide(events.Listen(session.process_id, kernel.identify_socket(descriptors[0]))))

    def _unlisten(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        assert request.body is not None
        return self._packed(self._decide(events.Unlisten(session.process_id, request.body.listener_id)))

    def _lease(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        assert request.body is not None
        client = kernel.identify_socket(descriptors[0])
        event = events.WantLease(session.process_id, client, _destination(request.body), request.body.full_lease)
        return self._packed(self._decide(event))

    def _leases_of(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        assert request.body is not None
        socket = kernel.identify_socket(descriptors[0])
        return self._packed(self._decide(events.WantLeasesOf(session.process_id, socket, request.body.lease_id)))

    def _join(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        assert request.body is not None
        socket, peer = kernel.identify_connection(descriptors[0])
        same, other = self.regions.with_ends(socket.local, peer), self.regions.with_ends(peer, socket.local)
        event = events.WantJoin(session.process_id, socket, peer, request.body.index, same, other)
        return self._packed(self._decide(event))

    def _status(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        document = report.status(self.monitor, self._faults, self._started_s)
        return self._document(document)

    def _sockets(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        return self._document(report.sockets(self.monitor, self.regions, self.performer.slabs, self._viewer(session)))

    def _drain(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        """Users drain their own programs, the master those of all. Asked again, it only tells how far it has come."""
        assert request.body is not None
        pid = request.body.pid
        drain = events.Drain(self._region_of(pid) if pid else None, self._viewer(session))
        processes, before = self._undrained(drain)
        if processes or not pid:
            self._decide(drain)
        return self._document({"processes": processes, "before": len(before), "left": self._undrained(drain)[1]})

    def _undrained(self, drain: events.Drain) -> tuple[int, list[dict[str, Any]]]:
        return report.undrained(self.monitor, self.regions, self.performer.slabs, drain)

    def _region_of(self, pid: int) -> int:
        """The region of a process, also of one that was forked and has not attached itself; 0 is nobody's."""
        known = self.monitor.region_of(pid)
        if known is not None:
            return known
        mapped = (region.inode for region in self.regions.all() if kernel.surely_maps_memory(pid, region.inode))
        return next(mapped, 0)

    def _stop(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        if not self._is_master(session):
            return denied(layout.REASON_POLICY)
        self._watcher.stop()
        return Answer()

    def _carry(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        """Only bytes of a ring that its sender sees anyway, into a connection that it holds: it gains nothing new."""
        wanted = request.body
        assert wanted is not None
        data: bytes | None = b""
        if wanted.begin != wanted.end:  # else no lease is needed, which may be gone while a connection lives on
            region = self._family(session)
            if not any(self.monitor.is_party(region, wanted.lease_id, side) for side in (CLIENT, SERVER)):
                return denied(layout.REASON_POLICY)
            slab = self.performer.slabs[wanted.lease_id]
            data = slab.ring_bytes(wanted.slot, wanted.direction, wanted.begin, wanted.end, wanted.base)
        if data is None or any(kernel.identify_socket(fd).listening for fd in descriptors):
            return BAD
        if not self._carriers.has_room(len(data)):
            return denied(layout.REASON_NO_MEMORY)
        to, *other = [_taken_over(fd) for fd in descriptors]
        descriptors.clear()
        self._watcher.begin(self._carriers.carry(data, to, other[0] if other else None))
        return Answer()

    def _keep(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        """For its own family alone, whose memory says under which number."""
        assert request.body is not None
        family = self._family(session)
        if kernel.identify_socket(descriptors[0]).listening:
            return BAD
        if not family or not self._keeper.keep(family, request.body.number, descriptors[0]):
            return denied(layout.REASON_NO_MEMORY)
        descriptors.clear()
        return Answer()

    def _kept(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        assert request.body is not None
        fd = self._keeper.find(self._family(session), request.body.number)
        return denied(layout.REASON_NO_MEMORY) if fd is None else Answer(descriptors=(fd,))

    def _let_go(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        assert request.body is not None
        self._keeper.let_go(self._family(session), request.body.number)
        return Answer()

    def _family(self, session: Session) -> int:
        """The inode of the region of an attached process, else 0."""
        tracked = self._tracked.get(session.process_id)
        return tracked.region.inode if tracked else 0

    def _viewer(self, session: Session) -> int | None:
        """Whose programs a session may see: its user's, or all (None)."""
        return None if self._is_master(session) else session.credentials.uid

    def _is_master(self, session: Session) -> bool:
        return session.credentials.uid in (0, os.geteuid())

    def _document(self, document: Any) -> Answer:
        """A document travels as a memfd; it may be longer than a packet."""
        text = json.dumps(document).encode()
        memory = os.memfd_create("sdcore-report", os.MFD_CLOEXEC)
        with open(memory, "wb", closefd=False) as file:
            file.write(text)
        return Answer(descriptors=(memory,), close_after=(memory,))

    # What is not asked for --------------------------------------------------------------------------------------------

    def process_died(self, process_id: int) -> None:
        """A pidfd became readable."""
        self._decide(events.Died(process_id))

    def session_ended(self, session: Session) -> None:
        """A control connection is at its end. Its process is dead, another program by now, or simply tidy."""
        tracked = self._tracked.get(session.process_id)
        if tracked is None:
            return
        same = kernel.maps_memory(session.credentials.pid, tracked.region.inode)
        self._decide((events.Disconnected if same else events.Replaced)(session.process_id))

    def change_policy(self, policy: Policy) -> None:
        """Other rules are in force from now on."""
        self.performer.page.set_elsewhere(policy.namespaces)
        self._decide(events.PolicyChanged(policy))

    # Effects ----------------------------------------------------------------------------------------------------------

    def _decide(self, event: events.Event) -> events.Reply:
        """Feed one event and perform what comes of it, in order; returns the reply."""
        reply: events.Reply = events.Done()
        for effect in self.monitor.handle(event, time.monotonic_ns()):
            if isinstance(effect, events.Reply):
                reply = effect
            elif isinstance(effect, events.Forget):
                self._forget(effect)
            elif isinstance(effect, events.Invite):
                self.regions.invite(effect.region, effect.index)
            elif not isinstance(effect, events.MakeSlab):
                self.performer.perform(effect)
            elif not self.performer.make_slab(effect):
                self._faults["no_resources"] += 1
                return self._decide(events.SlabFailed(effect.lease_id))
        return reply

    def _forget(self, process: events.Forget) -> None:
        tracked = self._tracked.pop(process.process_id)
        self._watcher.unwatch(tracked.pidfd)
        os.close(tracked.pidfd)

        def slab_of(_region: Region, record: SocketRecord) -> Slab | None:
            ours = (record.lease_id, record.side) in process.slabs
            return self.performer.slabs.get(record.lease_id) if ours else None

        self.regions.release(tracked.region, slab_of)
        self._forget_kept(tracked.region.inode)

    def _forget_kept(self, family: int) -> None:
        """Let go what a family left that is gone; its processes may live on without ever having attached."""
        if not self._keeper.has(family) or self.regions.knows(family):
            return
        if kernel.is_mapped_somewhere(family):
            self._watcher.later(KEPT_LOOK_S, lambda: self._forget_kept(family))
        else:
            self._keeper.forget(family)

    # Replies ----------------------------------------------------------------------------------------------------------

    def _packed(self, reply: events.Reply) -> Answer:
        match reply:
            case events.Welcome(process_id):
                return Answer(body=messages.WELCOME.pack(process_id=process_id), descriptors=(self.performer.page.fd,))
            case events.Listening(listener_id):
                return Answer(body=messages.LISTENER.pack(listener_id=listener_id))
            case events.Leased(lease_id, listener_id):
                slab = self.performer.slabs.get(lease_id)
                body = messages.LEASE.pack(lease_id=lease_id, listener_id=listener_id)
                return Answer(body=body, descriptors=(slab.fd,) if slab else ())
            case events.Denied(reason):
                return denied(reason)
            case events.Rejected(text):
                log.info("rejected: %s", text)
                self._faults["rejected_requests"] += 1
                return BAD
            case events.Done():
                return Answer()

    def close(self) -> None:
        """Say that nobody serves any more, and give up everything."""
        self.performer.close()
        for tracked in self._tracked.values():
            self._watcher.unwatch(tracked.pidfd)
            os.close(tracked.pidfd)
        self._tracked.clear()
        self._keeper.close()
        self.regions.close()


def _destination(wanted: SimpleNamespace) -> Place:
    """Where a client wants to go. Its own affair: who gets offers there was identified by the kernel."""
    if wanted.family != socket.AF_UNIX:
        return Address(wanted.ip, wanted.port)
    if wanted.name_bytes:
        return UnixName(abstract=wanted.name[: wanted.name_bytes])
    device, inode = (int.from_bytes(half, sys.byteorder) for half in (wanted.ip[:8], wanted.ip[8:]))
    return UnixName(device=device, inode=inode)


def _taken_over(fd: int) -> socket.socket:
    """A connection whose descriptor is ours from now on."""
    connection = socket.socket(fileno=fd)
    connection.setblocking(False)
    return connection
