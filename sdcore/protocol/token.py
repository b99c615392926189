"""Token: which thread may act on one direction of one socket.

Theory. Biased ownership: the holder keeps the token after each use, and its fast path is plain loads and stores. Who
else wants it queues, first come first served, and revokes it with an asymmetric fence: behind the fence the holder is
seen idle, and the token passes on at once without it; or it is seen busy, and then it has seen the revocation and
releases when it is done. A wish that comes while a revocation is under way only queues. What was seen behind a fence
says something about one holding only: once that has ended, it must not be fed, or an old "idle" would take the token
from a new holder who is busy.

    law     never two holders, never none while somebody waits for ever, first in first out
    law     waiters > 0 exactly in REVOKING

The C core's own mechanism is `struct sd_token`; hence this machine's name, token_owner.
Source: docs/decisions, D5. The paper reports 0.6 us to take over from an idle holder.
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, Effect, Event, Machine, Reg, Row, State, arg, ignored


class TokenState(State):
    """Where a token stands."""

    FREE = "nobody holds it"
    HELD = "held, nobody else wants it"
    REVOKING = "held, and others wait for it"


class TokenEvent(Event):
    """What happens to a token."""

    WANT = "a thread wants to act; arg is 1 if it is the holder"
    FENCED_IDLE = "behind the fence the holder is not using it; dropped if that holding has ended meanwhile"
    FENCED_BUSY = "behind the fence the holder is using it; dropped if that holding has ended meanwhile"
    RELEASE = "the holder gives it up: it saw the revocation, or it ends"
    HOLDER_DIED = "the holder is dead"


class TokenDo(Effect):
    """What the driver of a token must do."""

    GRANT = "the thread that wants it holds it"
    QUEUE = "the thread that wants it waits at the end of the queue"
    FENCE = "pass the asymmetric fence and look at the holder; feed FENCED_IDLE or FENCED_BUSY"
    WAKE_FIRST = "the first of the queue holds it; wake it"


waiters = Reg("waiters", bits=32, doc="threads in the queue")
S, E, D = TokenState, TokenEvent, TokenDo
ONE_LESS = {waiters: waiters - 1}

TOKEN_OWNER = Machine(
    "token_owner", "The right to act on one direction of a socket, between threads.",
    S, E, D, registers=(waiters,), rows=(
    # state     event   if      set do       next
    Row(S.FREE, E.WANT, ALWAYS, {}, D.GRANT, S.HELD),
    *ignored(S.FREE, E.HOLDER_DIED),

    Row(S.HELD, E.WANT,        arg == 1, {},                     D.GRANT,            S.HELD),
    Row(S.HELD, E.WANT,        ALWAYS,   {waiters: waiters + 1}, (D.QUEUE, D.FENCE), S.REVOKING),
    Row(S.HELD, E.RELEASE,     ALWAYS,   {},                     NOTHING,            S.FREE),
    Row(S.HELD, E.HOLDER_DIED, ALWAYS,   {},                     NOTHING,            S.FREE),

    # Wanted by others: even the holder stands in line.
    Row(S.REVOKING, E.WANT,        ALWAYS,      {waiters: waiters + 1}, D.QUEUE,                 S.REVOKING),
    Row(S.REVOKING, E.FENCED_IDLE, waiters > 1, ONE_LESS,               (D.WAKE_FIRST, D.FENCE), S.REVOKING),
    Row(S.REVOKING, E.FENCED_IDLE, ALWAYS,      ONE_LESS,               D.WAKE_FIRST,            S.HELD),
    Row(S.REVOKING, E.RELEASE,     waiters > 1, ONE_LESS,               (D.WAKE_FIRST, D.FENCE), S.REVOKING),
    Row(S.REVOKING, E.RELEASE,     ALWAYS,      ONE_LESS,               D.WAKE_FIRST,            S.HELD),
    Row(S.REVOKING, E.HOLDER_DIED, waiters > 1, ONE_LESS,               (D.WAKE_FIRST, D.FENCE), S.REVOKING),
    Row(S.REVOKING, E.HOLDER_DIED, ALWAYS,      ONE_LESS,               D.WAKE_FIRST,            S.HELD),
    *ignored(S.REVOKING, E.FENCED_BUSY),
))  # fmt: skip

MACHINES = (TOKEN_OWNER,)
