"""A connection that a server has accepted, and that may have an offer somewhere: drives the `server` machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from sdcore.protocol import layout
from sdcore.protocol.connection import ServerDo, ServerEvent, ServerState
from sdsim.host import Thread
from sdsim.kernel import Incoming
from sdsim.shared import ACCEPTED, DECLINED, EMPTY, OFFERED, PENDING, Slot
from sdsim.socket import Mode, Socket
from sdsim.units import NS, US
from sdsim.world import Steps, Violation

if TYPE_CHECKING:
    from sdsim.library import Library, Listening

OFFER_TIMEOUT_PS: Final = layout.OFFER_TIMEOUT_NS * NS
NAP_PS: Final = 200 * US


class Arrival:
    """An accepted connection that may have an offer somewhere: drives the `server` machine."""

    def __init__(self, library: Library, socket: Socket, listening: Listening, incoming: Incoming) -> None:
        self.library = library
        self.world = library.world
        self.socket = socket
        self.listening = listening
        self.incoming = incoming
        self.machine = self.world.start("server", socket.name)
        self.deadline_ps = self.world.now + OFFER_TIMEOUT_PS
        self._found: Slot | None = None
        self._answer: ServerEvent | None = None
        socket.tries = self.settle
        socket.gives_up = self.close

    def feed(self, thread: Thread, event: ServerEvent) -> Steps:
        """One event, its effects, and the event that they bring."""
        self._answer = None
        for effect in self.machine.feed(event):
            yield from self._perform(thread, cast("ServerDo", effect))
        answer = self._taken_answer()
        if answer is not None:
            yield from self.feed(thread, answer)

    def _taken_answer(self) -> ServerEvent | None:
        answer, self._answer = self._answer, None
        return answer

    def _perform(self, thread: Thread, effect: ServerDo) -> Steps:
        costs = self.world.costs
        match effect:
            case ServerDo.LOOK_UP:
                self.socket.mode = Mode.PENDING
                yield from self.library.new_slabs(thread, self.listening)
                yield thread.work(costs.cache_line)
                self._found = self._find()
                self._answer = ServerEvent.FOUND if self._found else ServerEvent.ABSENT
            case ServerDo.MARK:
                yield thread.work(costs.cache_line)
                self._swap_entries({EMPTY, DECLINED}, PENDING)
            case ServerDo.UNMARK:
                yield thread.work(costs.cache_line)
                self._swap_entries({PENDING}, EMPTY)
            case ServerDo.TRY_TAKE:
                yield thread.work(costs.cache_line)
                assert self._found is not None
                won = self._found.swap(OFFERED, ACCEPTED)
                self._answer = ServerEvent.SWAP_WON if won else ServerEvent.SWAP_LOST
                if won:
                    self._take(thread, self._found)
            case ServerDo.DECLARE_DECLINED:
                yield thread.work(costs.cache_line)
                self._answer = ServerEvent.DECLINE_WON if self._decline() else ServerEvent.DECLINE_LOST
            case ServerDo.USE_KERNEL:
                self.socket.mode = Mode.KERNEL
            case ServerDo.USE_RING:
                self.socket.mode = Mode.RING

    def _find(self) -> Slot | None:
        for slab in self.listening.slabs:
            number = slab.ports.get(self.incoming.port)
            slot = slab.slots.get(number) if number is not None and number >= 0 else None
            if slot is not None and slot.used and slot.offer == OFFERED and self._is_ours(slot):
                return slot
        return None

    def _is_ours(self, slot: Slot) -> bool:
        client = slot.ends[0]
        return client is not None and client.end is self.incoming.end.peer

    def _take(self, thread: Thread, slot: Slot) -> None:
        """Ours: leave the port's entry, and tell a client that waits because it may not send more yet."""
        slot.slab.ports.pop(slot.client_port, None)
        if slot.ends[1] is not None:
            raise Violation(f"accepted once: slot {slot.number} of {slot.slab.name} has a server already")
        self.socket.attach_slot(slot)
        self.socket.path.accepted(thread)
        self.incoming.end.watchers.append(self.socket.companion_news)
        if self.incoming.end.eof:
            self.socket.gone = True

    def _swap_entries(self, old: set[int], new: int) -> None:
        for slab in self.listening.slabs:
            if slab.ports.get(self.incoming.port, EMPTY) in old:
                slab.ports[self.incoming.port] = new
                if new == EMPTY:
                    del slab.ports[self.incoming.port]

    def _decline(self) -> bool:
        self._swap_entries({EMPTY, PENDING}, DECLINED)
        return self._find() is None

    def close(self, thread: Thread) -> Steps:
        """It closes before it is decided."""
        yield from self.feed(thread, ServerEvent.CLOSE)

    def settle(self, thread: Thread) -> Steps:
        """Wait until it is decided what moves the bytes."""
        while self.machine.state is ServerState.PENDING:
            yield from self._perform(thread, ServerDo.LOOK_UP)
            answer = self._taken_answer()
            if answer is ServerEvent.FOUND:
                yield from self.feed(thread, answer)
            elif self.incoming.end.inbox.size:
                yield from self.feed(thread, ServerEvent.COMPANION_DATA)
            elif self.incoming.end.eof or self.incoming.end.reset:
                yield from self.feed(thread, ServerEvent.COMPANION_EOF)
            elif self.world.now >= self.deadline_ps:
                yield from self.feed(thread, ServerEvent.EXPIRED)
            else:
                self.incoming.end.sleepers.append(thread)
                yield from thread.block(NAP_PS)
