"""The token of one direction of a shared socket: drives `token_owner` between threads of one or of several processes.

The machine decides who may enter; this file keeps the queue of tickets, waits (a thread that wants a token spins and
yields, as in the library), and says what a fence or a swap costs. A step of the machine is atomic here, as it is in the
library, where it is one compare and swap.

    law     one token: never two inside
    law     first come, first served: the token goes to the oldest ticket whose thread lives
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sdcore.protocol.kit import Effect
from sdcore.protocol.token import TokenDo, TokenEvent, TokenState
from sdsim.host import Thread
from sdsim.units import US
from sdsim.world import Steps, Violation, World

LOOK_AGAIN_PS = 100 * US
"""A thread that waits asks after this whether those whom it waits for still live."""
VAIN_LOOKS_MAX = 100
"""So many looks at a token that nobody uses are a wait without end."""


@dataclass(frozen=True, eq=False)
class Ticket:
    """A place in the queue."""

    number: int
    thread: Thread


class Token:
    """One token.

    Args:
        repair: makes good what a thread that died inside left half done.

    Attributes:
        inside: who is inside, dead or alive.
        grants: how often anybody entered; takeovers: how often somebody else than the time before.
    """

    def __init__(self, world: World, name: str, repair: Callable[[], None]) -> None:
        self.world = world
        self.name = name
        self.repair = repair
        self.machine = world.start("token_owner", name)
        self.inside: Thread | None = None
        self.grants = self.takeovers = 0
        self._last: Thread | None = None
        self._numbers: dict[Thread, int] = {}
        self._queue: deque[Ticket] = deque()

    def holding(self, thread: Thread, steps: Steps) -> Steps:
        """Do something inside. A thread that dies there stays inside until somebody notices."""
        yield from self.enter(thread)
        try:
            return (yield from steps)
        finally:
            if not thread.dead:
                self._leave()

    def enter(self, thread: Thread) -> Steps:
        """Come to be the one inside."""
        number = self._numbers.setdefault(thread, len(self._numbers) + 1)
        regs, costs = self.machine.regs, self.world.costs
        if self.machine.state is not TokenState.HELD or regs["owner"] != number:
            yield thread.work(2 * costs.cache_line)
        ticket = Ticket(regs["holding"] + regs["waiters"], thread)
        outside = regs["owner"] != 0 and self.inside is None
        event = TokenEvent.WANT_IDLE if outside or regs["owner"] == number else TokenEvent.WANT
        effects = self.machine.feed(event, number)
        if TokenDo.QUEUE in effects:
            self._queue.append(ticket)
            effects = yield from self._wait(ticket, number)
        elif any(not waiting.thread.dead for waiting in self._queue):
            raise Violation(f"first come, first served: {thread.name} enters {self.name} before those who wait")
        self._enter(thread, effects)

    def _wait(self, ticket: Ticket, number: int) -> Steps:
        vain = 0
        while True:
            self._bury()
            if ticket.number == self.machine.regs["holding"]:
                effects = yield from self._my_turn(ticket.thread, number)
                if TokenDo.GRANT in effects:
                    if self._queue.popleft() is not ticket:
                        raise Violation(f"first come, first served: {self.name} went to {ticket.thread.name}")
                    return effects
            vain = vain + 1 if self.inside is None else 0
            if vain > VAIN_LOOKS_MAX:
                raise Violation(f"progress: {ticket.thread.name} waits for {self.name}, and nobody is inside")
            yield from self._spin(ticket.thread)

    def _spin(self, thread: Thread) -> Steps:
        if thread.core.queue:
            yield from thread.yield_core()
        else:
            yield from thread.park(LOOK_AGAIN_PS)

    def _my_turn(self, thread: Thread, number: int) -> Steps:
        """The first of the queue asks what to do."""
        effects = self.machine.feed(TokenEvent.MY_TURN, number)
        if TokenDo.FENCE in effects:
            yield from thread.system_call(self.world.costs.cache_line)
            effects = self.machine.feed(TokenEvent.FENCED, number)
        if TokenDo.LOOK in effects:
            yield thread.work(self.world.costs.cache_line)
            effects = self._look(number)
        return effects

    def _look(self, number: int) -> tuple[Effect, ...]:
        if self.machine.regs["owner"] == 0 or (self.inside is not None and self.inside.dead):
            return self.machine.feed(TokenEvent.OWNER_DIED, number)
        return self.machine.feed(TokenEvent.IDLE, number) if self.inside is None else ()

    def _bury(self) -> None:
        """The first of the queue may be dead."""
        while self._queue[0].thread.dead:
            self._queue.popleft()
            self.machine.feed(TokenEvent.WAITER_DIED)

    def _enter(self, thread: Thread, effects: tuple[Effect, ...]) -> None:
        if self.inside is not None and not self.inside.dead:
            raise Violation(f"one token: {thread.name} enters {self.name}, and {self.inside.name} is inside")
        if TokenDo.REPAIR in effects:
            self.repair()
        self.grants += 1
        self.takeovers += self._last is not thread
        self.inside = self._last = thread

    def _leave(self) -> None:
        """The first who waits sees it a cache line's time later."""
        self.inside = None
        if self._queue:
            self.world.later(self.world.costs.cache_line, self._queue[0].thread.notify)


def under(token: Token | None, thread: Thread, steps: Steps) -> Steps:
    """Steps that need a token, if the socket has any."""
    return steps if token is None else token.holding(thread, steps)
