"""Scenes: short scripts about the monitor's life and what its absence costs, for the mutants of its tables.

Scenarios are about many connections at a time. A scene goes step by step: a director calls for one thing, waits until
it is done, and notes what a program or an administrator could see: what carried a connection, which error came, how
many slabs and leases the monitor still remembers. A changed table is noticed if a note differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sdcore.monitor import events
from sdcore.monitor.policy import Policy
from sdcore.protocol import layout
from sdsim.fork import fork
from sdsim.host import Thread
from sdsim.library import USER, Library, Listening, Refused
from sdsim.outcome import FAULTS
from sdsim.site import Site
from sdsim.socket import Mode, Socket
from sdsim.units import MS
from sdsim.world import Settings, Steps, World

WHILE_PS: Final = 400 * MS
"""Longer than the retries and looks of library and monitor."""
LONGEST_PS: Final = 20_000 * MS
OFFER_OVER_PS: Final = layout.OFFER_TIMEOUT_NS * 1000 + 20 * MS


STRANGER: Final = USER + 1


class Scene:
    """A world with a director.

    Attributes:
        notes: what could be seen.
        asked: requests that the monitor had served at each count, and those that it had rejected.
    """

    def __init__(self, settings: Settings) -> None:
        self.world = World(settings)
        self.site = Site(self.world, cores=8)
        self.notes: list[str] = []
        self.asked: list[int] = []
        self._cores = 0

    def process(self, *, accelerated: bool = True, user: int = USER) -> Library:
        """A new process."""
        library = Library(self.site, self.site.hosts[0], accelerated=accelerated)
        library.user = user
        return library

    def call(self, library: Library, body: Callable[[Thread], Steps]) -> Steps:
        """Let a new thread of a process do something; what it returns."""
        self._cores += 1
        thread = library.run(self._cores % 7, body)
        yield thread.process
        return thread.result

    def listen(self, server: Library, port: int = 7000) -> Steps:
        """A listening socket of a process."""
        return self.call(server, lambda thread: server.listen(thread, self.site.address(port=port)))

    def stop(self, server: Library, listening: Listening) -> Steps:
        """Close it."""
        return self.call(server, lambda thread: server.stop_listening(thread, listening))

    def connect(self, client: Library, port: int = 7000) -> Steps:
        """One end of a new connection."""
        return self.call(client, lambda thread: client.connect(thread, self.site.address(port=port)))

    def meet(self, client: Library, server: Library, listening: Listening) -> Steps:
        """A connection over which a byte went both ways; both ends."""
        near = yield from self.connect(client, listening.socket.local.port)
        yield from self.send(near)
        far = yield from self.call(server, lambda thread: server.accept(thread, listening))
        yield from self.receive(far)
        yield from self.send(far)
        yield from self.receive(near)
        return near, far

    def send(self, end: Socket) -> Steps:
        """Send one byte."""
        return self.call(end.library, lambda thread: end.send(thread, 1))

    def receive(self, end: Socket, most: int = 1) -> Steps:
        """Receive bytes; 0 at the end of the stream."""
        return self.call(end.library, lambda thread: end.receive(thread, most))

    def send_until_broken(self, end: Socket) -> Steps:
        """Send bytes that nobody reads; notes how many went before each of two errors."""
        for number in range(5):
            try:
                yield from self.send(end)
            except FAULTS as fault:
                self.notes.append(f"{type(fault).__name__} after {number}")

    def part(self, near: Socket, far: Socket) -> Steps:
        """Close both ends."""
        yield from self.call(near.library, near.close)
        yield from self.call(far.library, far.close)

    def visit(self, client: Library, server: Library, listening: Listening) -> Steps:
        """A connection from begin to end; notes what carried it."""
        try:
            near, far = yield from self.meet(client, server, listening)
        except Refused:
            self.notes.append("refused")
            return
        self.notes.append(near.mode.value if near.mode is far.mode else f"{near.mode.value} and {far.mode.value}")
        yield from self.part(near, far)

    def wait(self, ps: int = WHILE_PS) -> Steps:
        """Let time pass."""
        yield self.world.env.timeout(ps)

    def count(self) -> None:
        """Note what the monitor remembers."""
        known = self.site.monitor.decisions
        members = f"{known.process_count} processes, {known.listener_count} listeners"
        self.notes.append(f"{members}, {known.lease_count} slabs, {known.remembered_leases} leases")
        self.asked += [self.site.monitor.requests, self.site.monitor.rejected]


Play = Callable[[Scene], Steps]


def monitor_returns(scene: Scene) -> Steps:
    """The monitor dies and a new one comes: leases live on; without one it is the kernel, until all attach again."""
    server, old = scene.process(), scene.process()
    one, other = (yield from scene.listen(server)), (yield from scene.listen(server, 7001))
    yield from scene.visit(old, server, one)
    scene.site.monitor.crash()
    yield from scene.visit(old, server, one)
    yield from scene.visit(old, server, other)
    young = scene.process()
    yield from scene.visit(young, server, one)
    yield from scene.wait()
    yield from scene.visit(old, server, other)
    scene.site.monitor.restart()
    yield from scene.wait()
    for client in (old, young, scene.process()):
        yield from scene.visit(client, server, other)
        yield from scene.visit(client, server, one)
    scene.count()


def monitor_dies_in_the_middle(scene: Scene) -> Steps:
    """It dies while a request waits for its answer: a hello, a listener, a lease, a slab more."""
    for what in ("hello", "lease"):
        server, client = scene.process(), scene.process()
        port = {"hello": 7000, "lease": 7001}[what]
        listening = yield from scene.listen(server, port)
        if what == "lease":
            second = yield from scene.listen(server, 7002)
            yield from scene.visit(client, server, second)
        scene.site.monitor.dies_at = object
        yield from scene.visit(client, server, listening)
        yield from scene.wait()
        scene.site.monitor.restart()
        yield from scene.wait()
        yield from scene.visit(client, server, listening)
    scene.site.monitor.dies_at = object
    late = scene.process()
    listening = yield from scene.listen(late, 7003)
    yield from scene.visit(scene.process(), late, listening)
    scene.site.monitor.restart()
    yield from scene.wait()
    yield from scene.visit(scene.process(), late, listening)


def monitor_dies_while_listeners_come_back(scene: Scene) -> Steps:
    """A listener that could not be registered again still takes up offers in the slabs that it has."""
    server, client = scene.process(), scene.process()
    listening = yield from scene.listen(server)
    yield from scene.visit(client, server, listening)
    scene.site.monitor.crash()
    scene.site.monitor.restart()
    scene.site.monitor.dies_at = events.Listen
    yield from scene.listen(server, 7001)
    yield from scene.wait()
    yield from scene.visit(client, server, listening)


def server_without_the_library(scene: Scene) -> Steps:
    """Refused, until a listener comes; then that one's slab, and once it is gone, the next one's."""
    plain, client = scene.process(accelerated=False), scene.process()
    listening = yield from scene.listen(plain)
    yield from scene.visit(client, plain, listening)
    yield from scene.visit(client, plain, listening)
    yield from scene.stop(plain, listening)
    for _ in range(2):
        server = scene.process()
        listening = yield from scene.listen(server)
        yield from scene.visit(client, server, listening)
        scene.count()
        yield from scene.stop(server, listening)
        yield from scene.wait()
        scene.count()
    yield from scene.visit(client, server, (yield from scene.listen(server)))


def listener_closed_in_use(scene: Scene) -> Steps:
    """A slab lives as long as a connection in it, and no longer; with the client's death it goes as well."""
    for dies in (False, True):
        server, client = scene.process(), scene.process()
        listening = yield from scene.listen(server)
        near, far = yield from scene.meet(client, server, listening)
        yield from scene.stop(server, listening)
        yield from scene.wait()
        scene.count()
        if dies:
            client.exit()
            yield from scene.call(server, far.close)
        else:
            yield from scene.part(near, far)
        yield from scene.wait()
        scene.count()
        server.exit()
        client.exit()
        yield from scene.wait()
        scene.count()


def client_dies(scene: Scene) -> Steps:
    """What it had goes: its slab, when nobody may find an offer there any more."""
    server = scene.process()
    listening = yield from scene.listen(server)
    for offers in (False, True):
        client = scene.process()
        if offers:
            near = yield from scene.connect(client)
            yield from scene.send(near)
        else:
            yield from scene.visit(client, server, listening)
        client.exit()
        yield from scene.wait()
        scene.count()
    far = yield from scene.call(server, lambda thread: server.accept(thread, listening))
    scene.notes.append(f"{yield from scene.receive(far)} bytes of the dead")
    yield from scene.call(server, far.close)
    yield from scene.wait()
    scene.count()


def client_dies_with_an_offer(scene: Scene) -> Steps:
    """It waits in a slab for nobody: the listener is closed, or its process dies."""
    for server_dies in (False, True):
        server, client = scene.process(), scene.process()
        listening = yield from scene.listen(server)
        yield from scene.connect(client)
        client.exit()
        yield from scene.wait()
        scene.count()
        if server_dies:
            server.exit()
        else:
            yield from scene.stop(server, listening)
        yield from scene.wait()
        scene.count()


def one_of_two_servers_dies(scene: Scene) -> Steps:
    """A forked family listens: the lease lives on with the child, and ends with it."""
    parent, client = scene.process(), scene.process()
    listening = yield from scene.listen(parent)
    child: Library = yield from scene.call(parent, lambda thread: fork(thread, parent))
    heir = child.listenings[0]
    yield from scene.visit(client, child, heir)
    near, _ = yield from scene.meet(client, parent, listening)
    parent.exit()
    yield from scene.wait()
    yield from scene.send_until_broken(near)
    yield from scene.call(client, near.close)
    yield from scene.wait()
    yield from scene.visit(client, child, heir)
    scene.count()
    dead = scene.process()
    yield from scene.visit(dead, child, heir)
    dead.exit()
    yield from scene.wait()
    child.exit()
    yield from scene.wait()
    scene.count()
    server = scene.process()
    yield from scene.visit(client, server, (yield from scene.listen(server)))


def more_than_a_slab(scene: Scene) -> Steps:
    """Full slabs: one more is asked for; a monitor that is gone has none; slots come free again."""
    server, client = scene.process(), scene.process()
    listening = yield from scene.listen(server)
    pairs = []
    for number in range(2 * layout.SLOTS + 3):
        if number == 2 * layout.SLOTS:
            scene.site.monitor.crash()
        pairs.append((yield from scene.meet(client, server, listening)))
    scene.notes.append(f"{sum(near.mode is Mode.RING for near, _ in pairs)} of {len(pairs)} by rings")
    for near, far in pairs:
        yield from scene.part(near, far)
    yield from scene.visit(client, server, listening)


def a_second_slab(scene: Scene) -> Steps:
    """It is revoked like the first: who listens next is found by another."""
    server, client = scene.process(), scene.process()
    listening = yield from scene.listen(server)
    pairs = []
    for _ in range(layout.SLOTS + 1):
        pairs.append((yield from scene.meet(client, server, listening)))
    for near, far in pairs:
        yield from scene.part(near, far)
    yield from scene.stop(server, listening)
    yield from scene.wait()
    scene.count()
    yield from scene.visit(client, server, (yield from scene.listen(server)))


def slow_server(scene: Scene) -> Steps:
    """An offer waits as long as its connection is in the backlog, however long that is."""
    server, client = scene.process(), scene.process()
    listening = yield from scene.listen(server)
    near = yield from scene.connect(client)
    heard = scene.world.spawn(scene.receive(near))
    yield from scene.wait(3 * OFFER_OVER_PS)
    far = yield from scene.call(server, lambda thread: server.accept(thread, listening))
    yield from scene.send(far)
    scene.notes.append(f"{(yield heard)} byte, {far.mode.value}")
    yield from scene.part(near, far)
    yield from scene.visit(client, server, listening)


def stranger_accepts(scene: Scene) -> Steps:
    """Who inherited the listener and lacks the library takes no offer up: back-off, and an end of it."""
    server, client, stranger = scene.process(), scene.process(), scene.process(accelerated=False)
    listening = yield from scene.listen(server)
    inherited = Listening(scene.world.start("listener", stranger.name), listening.kernel, listening.socket)
    for _ in range(2):
        near = yield from scene.connect(client)
        heard = scene.world.spawn(scene.receive(near))
        far = yield from scene.call(stranger, lambda thread: stranger.accept(thread, inherited))
        yield from scene.wait(OFFER_OVER_PS)
        ends = [near, (yield from scene.connect(client)), (yield from scene.connect(client))]
        scene.notes.append(", ".join(end.mode.value for end in ends))
        yield from scene.send(far)
        scene.notes.append(f"{(yield heard)} byte")
        for _ in ends[1:]:
            yield from _turn_away(scene, stranger, inherited)
        for end in ends:
            yield from scene.call(client, end.close)
        yield from scene.call(stranger, far.close)
        yield from scene.wait()
        yield from scene.visit(client, server, listening)


def _turn_away(scene: Scene, server: Library, listening: Listening) -> Steps:
    far = yield from scene.call(server, lambda thread: server.accept(thread, listening))
    yield from scene.call(server, far.close)


def policy_changes(scene: Scene) -> Steps:
    """Forbidden, what was allowed; and allowed again."""
    server, client = scene.process(), scene.process(user=STRANGER)
    listening = yield from scene.listen(server)
    for policy in (Policy.of([(USER, STRANGER)]), Policy(), Policy.of([(USER, STRANGER)]), Policy(), Policy()):
        scene.site.monitor.tell(events.PolicyChanged(policy))
        yield from scene.wait()
        yield from scene.visit(client, server, listening)
        scene.count()
    yield from scene.stop(server, listening)
    yield from scene.wait()
    scene.count()


def more_is_asked_for_than_there_is(scene: Scene) -> Steps:
    """A receiver gets what there is, however much it has room for."""
    server, client = scene.process(), scene.process()
    near, far = yield from scene.meet(client, server, (yield from scene.listen(server)))
    for sent, most in ((1, 10), (3, 2), (0, 10), (2, 2), (3, 9)):
        for _ in range(sent):
            yield from scene.send(near)
        yield from scene.wait()
        scene.notes.append(f"{yield from scene.receive(far, most)} of {most}")
    yield from scene.part(near, far)


SCENES: Final[Mapping[str, Play]] = {
    play.__name__: play
    for play in (
        monitor_returns, monitor_dies_in_the_middle, server_without_the_library, listener_closed_in_use, client_dies,
        client_dies_with_an_offer, one_of_two_servers_dies, more_than_a_slab,
        a_second_slab, slow_server, stranger_accepts, policy_changes, more_is_asked_for_than_there_is,
        monitor_dies_while_listeners_come_back,
    )
}  # fmt: skip


def play(name: str, settings: Settings) -> Scene:
    """Play a scene until its director is done. Laws that only hold when everything is over are not checked.

    Raises:
        Violation, LocalError, PeerError: a law was broken.
    """
    scene = Scene(settings)
    director = scene.world.spawn(SCENES[name](scene))
    try:
        scene.world.env.run(until=director | scene.world.env.timeout(LONGEST_PS))
    except FAULTS as fault:
        scene.notes.append(f"got {type(fault).__name__}")
    if director.is_alive:
        scene.notes.append("not over")
    return scene
