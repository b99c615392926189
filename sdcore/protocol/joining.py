"""Joining: both ends of a connection that stands on kernel TCP get rings again.

Theory. A connection that is passed on, or inherited by exec, goes to its companion, since nobody knows whether the next
program has the library. If it has, it finds a connection that it did not make, and hopes: after some calls it shows its
end to the monitor. So a child that lives short asks nobody. The monitor reads the addresses from the kernel, finds the
other end among the connections that the families show, and invites it by a mark in its record, where that end looks
after each call that the kernel did. Once it has asked, too, a fresh slab with this one connection goes to both.

Neither end is believed. A record only says whom to invite; who gets the slab showed the end itself, in that moment.
Nothing is done at both ends at once: whoever has the slab begins outside of the rings with both directions, and goes in
as `mover` and `ring_rx` say. An end that never comes costs the other one nothing but speed.

An end joins only if nobody else uses it: one descriptor, one thread, and no signal handler. For who waits in the kernel
would never see what comes by the ring. Programs that hold the same end show it in records of their own: then it has to
wait until they have let go.

    law     the slab goes to two processes that each showed one end of the same connection, and to nobody else
    law     an end asks ever more seldom, the more often it asked in vain

Source: docs/decisions/0005-exec.md. What follows is explored as `join` by sdsim.
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Reg, Row, State, ignored

CALLS_FIRST = 4
"""Calls before an end asks for the first time."""


class JoinerState(State):
    """Where an end stands."""

    APART = "does not ask; comes if it is invited"
    HOPING = "came from another program; asks after some calls"
    ASKING = "has asked by itself"
    ANSWERING = "was invited, and has asked"


class JoinerEvent(Event):
    """What happens to an end."""

    MEET = "it came from another program"
    CALL = "the kernel has done a call of the program on it"
    INVITED = "the monitor's mark stands in its record"
    GRANTED = "the monitor sent the slab"
    REFUSED = "it did not: nobody is there to meet, or not yet, or something else uses this end"


class JoinerDo(Effect):
    """What the driver of an end must do."""

    ASK = "if nothing else uses it, take the mark away and send MSG_JOIN; feed GRANTED or REFUSED"
    ATTACH = "begin in the slot, outside of both rings: BEGIN_OUT, BEGIN_AWAY, and RX_AWAY beside head"


S, E, D = JoinerState, JoinerEvent, JoinerDo
calls = Reg("calls", doc="calls since it asked last")
patience = Reg("patience", doc="calls before it asks")

JOINER = Machine(
    "joiner", "One end of a connection on kernel TCP that may get rings again.",
    S, E, D, registers=(calls, patience), rows=(
    # state          event      if                set                                       do        next
    Row(S.APART,     E.MEET,    ALWAYS,           {calls: 0, patience: CALLS_FIRST},        NOTHING,  S.HOPING),
    Row(S.APART,     E.INVITED, ALWAYS,           {},                                       D.ASK,    S.ANSWERING),
    *ignored(S.APART, E.CALL),

    Row(S.HOPING,    E.CALL,    calls < patience, {calls: calls + 1},                       NOTHING,  S.HOPING),
    Row(S.HOPING,    E.CALL,    ALWAYS,           {},                                       D.ASK,    S.ASKING),
    Row(S.HOPING,    E.INVITED, ALWAYS,           {},                                       D.ASK,    S.ASKING),

    Row(S.ASKING,    E.GRANTED, ALWAYS,           {},                                       D.ATTACH, S.APART),
    Row(S.ASKING,    E.REFUSED, ALWAYS,           {calls: 0, patience: patience + patience}, NOTHING, S.HOPING),

    Row(S.ANSWERING, E.GRANTED, ALWAYS,           {},                                       D.ATTACH, S.APART),
    Row(S.ANSWERING, E.REFUSED, ALWAYS,           {},                                       NOTHING,  S.APART),
))  # fmt: skip


class JoinState(State):
    """Where a connection stands, as the monitor sees it."""

    NONE = "neither end asked"
    INVITED = "one end asked; the other one has the mark"
    MET = "the other one has the slab; the first has the mark"
    ENDED = "nothing is left to do"


class JoinEvent(Event):
    """What happens to a connection."""

    ASKED = "an end asks, the first one or the same again", PEER
    ANSWERED = "the other end asks", PEER
    DENIED = "an end asks that must not come back, or whose other end nobody shows", PEER
    GONE = "a process that asked is dead, or another program"
    STALE = "the process that asked first has asked about many others since"


class JoinDo(Effect):
    """What the monitor must do."""

    INVITE = "mark the record of the other end; reply that it is invited"
    MEET = "make a slab for both processes with this connection in it, that goes when nobody uses it; reply with it"
    INVITE_FIRST = "mark the record of the end that asked first"
    SEND_SLAB = "reply with the slab, if it is still there"
    DENY = "reply with the reason"
    FORGET = "forget what was asked"


JS, JE, JD = JoinState, JoinEvent, JoinDo

JOIN = Machine(
    "join", "A connection on kernel TCP whose ends may get rings again, as the monitor sees it.",
    JS, JE, JD, registers=(), rows=(
    # state         event        if      set do                         next
    Row(JS.NONE,    JE.ASKED,    ALWAYS, {}, JD.INVITE,                 JS.INVITED),
    Row(JS.NONE,    JE.DENIED,   ALWAYS, {}, (JD.DENY, JD.FORGET),      JS.ENDED),

    Row(JS.INVITED, JE.ASKED,    ALWAYS, {}, JD.INVITE,                 JS.INVITED),
    Row(JS.INVITED, JE.ANSWERED, ALWAYS, {}, (JD.MEET, JD.INVITE_FIRST), JS.MET),
    Row(JS.INVITED, JE.DENIED,   ALWAYS, {}, (JD.DENY, JD.FORGET),      JS.ENDED),
    Row(JS.INVITED, JE.GONE,     ALWAYS, {}, JD.FORGET,                 JS.ENDED),
    Row(JS.INVITED, JE.STALE,    ALWAYS, {}, JD.FORGET,                 JS.ENDED),

    Row(JS.MET,     JE.ASKED,    ALWAYS, {}, (JD.SEND_SLAB, JD.FORGET), JS.ENDED),
    # It has left the slab again before the first one came: both ask anew.
    Row(JS.MET,     JE.ANSWERED, ALWAYS, {}, (JD.DENY, JD.FORGET),      JS.ENDED),
    Row(JS.MET,     JE.DENIED,   ALWAYS, {}, (JD.DENY, JD.FORGET),      JS.ENDED),
    Row(JS.MET,     JE.GONE,     ALWAYS, {}, JD.FORGET,                 JS.ENDED),
    Row(JS.MET,     JE.STALE,    ALWAYS, {}, JD.FORGET,                 JS.ENDED),
))  # fmt: skip

MACHINES = (JOINER, JOIN)
