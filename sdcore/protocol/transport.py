"""Transport: a live connection goes over from the rings to its companion, and no byte is lost, repeated or reordered.

Theory. Each direction moves by itself. Its producer sets TX_MOVED beside its final `tail` and goes on with the
companion; a consumer that stays reads the ring to there, then the companion (`ring_rx`: MOVED). Hard is only a consumer
that *leaves*: the next program on its descriptor reads by the kernel alone, so what it has not read must come before
it in the kernel's queue, and before anything that the producer sends there. Three can put it there: the producer,
which sends it again; the consumer, through a borrowed end of the companion; or the monitor, which outlives both.

Who does is decided by the order of changes of ONE word, the flags beside `head`. The consumer sets FORWARDING, and
later takes it away and sets ABANDONED beside its final head; the producer sets SEEN_MOVED or SEEN_CLOSED in the moment
after it has published TX_MOVED or TX_CLOSED. Each of these changes shows what stood there before:

    the producer sees      nothing      the consumer reads the ring, or will see us when it leaves: nothing to send
                           FORWARDING   the consumer puts bytes there: wait (HELD); closed, we leave all to it
                           ABANDONED    what is behind head is ours to send again, before anything else
    the consumer sees      nothing      whatever the producer says from now on, it will find FORWARDING: go on
      as it announces      SEEN_MOVED   bytes may have overtaken those in the ring: only who stands between can help
                           SEEN_CLOSED  nobody else is left: what is in the ring comes first, then what was sent behind
      as it resigns        SEEN_MOVED   the last bytes are ours, then the rest is the producer's
                           SEEN_CLOSED  the rest is ours: no more comes, so it goes behind what was put already

Where a connection stands in for the one that a leaving consumer had, every process that shares the end must read from
it. Who leaves can change the descriptors of its own process alone. So it gives what stands in to the monitor (KEEP);
the object is ELSEWHERE then, and each of the others is a `follower`: before its next call it fetches what stands in
and makes its own descriptors show it. The monitor lets go when the last of them has followed, or closed.

A connection whose end changed hands may come back (`joining`): both ends get rings again, and each direction begins as
one that has left them. Its producer is OUT; its consumer has set AWAY, which says, as ABANDONED does, that what is in
the ring is the producer's to send again, and besides that the consumer looks there when the companion is empty. So a
producer may enter once TCP owes it nothing: all that it sent lies in the consumer's kernel then, and is read before the
ring. A consumer that finds the companion empty behind a look that showed bytes in the ring takes AWAY back, and is
there. A producer that moves or closes before sees AWAY, and sends all of it by TCP, behind what is there: the same word
decides, and a consumer that sees SEEN_MOVED or SEEN_CLOSED beside its AWAY stays with the companion.

A producer that closes while TCP takes no more gives what is left to the monitor, as a process on Linux leaves it to the
kernel. LOOKING, ANNOUNCED and the like are the moments between one's own change and what it showed.

    law     the bytes that a reader gets, in whatever way, are those that were sent, in order, each once
    law     the end of the stream comes after them, and it comes
    law     nothing is sent on the companion while the consumer, or the monitor, still puts older bytes there
    law     a consumer reads no byte of a ring that was put there after one that it has not read from the companion

Source: docs/explanation/architecture.md, "Moving to the companion"; docs/decisions, D3. Explored as `move` by sdsim.
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, Effect, Event, Machine, Reg, Row, State, arg, ignored


class MoverState(State):
    """Where a producer stands."""

    RINGS = "sends by the ring"
    OUT = "sends by the companion of a connection that came back, until it can enter the ring"
    LOOKING = "has said that it moves, and must look who sends what the consumer has not read"
    HELD = "waits while the consumer puts bytes on the companion; it may leave some to us"
    RESENDING = "sends again what the consumer left, before anything else"
    OVER = "the companion takes what comes"
    CLOSING = "has said that it is closed, and must look who sends what the consumer has not read"
    LINGERING = "closed; what the consumer left has to be sent again first"
    CLOSED = "owes nothing more"


class MoverEvent(Event):
    """What happens to a producer."""

    BEGIN_OUT = "the connection came back: this direction begins on the companion"
    JOIN = "the consumer looks into the ring when the companion is empty; TCP has yet to bring it arg bytes"
    MOVE = "this direction is to go on over the companion: the peer asked, or we need it"
    WITHDRAW = "the offer was taken back: nobody reads the arg bytes in the ring"
    FORWARDS = "FORWARDING stands beside the consumer's head"
    LEFT = "arg bytes behind the consumer's final head are ours to send again; 0 if it reads them or put them itself"
    LATE = "the consumer puts bytes for longer than it may, or is gone"
    TRY = "the program calls, or it is time to look again"
    SENT = "TCP took arg bytes of those to send again"
    FULL = "TCP takes no more now"
    BREAK = "TCP is broken; the kernel tells the program"
    SEND = "the program wants to send"
    SHUTDOWN = "no byte will follow"
    CLOSE = "the last descriptor is closed, and TX_CLOSED stands beside tail"


class MoverDo(Effect):
    """What the driver of a producer must do."""

    ENTER = "feed JOIN to ring_tx, then the program's bytes again"
    PUBLISH_MOVED = "feed MOVE to ring_tx, which sets TX_MOVED beside the final tail unless TX_FIN stands there"
    PUBLISH_FIN = "set TX_FIN beside the final tail: who puts bytes on the companion ends the stream there, too"
    LOOK_MOVED = "set SEEN_MOVED beside the consumer's head; feed FORWARDS, LATE or LEFT for what stood there before"
    LOOK_AGAIN = "read the flags beside the consumer's head; feed FORWARDS, LATE or LEFT"
    LOOK_CLOSED = "set SEEN_CLOSED beside the consumer's head; feed FORWARDS or LEFT for what stood there before"
    MARK_CLOSED = "set SEEN_CLOSED beside the consumer's head"
    RESEND = "offer what is left to TCP; feed SENT, FULL or BREAK"
    END_COMPANION = "shut the sending direction of the companion down"
    PASS = "the kernel sends"
    WAIT = "bytes wait to be sent first: feed TRY, then SEND again"
    BROKEN_PIPE = "report EPIPE, with SIGPIPE unless it is suppressed"
    HAND_OVER = "give the companion and what is left to the monitor, which sends it and closes"


S, E, D = MoverState, MoverEvent, MoverDo
left = Reg("left", doc="bytes to send again")
fin = Reg("fin", bits=8, doc="1: the end of the stream is still to be put on the companion")
LESS = {left: left - arg}

MOVER = Machine(
    "mover", "Producer of one direction that goes over to the companion, or closes: who sends what was not read.",
    S, E, D, looked_at=True, registers=(left, fin), rows=(
    # state       event       if       set          do                              next
    Row(S.RINGS, E.MOVE,     ALWAYS,  {},          (D.PUBLISH_MOVED, D.LOOK_MOVED), S.LOOKING),
    Row(S.RINGS, E.WITHDRAW, arg > 0, {left: arg}, D.RESEND,                        S.RESENDING),
    Row(S.RINGS, E.WITHDRAW, fin > 0, {fin: 0},    D.END_COMPANION,                 S.OVER),
    Row(S.RINGS, E.WITHDRAW, ALWAYS,  {},          NOTHING,                         S.OVER),
    Row(S.RINGS, E.SHUTDOWN, ALWAYS,  {fin: 1},    NOTHING,                         S.RINGS),
    Row(S.RINGS, E.CLOSE,    ALWAYS,  {},          D.LOOK_CLOSED,                   S.CLOSING),
    Row(S.RINGS, E.BEGIN_OUT, ALWAYS, {},        NOTHING,                         S.OUT),
    *ignored(S.RINGS, E.TRY),

    Row(S.OUT, E.JOIN,     arg > 0, {}, NOTHING,                            S.OUT),
    Row(S.OUT, E.JOIN,     ALWAYS,  {}, D.ENTER,                            S.RINGS),
    Row(S.OUT, E.SEND,     ALWAYS,  {}, D.PASS,                             S.OUT),
    Row(S.OUT, E.MOVE,     ALWAYS,  {}, (D.PUBLISH_MOVED, D.LOOK_MOVED),    S.LOOKING),
    # An end on the companion is behind all that was sent there: nothing is left to look for.
    Row(S.OUT, E.SHUTDOWN, ALWAYS,  {}, (D.PUBLISH_MOVED, D.END_COMPANION), S.OVER),
    Row(S.OUT, E.CLOSE,    ALWAYS,  {}, D.MARK_CLOSED,                      S.CLOSED),
    *ignored(S.OUT, E.TRY),

    Row(S.LOOKING, E.FORWARDS, ALWAYS,  {},          NOTHING,                         S.HELD),
    Row(S.LOOKING, E.LEFT,     arg > 0, {left: arg}, D.RESEND,                        S.RESENDING),
    Row(S.LOOKING, E.LEFT,     fin > 0, {fin: 0},    D.END_COMPANION,                 S.OVER),
    Row(S.LOOKING, E.LEFT,     ALWAYS,  {},          NOTHING,                         S.OVER),
    Row(S.LOOKING, E.LATE,     fin > 0, {fin: 0},    D.END_COMPANION,                 S.OVER),
    Row(S.LOOKING, E.LATE,     ALWAYS,  {},          NOTHING,                         S.OVER),
    # whoever was to look was killed before it did
    Row(S.LOOKING, E.TRY,      ALWAYS,  {},          (D.PUBLISH_MOVED, D.LOOK_MOVED), S.LOOKING),
    Row(S.LOOKING, E.SEND,     ALWAYS,  {},          D.WAIT,                          S.LOOKING),
    Row(S.LOOKING, E.SHUTDOWN, ALWAYS,  {fin: 1},    D.PUBLISH_FIN,                   S.LOOKING),
    Row(S.LOOKING, E.CLOSE,    ALWAYS,  {},          D.LOOK_CLOSED,                   S.CLOSING),
    *ignored(S.LOOKING, E.MOVE),

    Row(S.HELD, E.TRY,      ALWAYS,  {},       D.LOOK_AGAIN,  S.LOOKING),
    Row(S.HELD, E.SEND,     fin > 0, {},       D.BROKEN_PIPE, S.HELD),
    Row(S.HELD, E.SEND,     ALWAYS,  {},       D.WAIT,        S.HELD),
    Row(S.HELD, E.SHUTDOWN, ALWAYS,  {fin: 1}, D.PUBLISH_FIN, S.HELD),
    Row(S.HELD, E.CLOSE,    ALWAYS,  {},       D.LOOK_CLOSED, S.CLOSING),
    *ignored(S.HELD, E.MOVE),

    Row(S.RESENDING, E.TRY,      ALWAYS,     {},                D.RESEND,        S.RESENDING),
    Row(S.RESENDING, E.SENT,     arg < left, LESS,              D.RESEND,        S.RESENDING),
    Row(S.RESENDING, E.SENT,     fin > 0,    {left: 0, fin: 0}, D.END_COMPANION, S.OVER),
    Row(S.RESENDING, E.SENT,     ALWAYS,     {left: 0},         NOTHING,         S.OVER),
    Row(S.RESENDING, E.BREAK,    ALWAYS,     {left: 0},         NOTHING,         S.OVER),
    Row(S.RESENDING, E.SEND,     fin > 0,    {},                D.BROKEN_PIPE,   S.RESENDING),
    Row(S.RESENDING, E.SEND,     ALWAYS,     {},                D.WAIT,          S.RESENDING),
    Row(S.RESENDING, E.SHUTDOWN, ALWAYS,     {fin: 1},          NOTHING,         S.RESENDING),
    Row(S.RESENDING, E.CLOSE,    ALWAYS,     {},                D.RESEND,        S.LINGERING),
    *ignored(S.RESENDING, E.FULL, E.MOVE),

    Row(S.OVER, E.SEND,     ALWAYS, {}, D.PASS,          S.OVER),
    Row(S.OVER, E.SHUTDOWN, ALWAYS, {}, D.END_COMPANION, S.OVER),
    Row(S.OVER, E.CLOSE,    ALWAYS, {}, D.MARK_CLOSED,   S.CLOSED),
    *ignored(S.OVER, E.TRY, E.MOVE),

    Row(S.CLOSING, E.FORWARDS, ALWAYS,  {},          NOTHING,  S.CLOSED),
    Row(S.CLOSING, E.LEFT,     arg > 0, {left: arg}, D.RESEND, S.LINGERING),
    Row(S.CLOSING, E.LEFT,     ALWAYS,  {},          NOTHING,  S.CLOSED),

    Row(S.LINGERING, E.SENT,  arg < left, LESS,      D.RESEND,    S.LINGERING),
    Row(S.LINGERING, E.SENT,  ALWAYS,     {left: 0}, NOTHING,     S.CLOSED),
    Row(S.LINGERING, E.FULL,  ALWAYS,     {left: 0}, D.HAND_OVER, S.CLOSED),
    Row(S.LINGERING, E.BREAK, ALWAYS,     {left: 0}, NOTHING,     S.CLOSED),

    *ignored(S.CLOSED, E.TRY, E.MOVE),
))  # fmt: skip


class LeaverState(State):
    """Where a consumer stands."""

    RINGS = "reads the ring"
    ANNOUNCED = "has set FORWARDING, and must act on what stood there before"
    PUTTING = "puts what it has not read on the companion"
    RESIGNING = "has put what it could, and must see whether the producer said something meanwhile"
    PUTTING_LAST = "puts the last bytes of a producer that has moved meanwhile"
    RESIGNING_LAST = "has put them, and must see whether the producer closed meanwhile"
    STANDING_IN = "has seen to a connection that stands in, and must look who shares this end"
    LEFT = "the next program reads by the kernel alone"


class LeaverEvent(Event):
    """What happens to a consumer."""

    LEAVE = "the next program on the descriptor reads by the kernel alone"
    FIRST = "neither SEEN_MOVED nor SEEN_CLOSED stood there"
    AFTER_MOVE = "SEEN_MOVED stood there; arg bytes are in the ring"
    AFTER_CLOSE = "SEEN_CLOSED stood there"
    TAKEN_BACK = "one of these stood there, and AWAY: the producer sends what is in the ring"
    PUT_DONE = "what could be put on the companion was; the rest, if any, stays behind head"
    NO_PEER = "the peer's end cannot be borrowed, for it is closed"
    RESIGNED = "ABANDONED stands beside the final head, FORWARDING no more"
    MOVED_MEANWHILE = "SEEN_MOVED stands there: FORWARDING still does"
    CLOSED_MEANWHILE = "SEEN_CLOSED stands there: FORWARDING still does"
    STANDS_IN = "a connection stands in; arg descriptors of other processes still show the old one; 0 if none stands in"


class LeaverDo(Effect):
    """What the driver of a consumer must do."""

    ANNOUNCE = (
        "set FORWARDING beside head; feed FIRST, AFTER_MOVE, AFTER_CLOSE or TAKEN_BACK for what stood there before"
    )
    ASK = "ask the peer to move"
    PUT = "put the ring's bytes, and the end if TX_FIN is set, on the companion; feed PUT_DONE or NO_PEER"
    RESIGN = "unless SEEN_MOVED or SEEN_CLOSED stands there, exchange FORWARDING for ABANDONED; feed what happened"
    RESIGN_LAST = "unless SEEN_CLOSED stands there, exchange FORWARDING for ABANDONED; feed what happened"
    SETTLE = "exchange FORWARDING for ABANDONED: nothing is left behind head"
    STAND_IN_QUEUE = "bytes in the ring? a connection of ours: the kernel's queue, the ring, the end; feed STANDS_IN"
    STAND_IN_RING = "bytes in the ring? a connection of ours: the ring, the kernel's queue, the end; feed STANDS_IN"
    RELAY = "a connection of ours by way of the monitor: the ring, then all that comes, both ways; feed STANDS_IN"
    KEEP = "give what stands in to the monitor; from now on the object is ELSEWHERE"


LS, LE, LD = LeaverState, LeaverEvent, LeaverDo
LEAVER = Machine(
    "leaver", "Consumer of one direction that leaves the rings: who sends what it has not read.",
    LS, LE, LD, registers=(), rows=(
    # state            event                if       set do                              next
    Row(LS.RINGS, LE.LEAVE, ALWAYS, {}, LD.ANNOUNCE, LS.ANNOUNCED),

    Row(LS.ANNOUNCED, LE.FIRST,       ALWAYS,  {}, (LD.ASK, LD.PUT),  LS.PUTTING),
    Row(LS.ANNOUNCED, LE.AFTER_MOVE,  arg > 0, {}, LD.RELAY,          LS.STANDING_IN),
    Row(LS.ANNOUNCED, LE.AFTER_MOVE,  ALWAYS,  {}, LD.SETTLE,         LS.LEFT),
    Row(LS.ANNOUNCED, LE.AFTER_CLOSE, ALWAYS,  {}, LD.STAND_IN_RING,  LS.STANDING_IN),
    Row(LS.ANNOUNCED, LE.TAKEN_BACK,  ALWAYS,  {}, LD.SETTLE,         LS.LEFT),

    Row(LS.PUTTING, LE.PUT_DONE, ALWAYS, {}, LD.RESIGN,         LS.RESIGNING),
    Row(LS.PUTTING, LE.NO_PEER,  ALWAYS, {}, LD.STAND_IN_QUEUE, LS.STANDING_IN),

    Row(LS.RESIGNING, LE.RESIGNED,         ALWAYS, {}, NOTHING,           LS.LEFT),
    Row(LS.RESIGNING, LE.MOVED_MEANWHILE,  ALWAYS, {}, LD.PUT,            LS.PUTTING_LAST),
    Row(LS.RESIGNING, LE.CLOSED_MEANWHILE, ALWAYS, {}, LD.STAND_IN_QUEUE, LS.STANDING_IN),

    Row(LS.PUTTING_LAST, LE.PUT_DONE, ALWAYS, {}, LD.RESIGN_LAST,    LS.RESIGNING_LAST),
    Row(LS.PUTTING_LAST, LE.NO_PEER,  ALWAYS, {}, LD.STAND_IN_QUEUE, LS.STANDING_IN),

    Row(LS.RESIGNING_LAST, LE.RESIGNED,         ALWAYS, {}, NOTHING,           LS.LEFT),
    Row(LS.RESIGNING_LAST, LE.CLOSED_MEANWHILE, ALWAYS, {}, LD.STAND_IN_QUEUE, LS.STANDING_IN),

    Row(LS.STANDING_IN, LE.STANDS_IN, arg > 0, {}, (LD.KEEP, LD.SETTLE), LS.LEFT),
    Row(LS.STANDING_IN, LE.STANDS_IN, ALWAYS,  {}, LD.SETTLE,            LS.LEFT),
))  # fmt: skip


class FollowerState(State):
    """Where a process stands that shares an end with one that left."""

    BEHIND = "its descriptors show the old connection"
    ASKING = "has asked the monitor for the one that stands in"
    SHOWING = "has it, and makes its descriptors show it"
    FOLLOWED = "its descriptors show what stands in, or nothing is left to show"


class FollowerEvent(Event):
    """What happens to a process that shares an end with one that left."""

    CALL = "its program is about to use the connection"
    GOT = "the monitor sent what stands in"
    REFUSED = "there is no monitor, or it has nothing"
    SHOWN = "every descriptor of this process shows it"


class FollowerDo(Effect):
    """What the driver of a follower must do."""

    FETCH = "ask the monitor for what stands in; feed GOT or REFUSED"
    SHOW = "make every descriptor of this process that shows the old connection show what stands in; feed SHOWN"
    GIVE_BACK = "refer to the new object; give the references to the old one back, with the last of them KEEP ends"


FS, FE, FD = FollowerState, FollowerEvent, FollowerDo

FOLLOWER = Machine(
    "follower", "A process that shares an end with one that left: how it comes to read from what stands in.",
    FS, FE, FD, registers=(), rows=(
    # state         event       if      set do            next
    Row(FS.BEHIND,  FE.CALL,    ALWAYS, {}, FD.FETCH,     FS.ASKING),
    Row(FS.ASKING,  FE.GOT,     ALWAYS, {}, FD.SHOW,      FS.SHOWING),
    # What was unread is lost; the old connection is at its end.
    Row(FS.ASKING,  FE.REFUSED, ALWAYS, {}, FD.GIVE_BACK, FS.FOLLOWED),
    # The reference comes last: while one is left the monitor keeps what the next process needs.
    Row(FS.SHOWING, FE.SHOWN,   ALWAYS, {}, FD.GIVE_BACK, FS.FOLLOWED),
    *ignored(FS.FOLLOWED, FE.CALL),
))  # fmt: skip

MACHINES: tuple[Machine, ...] = (MOVER, LEAVER, FOLLOWER)
