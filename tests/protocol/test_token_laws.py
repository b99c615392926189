"""One inside at most, none waits for ever, and first come, first served: for any script of three threads.

What each thread sees of the others is right or, where the table must not believe it, anything.
"""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sdcore.protocol.kit import Effect, Event
from sdcore.protocol.token import TAKEOVERS_BIASED, TOKEN_OWNER, TokenDo, TokenEvent, TokenState

S, E, D = TokenState, TokenEvent, TokenDo
THREADS = st.integers(1, 3)
DEAD = 0
"""In the queue: who stood here is dead."""


class TokenLaws(RuleBasedStateMachine):
    """The machine, with a queue as its driver keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN_OWNER.start()
        self.inside: int | None = None
        self.died_inside = False
        self.fresh = True
        self.queue: deque[int] = deque()

    @property
    def owner(self) -> int:
        """Who holds the token, or held it last."""
        return self.token.regs["owner"]

    def feed(self, event: Event, thread: int) -> tuple[Effect, ...]:
        """What a driver does: GRANT and REPAIR are checked here."""
        before = self.token.regs["holding"]
        effects = self.token.feed(event, thread)
        if D.GRANT in effects:
            assert self.inside is None
            assert not self.died_inside or D.REPAIR in effects
            assert not (self.fresh and D.REPAIR in effects), "nobody was inside, so nothing is half done"
            self.inside, self.died_inside, self.fresh = thread, False, False
        if D.QUEUE in effects:
            assert before + len(self.queue) == self.token.regs["holding"] + self.token.regs["waiters"] - 1
            self.queue.append(thread)
        return effects

    @rule(thread=THREADS, sight=st.booleans())
    def want(self, thread: int, sight: bool) -> None:
        """A thread that is neither inside nor waits wants to act; its unfenced sight of the owner is anything."""
        if thread in self.queue or thread == self.inside or (self.died_inside and thread == self.owner):
            return
        if self.token.state is not S.HELD:
            sight = self.inside is None and not self.died_inside
        idle = thread == self.owner or (sight and self.owner != 0)
        waited = len(self.queue)
        effects = self.feed(E.WANT_IDLE if idle else E.WANT, thread)
        assert not (D.GRANT in effects and waited)

    @precondition(lambda self: self.queue and self.queue[0] != DEAD)
    @rule()
    def turn(self) -> None:
        """The first of the queue does what it is told."""
        first = self.queue[0]
        if self.feed(E.MY_TURN, first) == (D.FENCE,):
            assert self.feed(E.FENCED, first) == (D.LOOK,)
        if self.inside is not None:
            return
        died = self.died_inside or not self.owner
        assert D.GRANT in self.feed(E.OWNER_DIED if died else E.IDLE, first)
        assert self.queue.popleft() == self.inside

    @precondition(lambda self: len(self.queue) > 1 and self.queue[0] == DEAD)
    @rule()
    def pass_over(self) -> None:
        """Whoever waits sees that the first is dead."""
        self.feed(E.WAITER_DIED, self.queue[1])
        self.queue.popleft()

    @precondition(lambda self: self.inside is not None)
    @rule(dies=st.booleans())
    def leave(self, dies: bool) -> None:
        """Who is inside leaves, or dies there."""
        self.inside, self.died_inside = None, dies

    @precondition(lambda self: self.died_inside)
    @rule()
    def number_is_used_again(self) -> None:
        """A new thread gets the number of the one that died inside."""
        self.feed(E.OWNER_LOST, self.owner)
        assert self.owner == 0

    @rule(place=st.integers(0, 2))
    def waiter_dies(self, place: int) -> None:
        """A thread dies in the queue; its number may soon stand there again."""
        if place < len(self.queue):
            self.queue[place] = DEAD

    @precondition(lambda self: not self.died_inside and self.inside is None)
    @rule(owner=st.integers(0, 3), unfenced=st.booleans())
    def made_anew(self, owner: int, unfenced: bool) -> None:
        """The socket becomes another one: no ticket of the old queue is in the new one."""
        last = self.token.regs["holding"] + len(self.queue)
        self.feed(E.MADE, owner)
        self.queue.clear()
        self.fresh = True
        assert self.token.regs["holding"] > last - 1
        if unfenced:
            self.feed(E.UNFENCED, 0)

    @invariant()
    def the_queue_is_counted(self) -> None:
        """The register counts the waiting; while somebody waits nobody is biased."""
        assert self.token.regs["waiters"] == len(self.queue)
        assert not (self.token.state is S.HELD and self.queue)
        assert not (self.token.state in (S.REVOKING, S.REVOKED) and not self.queue)

    @invariant()
    def who_is_inside_owns_it(self) -> None:
        """So others know at whom to look."""
        assert self.inside in (None, self.owner)

    @invariant()
    def takeovers_fit_their_bits(self) -> None:
        """Two bits of the word."""
        assert self.token.regs["takeovers"] < TAKEOVERS_BIASED == 4


TestTokenLaws = TokenLaws.TestCase
TestTokenLaws.settings = settings(max_examples=80, stateful_step_count=50, deadline=None, derandomize=True)
