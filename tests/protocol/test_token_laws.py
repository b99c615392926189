"""One holder at most, none only while nobody waits, and first come, first served: for any script of three threads."""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sdcore.protocol.kit import Effect
from sdcore.protocol.token import TOKEN_OWNER, TokenDo, TokenEvent, TokenState

S, E, D = TokenState, TokenEvent, TokenDo
THREADS = st.integers(1, 3)


class TokenLaws(RuleBasedStateMachine):
    """The machine, with a queue as its driver keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN_OWNER.start()
        self.holder: int | None = None
        self.queue: deque[int] = deque()
        self.holding = 0
        self.looked_at: int | None = None
        self.asked: list[int] = []
        self.served: list[int] = []

    def do(self, effects: tuple[Effect, ...], caller: int) -> None:
        """What a driver does."""
        for effect in effects:
            if effect is D.GRANT:
                assert self.holder in (None, caller)
                self.hold(caller)
            elif effect is D.QUEUE:
                self.queue.append(caller)
            elif effect is D.FENCE:
                self.looked_at = self.holding
            else:
                self.hold(self.queue.popleft())
                self.served.append(self.holder or 0)

    def hold(self, thread: int) -> None:
        """A thread holds the token: a new holding, unless it held it already."""
        self.holding += thread != self.holder
        self.holder = thread

    @rule(thread=THREADS)
    def want(self, thread: int) -> None:
        """A thread that does not wait already wants to act."""
        if thread in self.queue:
            return
        if self.holder not in (None, thread) or self.queue:
            self.asked.append(thread)
        self.do(self.token.feed(E.WANT, int(thread == self.holder)), thread)

    @precondition(lambda self: self.looked_at is not None)
    @rule(idle=st.booleans())
    def fenced(self, idle: bool) -> None:
        """The fence is passed; what was seen counts only for the holding that was looked at."""
        current = self.looked_at == self.holding and self.holder is not None
        self.looked_at = None
        if current:
            self.do(self.token.feed(E.FENCED_IDLE if idle else E.FENCED_BUSY), 0)

    @precondition(lambda self: self.holder is not None)
    @rule(dies=st.booleans())
    def release(self, dies: bool) -> None:
        """The holder gives up, or dies."""
        self.holder = None
        self.do(self.token.feed(E.HOLDER_DIED if dies else E.RELEASE), 0)

    @invariant()
    def none_waits_while_none_holds(self) -> None:
        """A waiting thread has somebody to wait for."""
        assert self.holder is not None or not self.queue

    @invariant()
    def the_queue_is_counted(self) -> None:
        """The register counts the waiting, and REVOKING says that there are some."""
        assert self.token.regs["waiters"] == len(self.queue)
        assert (self.token.state is S.REVOKING) == bool(self.queue)

    @invariant()
    def first_come_first_served(self) -> None:
        """In the order in which they asked."""
        assert self.served == self.asked[: len(self.served)]


TestTokenLaws = TokenLaws.TestCase
TestTokenLaws.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
