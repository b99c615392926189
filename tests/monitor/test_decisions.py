"""Laws of the decisions, whatever happens in whatever order."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from sdcore.monitor import events
from sdcore.monitor.decisions import Monitor
from sdcore.monitor.identity import ANY_V4, ANY_V6, MAPPED_PREFIX, Address, ProcessId, SocketId
from sdcore.monitor.policy import Policy
from sdcore.protocol import layout

LOOPBACK = MAPPED_PREFIX + bytes((127, 0, 0, 1))
ROUTED = MAPPED_PREFIX + bytes((10, 0, 0, 1))
LEASES_MAX = 6
addresses = st.builds(Address, st.sampled_from((LOOPBACK, ROUTED, ANY_V4, ANY_V6)), st.just(80))
namespaces = st.integers(1, 2)


class Laws(RuleBasedStateMachine):
    """Random processes, sockets and deaths; a model of what memory there must be."""

    processes: Bundle[int] = Bundle("processes")
    listening: Bundle[tuple[int, int, SocketId]] = Bundle("listening")
    granted: Bundle[tuple[int, int]] = Bundle("granted")

    def __init__(self) -> None:
        super().__init__()
        self.monitor = Monitor(Policy(), LEASES_MAX)
        self.slabs: dict[int, str] = {}  # number -> live, what it is watched for, or seen
        self.alive: set[int] = set()
        self.memory_is_out = False
        self.cookies = 0
        self.pids = 100
        self.clients: dict[int, int] = {}  # slab -> process
        self.regions: dict[int, int] = {}  # process -> region
        self.drains: list[events.Drain] = []
        self.drained: set[int] = set()  # slabs

    def handle(self, event: events.Event) -> events.Reply | None:
        """Feed an event, apply its effects to the model, and return the reply."""
        replies = []
        for effect in self.monitor.handle(event, 0):
            if isinstance(effect, events.Reply):
                replies.append(effect)
            elif isinstance(effect, events.MakeSlab) and self.memory_is_out:
                self.memory_is_out = False
                return self.handle(events.SlabFailed(effect.lease_id))
            else:
                self.apply(effect)
        assert len(replies) <= 1
        return replies[0] if replies else None

    def apply(self, effect: events.Effect) -> None:
        """Memory is made once, dropped once, and touched only in between."""
        match effect:
            case events.MakeSlab(lease_id):
                assert lease_id not in self.slabs
                self.slabs[lease_id] = "live"
            case events.DropSlab(lease_id):
                assert self.slabs.pop(lease_id) != "dropped"
                self.clients.pop(lease_id, None)
            case events.WatchOffers(lease_id) | events.WatchUse(lease_id) | events.PressSlab(lease_id):
                assert lease_id in self.slabs
                self.slabs[lease_id] = type(effect).__name__
            case events.MarkDrained(lease_id):
                assert lease_id in self.slabs
                self.drained.add(lease_id)
            case events.RevokeSlab(lease_id) | events.PokeSlab(lease_id) | events.UseHeavyFence(lease_id):
                assert lease_id in self.slabs
            case events.Forget(process_id, slabs):
                self.alive.remove(process_id)
                assert {slab for slab, _ in slabs} <= set(self.slabs), "its totals must be kept before its slabs go"

    @rule(target=processes, uid=st.integers(0, 1), fences=st.booleans())
    def process_comes(self, uid: int, fences: bool) -> int:
        """A new process."""
        return self.attach(uid, fences)

    def attach(self, uid: int, fences: bool) -> int:
        """It is welcome, under a number of its own."""
        self.pids += 1
        reply = self.handle(events.Attach(ProcessId(self.pids, uid, self.pids), fences))
        assert isinstance(reply, events.Welcome)
        assert reply.process_id not in self.alive
        self.alive.add(reply.process_id)
        self.regions[reply.process_id] = self.pids
        return reply.process_id

    @rule(target=listening, process=processes, netns=namespaces, address=addresses, dual=st.booleans())
    def listen(self, process: int, netns: int, address: Address, dual: bool) -> object:
        """A process listens on a new socket."""
        self.cookies += 1
        socket = SocketId(self.cookies, netns, address, listening=True, dual=dual)
        reply = self.handle(events.Listen(process, socket))
        if process not in self.alive:
            assert isinstance(reply, events.Rejected)
            return multiple()
        assert isinstance(reply, events.Listening)
        return (process, reply.listener_id, socket)

    @rule(known=listening)
    def unlisten(self, known: tuple[int, int, SocketId]) -> None:
        """A process gives a listener up, perhaps for the second time."""
        self.handle(events.Unlisten(known[0], known[1]))

    @rule(target=granted, known=listening, uid=st.integers(0, 1))
    def client_comes(self, known: tuple[int, int, SocketId], uid: int) -> object:
        """A new process asks for a lease where somebody listens, or did."""
        return self.ask(self.attach(uid, True), known[2].netns, known[2].local, 0)

    @rule(slab=granted)
    def client_dies(self, slab: tuple[int, int]) -> None:
        """A process that was granted a lease dies."""
        self.die(slab[0])

    @rule(target=granted, process=processes, netns=namespaces, address=addresses)
    def lease(self, process: int, netns: int, address: Address) -> object:
        """A process asks for a lease."""
        return self.ask(process, netns, address, 0)

    @rule(process=processes, netns=namespaces, address=addresses, full=granted)
    def lease_more(self, process: int, netns: int, address: Address, full: tuple[int, int]) -> None:
        """A process says that a lease is full, its own or not."""
        self.ask(process, netns, address, full[1])

    def ask(self, process: int, netns: int, address: Address, full: int) -> object:
        """The reply is a slab that lives and is this client's alone, or a reason."""
        reply = self.handle(events.WantLease(process, SocketId(0, netns, address), address, full))
        if process not in self.alive:
            assert isinstance(reply, events.Rejected)
        elif isinstance(reply, events.Leased):
            assert self.slabs[reply.lease_id] == "live"
            assert reply.lease_id not in self.drained
            assert not self.is_drained(process)
            assert self.clients.setdefault(reply.lease_id, process) == process
            return (process, reply.lease_id)
        else:
            assert isinstance(reply, events.Denied)
        return multiple()

    @rule(process=processes, known=listening, after=st.integers(0, 50))
    def leases_of(self, process: int, known: tuple[int, int, SocketId], after: int) -> None:
        """A process that holds a listening socket asks for what is new."""
        reply = self.handle(events.WantLeasesOf(process, known[2], after))
        if isinstance(reply, events.Leased) and reply.lease_id:
            assert reply.lease_id > after
            assert reply.lease_id in self.slabs

    @rule()
    def memory_runs_out(self) -> None:
        """The next slab cannot be made."""
        self.memory_is_out = True

    @rule(slab=st.integers(0, 50))
    def nonsense(self, slab: int) -> None:
        """Somebody says of a slab that is not there that it failed."""
        if slab not in self.slabs:
            assert isinstance(self.handle(events.SlabFailed(slab)), events.Rejected)

    @rule(slab=granted)
    def offers_taken(self, slab: tuple[int, int]) -> None:
        """Nothing waits in a dead client's slab, or somebody says so of another one."""
        self.seen(events.OffersTaken(slab[1]), "WatchOffers")

    @rule(slab=granted)
    def unused(self, slab: tuple[int, int]) -> None:
        """Nothing is in use in a slab that is drained or of a closed listener, or somebody says so of another one."""
        self.seen(events.Unused(slab[1]), "WatchUse", "PressSlab")

    def seen(self, event: events.OffersTaken | events.Unused, *watches: str) -> None:
        """What was asked for is news once; anything else is nonsense."""
        awaited = self.slabs.get(event.lease_id) in watches
        if awaited:
            self.slabs[event.lease_id] = "seen"
        assert isinstance(self.handle(event), events.Rejected) != awaited

    @rule(process=processes)
    def drain(self, process: int) -> None:
        """An administrator drains a program: nothing that it offers in stays as it was."""
        self.drains.append(events.Drain(self.regions[process]))
        assert self.handle(self.drains[-1]) == events.Done()
        assert not process_slabs(self, process) - self.drained

    @rule(uid=st.sampled_from([0, 1]))
    def drain_all(self, uid: int) -> None:
        """A user drains all programs of his, those that come later included."""
        self.drains.append(events.Drain(None, uid))
        self.handle(self.drains[-1])

    def is_drained(self, process: int) -> bool:
        """Whether somebody drained it; who drains all is not followed here."""
        return any(drain.region == self.regions.get(process) for drain in self.drains)

    @rule(process=processes)
    def disconnect(self, process: int) -> None:
        """A connection ends, and its process lives on."""
        before = dict(self.slabs)
        self.handle(events.Disconnected(process))
        assert self.slabs == before

    @rule(process=consumes(processes))
    def any_dies(self, process: int) -> None:
        """A process dies, perhaps one that is not attached any more."""
        self.die(process)

    def die(self, process: int) -> None:
        """Of what a client leaves, only slabs in which offers may wait stay."""
        self.handle(events.Died(process))
        assert process not in self.alive
        left = [self.slabs[slab] for slab, client in self.clients.items() if client == process]
        assert set(left) <= {"WatchOffers"}

    @rule(pairs=st.sampled_from([(), ((0, 1),)]), spaces=st.booleans())
    def change_policy(self, pairs: tuple[tuple[int, int], ...], spaces: bool) -> None:
        """Other rules are in force."""
        self.handle(events.PolicyChanged(Policy.of(pairs, namespaces=spaces)))

    @invariant()
    def as_many_as_the_model(self) -> None:
        """The monitor counts what the model counts, and never too many."""
        assert self.monitor.lease_count == len(self.slabs) <= LEASES_MAX
        assert self.monitor.process_count == len(self.alive)

    def teardown(self) -> None:
        """When all are dead and no offer waits, nothing is left."""
        for process in tuple(self.alive):
            self.handle(events.Died(process))
        for slab in tuple(self.slabs):
            self.handle(events.OffersTaken(slab))
            self.handle(events.Unused(slab))
        assert (self.slabs, self.alive) == ({}, set())
        assert self.monitor.listener_count == 0


def process_slabs(laws: Laws, process: int) -> set[int]:
    """The slabs that a living process was granted."""
    return {slab for slab, client in laws.clients.items() if client == process and process in laws.alive}


Laws.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestLaws = Laws.TestCase


@pytest.mark.parametrize("seed", range(8))
def test_the_laws_hold_on_a_long_walk(seed: int) -> None:
    """Hypothesis tries many short stories; this is a long one, in which lives overlap."""
    dice, laws = random.Random(seed), Laws()
    listening: list[tuple[int, int, SocketId]] = []
    granted = [(0, 0)]
    for _ in range(600):
        process = dice.choice([*laws.alive, 0])
        known = dice.choice(listening) if listening else None
        act = dice.randrange(13)
        if act < 2:
            laws.attach(dice.randrange(2), dice.random() < 0.9)
        elif act == 2 and process:
            address = Address(dice.choice((LOOPBACK, ANY_V4, ANY_V6)), 80)
            laws.cookies += 1
            socket = SocketId(laws.cookies, dice.randrange(2), address, listening=True, dual=True)
            reply = laws.handle(events.Listen(process, socket))
            assert isinstance(reply, events.Listening)
            listening.append((process, reply.listener_id, socket))
        elif act < 7 and known is not None:
            lease = laws.ask(process, known[2].netns, known[2].local, dice.choice(granted)[1])
            granted += [lease] if isinstance(lease, tuple) else []
            laws.leases_of(dice.choice([*laws.alive, 0]), known, dice.choice(granted)[1])
        elif act == 7 and known is not None:
            laws.unlisten(known)
        elif act == 8:
            laws.offers_taken(dice.choice(granted))
        elif act == 9:
            laws.unused(dice.choice(granted))
        elif act == 10 and process:
            laws.die(process)
        elif act == 11 and process and dice.random() < 0.3:
            laws.drain(process)
        else:
            laws.change_policy(dice.choice([(), ((0, 1),)]), dice.random() < 0.5)
            laws.memory_is_out = dice.random() < 0.3
        laws.as_many_as_the_model()
    laws.teardown()


# Single decisions -----------------------------------------------------------------------------------------------------


def attach(monitor: Monitor, pid: int, uid: int = 0, region: int = 1, **more: int) -> int:
    """Attach a process; returns its number."""
    replies = monitor.handle(events.Attach(ProcessId(pid, uid, region), **more), 0)  # type: ignore[arg-type]
    (welcome,) = [reply for reply in replies if isinstance(reply, events.Welcome)]
    return welcome.process_id


def test_the_same_process_stays_the_same_and_another_program_does_not() -> None:
    monitor = Monitor(Policy())
    number = attach(monitor, 5, region=1)
    assert attach(monitor, 5, region=1) == number
    effects = monitor.handle(events.Attach(ProcessId(5, 0, 2)), 0)
    assert events.Forget(number, frozenset()) in effects
    assert monitor.process_count == 1


@pytest.mark.parametrize(("secret", "region", "proven"), [(7, 1, 1), (8, 1, 0), (0, 1, 0), (7, 2, 0)])
def test_a_parent_is_proven_by_secret_and_region(secret: int, region: int, proven: int) -> None:
    monitor = Monitor(Policy())
    parent = attach(monitor, 5, child_secret=7)
    attach(monitor, 6, region=region, parent_id=parent, secret=secret)
    assert monitor.counts["attach_monitor.JOIN_FAMILY"] == proven


def test_a_secret_of_zero_proves_nothing() -> None:
    monitor = Monitor(Policy())
    attach(monitor, 6, parent_id=attach(monitor, 5, child_secret=0), secret=0)
    assert monitor.counts["attach_monitor.JOIN_FAMILY"] == 0


def test_another_user_at_an_abandoned_address_gets_nothing_of_the_old_listener() -> None:
    monitor = Monitor(Policy())
    old, new = attach(monitor, 1, uid=1, region=1), attach(monitor, 2, uid=2, region=2)
    there = Address(LOOPBACK, 80)
    monitor.handle(events.Listen(old, SocketId(10, 1, there, listening=True)), 0)
    monitor.handle(events.WantLease(old, SocketId(0, 1, there), there), 0)
    effects = monitor.handle(events.WantLeasesOf(new, SocketId(11, 1, there, listening=True), 0), 0)
    (reply,) = [effect for effect in effects if isinstance(effect, events.Leased)]
    assert reply.lease_id == 0
    (revoked,) = [effect.lease_id for effect in effects if isinstance(effect, events.RevokeSlab)]
    assert events.DropSlab(revoked) in monitor.handle(events.Unused(revoked), 0)
    assert monitor.lease_count == 0


def test_policy_names_the_pair_in_either_order() -> None:
    policy = Policy.of([(1, 2)])
    assert policy.users(2, 1)
    assert policy.users(3, 3)
    assert not policy.users(0, 1)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_routed_address_in_another_namespace_is_for_policy_to_allow(allowed: bool) -> None:
    monitor = Monitor(Policy(namespaces=allowed))
    number, there = attach(monitor, 1), Address(ROUTED, 80)
    monitor.handle(events.Listen(number, SocketId(10, 1, there, listening=True)), 0)
    effects = monitor.handle(events.WantLease(number, SocketId(0, 2, there), there), 0)
    assert any(isinstance(effect, events.Leased) for effect in effects) == allowed
    assert (events.Denied(layout.REASON_POLICY) in effects) != allowed
