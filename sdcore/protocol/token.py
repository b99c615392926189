"""Token: which thread may act on one direction of one socket.

Theory. Biased ownership: the owner keeps the token after each use, and enters and leaves by plain loads and stores.
Who else wants it queues, first come first served, and the first of the queue revokes it with an asymmetric fence:
behind the fence the owner either is seen inside, or has seen that the token is wanted and enters no more. So outside,
once seen, is outside for good, and the first of the queue takes the token without the owner's help. While others wait
the token passes from hand to hand without a further fence, for nobody is biased; the last of the queue is. A token that
changed hands often is never biased again: each use takes it anew by one swap of its word, and leaves by a plain store.

All of the machine's registers lie in one word in shared memory. A driver takes a step on a private copy and publishes
it by one compare-and-swap, so a death leaves all of a step or nothing. What a driver saw of the owner is worth
something for one holding only; `holding` changes with every grant, so the swap fails if the sight is old.

The queue is the driver's: who queues takes the ticket holding + waiters, and is the first when `holding` has come to
it. It leaves the machine alone until then, except that the death of the first is everybody's business.

    law     never two inside; never none for ever while somebody waits; first come first served
    law     waiters > 0 exactly in REVOKING and REVOKED, and perhaps in SHARED
    law     in HELD the fast path asks for one comparison: state and owner lie together in the word

The C core's own mechanism is `struct sd_token`; hence this machine's name, token_owner. Owner 0 is nobody: a fresh
token that no thread wanted yet, or one whose owner died inside.
Source: docs/decisions/0004-token.md. The paper reports 0.6 us to take over from an idle holder.
"""

from __future__ import annotations

from sdcore.protocol.expr import Value
from sdcore.protocol.kit import ALWAYS, NOTHING, Effect, Event, Machine, Reg, Row, State, arg, ignored

TAKEOVERS_BIASED = 4
"""A token that changed hands so often is contended: swaps are cheaper than fences."""


class TokenState(State):
    """How the token may be had."""

    HELD = "biased: the owner enters by plain stores and loads, nobody waits"
    REVOKING = "others wait; no fence is passed yet, the owner may enter unseen"
    REVOKED = "others wait; whether the owner is inside can be seen, and outside it stays outside"
    SHARED = "never biased again: whoever enters, the owner too, swaps the word"


class TokenEvent(Event):
    """What happens to a token. `arg` is the number of the thread that acts."""

    MADE = "the token is a new socket's; arg owns it, 0 nobody; who waited for the old one asks again"
    UNFENCED = "this system has no asymmetric fence, so nobody must be biased"
    WANT = "a thread wants to act, and saw the owner inside, or there is none"
    WANT_IDLE = "a thread wants to act, and saw the owner outside, or is the owner itself"
    MY_TURN = "the first of the queue asks what to do"
    FENCED = "a fence was passed after the token was seen in this state"
    IDLE = "the first of the queue saw the owner outside, or is the owner itself"
    OWNER_DIED = "the first of the queue saw that the owner died inside, or that there is none"
    WAITER_DIED = "the first of the queue is dead"
    OWNER_LOST = "the number arg of a thread that died inside is given to a new thread, which is not inside"


class TokenDo(Effect):
    """What the driver of a token must do."""

    GRANT = "the thread that acts is inside"
    REPAIR = "the thread that was inside died there: make good what it left half done"
    QUEUE = "the thread that acts waits at the end of the queue; its ticket is holding + waiters before the step"
    FENCE = "pass the asymmetric fence, then feed FENCED"
    LOOK = "look at the owner: feed IDLE or OWNER_DIED, or look again later"


owner = Reg("owner", bits=16, doc="number of the thread that holds the token, or held it last; 0 nobody")
takeovers = Reg("takeovers", bits=8, doc="how often it changed hands, or was lost; counts while it may be biased")
waiters = Reg("waiters", bits=16, doc="threads in the queue, dead ones too")
holding = Reg("holding", bits=32, doc="grants and deaths in the queue so far: the ticket of the first of the queue")
S, E, D = TokenState, TokenEvent, TokenDo

NEXT = {holding: holding + 1}
ONE_MORE = {waiters: waiters + 1}
# No old ticket is in the new queue.
FRESH: dict[Reg, Value | int] = {owner: arg, takeovers: 0, waiters: 0, holding: holding + waiters + 1}
TO_NEWCOMER = {owner: arg, **NEXT}
FIRST_IS_GONE = {waiters: waiters - 1, **NEXT}
TO_FIRST = {owner: arg, **FIRST_IS_GONE}
TAKEN_OVER = {**TO_FIRST, takeovers: takeovers + 1}
OFTEN = takeovers >= TAKEOVERS_BIASED - 1
NOBODYS_YET = (owner == 0) & (takeovers == 0)  # a loss counts as a takeover: what died inside has to be repaired


def handed_on(event: TokenEvent, do: TokenDo | tuple[TokenDo, ...]) -> tuple[Row, ...]:
    """The first of the queue takes a token that was biased: the last one becomes its owner, unless it is contended."""
    return (
        Row(S.REVOKED, event, OFTEN,       TO_FIRST,   do, S.SHARED),
        Row(S.REVOKED, event, waiters > 1, TAKEN_OVER, do, S.REVOKED),
        Row(S.REVOKED, event, ALWAYS,      TAKEN_OVER, do, S.HELD),
    )  # fmt: skip


TOKEN_OWNER = Machine(
    "token_owner", "The right to act on one direction of a socket, between threads and processes.",
    S, E, D, registers=(owner, takeovers, waiters, holding), rows=(
    # state   event       if             set          do                   next
    Row(S.HELD, E.UNFENCED,  ALWAYS,       {},           NOTHING,             S.SHARED),
    Row(S.HELD, E.WANT,      NOBODYS_YET,  TO_NEWCOMER,  D.GRANT,             S.HELD),
    Row(S.HELD, E.WANT,      owner == 0,   TO_NEWCOMER,  (D.GRANT, D.REPAIR), S.HELD),
    Row(S.HELD, E.WANT,      ALWAYS,       ONE_MORE,     D.QUEUE,             S.REVOKING),
    # Seen outside without a fence: worth nothing, except for the owner itself, who knows.
    Row(S.HELD, E.WANT_IDLE, owner == arg, {},           D.GRANT,             S.HELD),
    Row(S.HELD, E.WANT_IDLE, ALWAYS,       ONE_MORE,     D.QUEUE,             S.REVOKING),

    # Wanted by others: even the owner stands in line.
    Row(S.REVOKING, E.WANT,        ALWAYS,      ONE_MORE,      D.QUEUE, S.REVOKING),
    Row(S.REVOKING, E.WANT_IDLE,   ALWAYS,      ONE_MORE,      D.QUEUE, S.REVOKING),
    Row(S.REVOKING, E.MY_TURN,     ALWAYS,      {},            D.FENCE, S.REVOKING),
    Row(S.REVOKING, E.FENCED,      ALWAYS,      {},            D.LOOK,  S.REVOKED),
    Row(S.REVOKING, E.WAITER_DIED, waiters > 1, FIRST_IS_GONE, NOTHING, S.REVOKING),

    Row(S.REVOKED, E.WANT,        ALWAYS,      ONE_MORE,      D.QUEUE, S.REVOKED),
    Row(S.REVOKED, E.WANT_IDLE,   ALWAYS,      ONE_MORE,      D.QUEUE, S.REVOKED),
    Row(S.REVOKED, E.MY_TURN,     ALWAYS,      {},            D.LOOK,  S.REVOKED),
    *handed_on(E.IDLE,       D.GRANT),
    *handed_on(E.OWNER_DIED, (D.GRANT, D.REPAIR)),
    Row(S.REVOKED, E.WAITER_DIED, waiters > 1, FIRST_IS_GONE, NOTHING, S.REVOKED),

    Row(S.SHARED, E.WANT,        NOBODYS_YET & (waiters == 0),  TO_NEWCOMER, D.GRANT,             S.SHARED),
    Row(S.SHARED, E.WANT,        (owner == 0) & (waiters == 0), TO_NEWCOMER, (D.GRANT, D.REPAIR), S.SHARED),
    Row(S.SHARED, E.WANT,        ALWAYS,                      ONE_MORE,      D.QUEUE,             S.SHARED),
    Row(S.SHARED, E.WANT_IDLE,   waiters == 0,                TO_NEWCOMER,   D.GRANT,             S.SHARED),
    Row(S.SHARED, E.WANT_IDLE,   ALWAYS,                      ONE_MORE,      D.QUEUE,             S.SHARED),
    Row(S.SHARED, E.MY_TURN,     ALWAYS,                      {},            D.LOOK,              S.SHARED),
    Row(S.SHARED, E.IDLE,        ALWAYS,                      TO_FIRST,      D.GRANT,             S.SHARED),
    Row(S.SHARED, E.OWNER_DIED,  ALWAYS,                      TO_FIRST,      (D.GRANT, D.REPAIR), S.SHARED),
    Row(S.SHARED, E.WAITER_DIED, waiters > 1,                 FIRST_IS_GONE, NOTHING,             S.SHARED),

    *(Row(state, E.MADE, ALWAYS, FRESH, NOTHING, S.HELD) for state in S),
    *(row for state in S for row in (
        Row(state, E.OWNER_LOST, (owner == arg) & (takeovers == 0), {owner: 0, takeovers: 1}, NOTHING, state),
        Row(state, E.OWNER_LOST, owner == arg, {owner: 0}, NOTHING, state),
        *ignored(state, E.OWNER_LOST),
    )),
))  # fmt: skip

MACHINES = (TOKEN_OWNER,)
