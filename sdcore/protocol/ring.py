"""Ring: moving bytes through one direction of a connection, and waiting for it.

Theory. A direction is a ring of RING_BYTES between one producer and one consumer. Each side remembers what it last saw
of the other's position and works from that memory, so that a transfer touches no line that the other side writes:
`free` is the room that the producer knows of, `avail` the bytes that the consumer knows of. Only when the memory says
that nothing is left does a side LOOK at the other's position; only when that shows nothing new does it wait.

A program may make the buffers of an end smaller (SO_SNDBUF, SO_RCVBUF): then a producer uses a `window` of the ring and
no more. A window that shrinks below what is in the ring leaves the producer in debt: room that comes back pays what is
`owed` before it is free again. The window of an offer that nobody has accepted is what TCP would take.

    law     free - owed + bytes in the ring + room given back but not yet looked at == window <= RING_BYTES
    law     one of free and owed is nought
    law     bytes taken, in order, are the bytes put; nothing after FIN
    law     nobody sleeps while there is something for him to do (WAITER)

A look that finds nothing is dangerous: the peer may act right behind it. That moment is a state of its own: STARVED and
DRY here, ARMED in the waiter, which looks once more after it has announced its sleep.

Where several processes share an end, one may be killed after it published and before it rang, its announcement taken or
not. No order of the two helps when the others of its family wait, too: then only a look of the sleeper's own does.

Source: docs/explanation/architecture.md, "A direction of a connection", "Moving to the companion", "Ending".
"""

from __future__ import annotations

from collections.abc import Mapping

from sdcore.protocol import layout
from sdcore.protocol.expr import Value
from sdcore.protocol.kit import ALWAYS, NOTHING, Effect, Event, Machine, Reg, Row, State, arg, ignored


class TxState(State):
    """Where a producer stands."""

    OPEN = "may send"
    STARVED = "knows of no room; looks, or waits for it"
    SHUT = "sent its last byte; room still comes back"
    OUT = "sends by the companion, and may enter (transport: mover)"
    MOVED = "goes on over the companion"
    BROKEN = "the connection is gone"


class TxEvent(Event):
    """What happens to a producer."""

    SEND = "the program wants to send arg bytes, at least one"
    CREDIT = "the consumer's head shows arg bytes of room more than before"
    WINDOW = (
        "from now on both ends together hold arg bytes, RING_BYTES at most: a buffer changed, or the offer was taken"
    )
    SHUTDOWN = "no byte will follow: shutdown(SHUT_WR) or close"
    MOVE = "this direction is to go on over the companion"
    BREAK = "the connection was reset, or the peer is gone"
    BEGIN_OUT = "the connection came back: this direction begins on the companion"
    JOIN = "from now on bytes go into the ring"


class TxDo(Effect):
    """What the driver of a producer must do."""

    PUT_ALL = "copy arg bytes into the ring and publish tail"
    PUT_FREE = "copy as many bytes as were free before this event and publish tail"
    LOOK = "read the consumer's head; feed CREDIT with the room that it adds, 0 too"
    RETRY = "feed SEND again with the bytes that are still to send"
    WAIT_ROOM = "wait until the consumer gives room back (or report EAGAIN), then feed SEND again"
    PUBLISH_FIN = "set TX_FIN beside the final tail"
    PUBLISH_MOVED = "set TX_MOVED beside the final tail"
    SEND_COMPANION = "send by the kernel on the companion"
    BROKEN_PIPE = "report EPIPE, with SIGPIPE unless it is suppressed"


TS, TE, TD = TxState, TxEvent, TxDo
free = Reg("free", start=layout.RING_BYTES, doc="bytes of room that the producer knows of and may use")
window = Reg("window", start=layout.RING_BYTES, bits=32, doc="bytes that both ends together hold")
owed = Reg("owed", bits=32, doc="bytes in the ring beyond the window, since it became smaller")
Updates = Mapping[Reg, Value | int]
FITS = free + arg >= window + owed
WIDER = free + arg > window + owed
NEW_WINDOW: Updates = {free: free + arg - window - owed, owed: 0, window: arg}
NEW_DEBT: Updates = {free: 0, owed: window + owed - free - arg, window: arg}
PAID: Updates = {free: free + arg - owed, owed: 0}
IN_PART: Updates = {owed: owed - arg}

RING_TX = Machine(
    "ring_tx", "Producer of one direction: room decides whether bytes go out or the sender waits.",
    TS, TE, TD, registers=(free, window, owed), rows=(
    # state      event        if           set                 do                next
    Row(TS.OPEN, TE.SEND,     free >= arg, {free: free - arg}, TD.PUT_ALL,       TS.OPEN),
    Row(TS.OPEN, TE.SEND,     free > 0,    {free: 0},          TD.PUT_FREE,      TS.OPEN),
    Row(TS.OPEN, TE.SEND,     ALWAYS,      {},                 TD.LOOK,          TS.STARVED),
    Row(TS.OPEN, TE.CREDIT,   arg >= owed, PAID,               NOTHING,          TS.OPEN),
    Row(TS.OPEN, TE.CREDIT,   ALWAYS,      IN_PART,            NOTHING,          TS.OPEN),
    Row(TS.OPEN, TE.WINDOW,   FITS,        NEW_WINDOW,         NOTHING,          TS.OPEN),
    Row(TS.OPEN, TE.WINDOW,   ALWAYS,      NEW_DEBT,           NOTHING,          TS.OPEN),
    Row(TS.OPEN, TE.SHUTDOWN, ALWAYS,      {},                 TD.PUBLISH_FIN,   TS.SHUT),
    Row(TS.OPEN, TE.MOVE,     ALWAYS,      {},                 TD.PUBLISH_MOVED, TS.MOVED),
    Row(TS.OPEN, TE.BREAK,    ALWAYS,      {},                 NOTHING,          TS.BROKEN),
    Row(TS.OPEN, TE.BEGIN_OUT, ALWAYS,     {},                 NOTHING,          TS.OUT),

    Row(TS.OUT, TE.SEND,   ALWAYS, {},         TD.SEND_COMPANION, TS.OUT),
    Row(TS.OUT, TE.WINDOW, FITS,   NEW_WINDOW, NOTHING,           TS.OUT),
    Row(TS.OUT, TE.WINDOW, ALWAYS, NEW_DEBT,   NOTHING,           TS.OUT),
    Row(TS.OUT, TE.JOIN,   ALWAYS, {},         NOTHING,           TS.OPEN),
    Row(TS.OUT, TE.MOVE,   ALWAYS, {},         TD.PUBLISH_MOVED,  TS.MOVED),
    Row(TS.OUT, TE.BREAK,  ALWAYS, {},         NOTHING,           TS.BROKEN),
    *ignored(TS.OUT, TE.SHUTDOWN),  # the companion says so

    Row(TS.STARVED, TE.SEND,     ALWAYS,     {},         TD.LOOK,          TS.STARVED),
    Row(TS.STARVED, TE.CREDIT,   arg > owed, PAID,       TD.RETRY,         TS.OPEN),
    Row(TS.STARVED, TE.CREDIT,   ALWAYS,     IN_PART,    TD.WAIT_ROOM,     TS.STARVED),
    Row(TS.STARVED, TE.WINDOW,   WIDER,      NEW_WINDOW, TD.RETRY,         TS.OPEN),
    Row(TS.STARVED, TE.WINDOW,   ALWAYS,     NEW_DEBT,   NOTHING,          TS.STARVED),
    Row(TS.STARVED, TE.SHUTDOWN, ALWAYS,     {},         TD.PUBLISH_FIN,   TS.SHUT),
    Row(TS.STARVED, TE.MOVE,     ALWAYS,     {},         TD.PUBLISH_MOVED, TS.MOVED),
    Row(TS.STARVED, TE.BREAK,    ALWAYS,     {},         NOTHING,          TS.BROKEN),

    Row(TS.SHUT, TE.SEND,   ALWAYS, {},                 TD.BROKEN_PIPE, TS.SHUT),
    Row(TS.SHUT, TE.CREDIT, ALWAYS, {free: free + arg}, NOTHING,        TS.SHUT),
    Row(TS.SHUT, TE.BREAK,  ALWAYS, {},                 NOTHING,        TS.BROKEN),
    *ignored(TS.SHUT, TE.WINDOW, TE.SHUTDOWN, TE.MOVE),

    Row(TS.MOVED, TE.SEND,   ALWAYS, {},                 TD.SEND_COMPANION, TS.MOVED),
    Row(TS.MOVED, TE.CREDIT, ALWAYS, {free: free + arg}, NOTHING,           TS.MOVED),
    Row(TS.MOVED, TE.BREAK,  ALWAYS, {},                 NOTHING,           TS.BROKEN),
    *ignored(TS.MOVED, TE.WINDOW, TE.SHUTDOWN, TE.MOVE),

    Row(TS.BROKEN, TE.SEND, ALWAYS, {}, TD.BROKEN_PIPE, TS.BROKEN),
    *ignored(TS.BROKEN, TE.CREDIT, TE.WINDOW, TE.SHUTDOWN, TE.MOVE, TE.BREAK),
))  # fmt: skip


class RxState(State):
    """Where a consumer stands."""

    OPEN = "may receive"
    DRY = "knows of no bytes; looks, or waits for them"
    AWAY = "reads the companion; looks into the ring when that is empty (transport: AWAY)"
    ENDED = "the end of the stream was reported"
    MOVED = "goes on over the companion"
    BROKEN = "the reset was reported"


class RxEvent(Event):
    """What happens to a consumer."""

    RECV = "the program wants up to arg bytes, at least one"
    DATA = "the producer's tail shows arg bytes more than before"
    FIN = "nothing new, and TX_FIN is set beside tail"
    MOVED = "nothing new, and TX_MOVED is set beside tail"
    BREAK = "the connection was reset, or the peer is gone; fed again whenever the ring is DRY"
    SHUT = "the program wants no more: shutdown(SHUT_RD)"
    BEGIN_AWAY = "the connection came back: this direction begins on the companion"
    QUIET = "the companion is empty; the look before showed arg bytes in the ring"
    ARRIVED = "AWAY stands beside head no more: what is in the ring comes next"
    UNSEE = "forget what is known and not taken: the next RECV looks anew (a receiver with a low-water mark)"


class RxDo(Effect):
    """What the driver of a consumer must do."""

    TAKE_ALL = "copy arg bytes out of the ring and publish head"
    TAKE_AVAIL = "copy as many bytes as were available before this event and publish head"
    LOOK = "read the producer's flags, then its tail; feed DATA with the new bytes; if none, the flag's FIN or MOVED"
    RETRY = "feed RECV again"
    WAIT_DATA = "wait until the producer publishes (or report EAGAIN), then feed RECV again"
    END_OF_STREAM = "report 0 bytes"
    RECV_COMPANION = "receive by the kernel from the companion"
    RAISE_RESET = "report ECONNRESET"
    LOOK_BOTH = "read tail, then the companion without waiting: its bytes are the answer; if none, feed QUIET, or MOVED"
    ARRIVE = "unless SEEN_MOVED or SEEN_CLOSED stands there, take AWAY from beside head; feed ARRIVED, or else MOVED"


RS, RE, RD = RxState, RxEvent, RxDo
avail = Reg("avail", doc="bytes that the consumer knows of and has not taken")
shut = Reg("shut", bits=8, doc="1 after shutdown(SHUT_RD): what comes is still read, but nothing is waited for")

RING_RX = Machine(
    "ring_rx", "Consumer of one direction: takes what is there, and says what an empty ring means.",
    RS, RE, RD, registers=(avail, shut), rows=(
    # state      event     if            set                   do             next
    Row(RS.OPEN, RE.RECV,  avail >= arg, {avail: avail - arg}, RD.TAKE_ALL,   RS.OPEN),
    Row(RS.OPEN, RE.RECV,  avail > 0,    {avail: 0},           RD.TAKE_AVAIL, RS.OPEN),
    Row(RS.OPEN, RE.RECV,  ALWAYS,       {},                   RD.LOOK,       RS.DRY),
    Row(RS.OPEN, RE.DATA,  ALWAYS,       {avail: avail + arg}, NOTHING,       RS.OPEN),
    Row(RS.OPEN, RE.SHUT,  ALWAYS,       {shut: 1},            NOTHING,       RS.OPEN),
    Row(RS.OPEN, RE.UNSEE, ALWAYS,       {avail: 0},           NOTHING,       RS.DRY),
    Row(RS.OPEN, RE.BEGIN_AWAY, ALWAYS,  {},                   NOTHING,       RS.AWAY),
    # What the ring still holds comes first: the flags count again when it is DRY.
    *ignored(RS.OPEN, RE.FIN, RE.MOVED, RE.BREAK),

    Row(RS.DRY, RE.RECV,  ALWAYS,   {},                   RD.LOOK,           RS.DRY),
    Row(RS.DRY, RE.DATA,  arg > 0,  {avail: avail + arg}, RD.RETRY,          RS.OPEN),
    Row(RS.DRY, RE.DATA,  shut > 0, {},                   RD.END_OF_STREAM,  RS.DRY),
    Row(RS.DRY, RE.DATA,  ALWAYS,   {},                   RD.WAIT_DATA,      RS.DRY),
    Row(RS.DRY, RE.FIN,   ALWAYS,   {},                   RD.END_OF_STREAM,  RS.ENDED),
    Row(RS.DRY, RE.MOVED, ALWAYS,   {},                   RD.RECV_COMPANION, RS.MOVED),
    Row(RS.DRY, RE.BREAK, ALWAYS,   {},                   RD.RAISE_RESET,    RS.BROKEN),
    Row(RS.DRY, RE.SHUT,  ALWAYS,   {shut: 1},            NOTHING,           RS.DRY),
    *ignored(RS.DRY, RE.UNSEE),

    # MOVED: nothing is in the ring, and TX_MOVED stands beside tail, or the companion is at its end: then both are
    # looked at once more, for who is gone may have sent, and entered, behind the first look.
    Row(RS.AWAY, RE.RECV,    ALWAYS,   {},        RD.LOOK_BOTH,      RS.AWAY),
    Row(RS.AWAY, RE.QUIET,   arg > 0,  {},        RD.ARRIVE,         RS.AWAY),
    Row(RS.AWAY, RE.QUIET,   shut > 0, {},        RD.END_OF_STREAM,  RS.AWAY),
    Row(RS.AWAY, RE.QUIET,   ALWAYS,   {},        RD.WAIT_DATA,      RS.AWAY),
    Row(RS.AWAY, RE.ARRIVED, ALWAYS,   {},        RD.RETRY,          RS.DRY),
    Row(RS.AWAY, RE.MOVED,   ALWAYS,   {},        RD.RECV_COMPANION, RS.MOVED),
    Row(RS.AWAY, RE.SHUT,    ALWAYS,   {shut: 1}, NOTHING,           RS.AWAY),
    *ignored(RS.AWAY, RE.FIN, RE.BREAK, RE.UNSEE),

    Row(RS.ENDED, RE.RECV, ALWAYS, {}, RD.END_OF_STREAM, RS.ENDED),
    *ignored(RS.ENDED, RE.FIN, RE.MOVED, RE.BREAK, RE.SHUT, RE.UNSEE),

    Row(RS.MOVED, RE.RECV, ALWAYS, {}, RD.RECV_COMPANION, RS.MOVED),
    *ignored(RS.MOVED, RE.FIN, RE.MOVED, RE.BREAK, RE.SHUT, RE.UNSEE),

    # Linux reports a reset once; then the stream is at its end.
    Row(RS.BROKEN, RE.RECV, ALWAYS, {}, RD.END_OF_STREAM, RS.BROKEN),
    *ignored(RS.BROKEN, RE.FIN, RE.MOVED, RE.BREAK, RE.SHUT, RE.UNSEE),
))  # fmt: skip


class WaiterState(State):
    """Where a waiting thread stands."""

    SPINNING = "looks again and again"
    YIELDING = "looks again after each yield"
    ARMED = "has announced its sleep and must look once more"
    ASLEEP = "blocked in the kernel"
    DONE = "the wait is over; start anew for the next"


class WaiterEvent(Event):
    """What happens to a waiting thread."""

    EMPTY = "looked: nothing is ready"
    READY = "looked: something is ready"
    WOKEN = "the sleep is over: a doorbell, the companion, a descriptor of the program, or SLEEPER_LOOK_NS"
    TIMEOUT = "the time is over"
    INTERRUPTED = "a signal handler ran"
    CONTENDED = "the yield took long, others want the core; arg yields are left to do"


class WaiterDo(Effect):
    """What the driver of a waiting thread must do."""

    PAUSE = "let the processor pause, then look"
    YIELD = "give the core away once, then look"
    ANNOUNCE = "set armed, or the asleep bit, and the doorbell's name"
    FENCE = "asymmetric fence: the announcement is visible before the next look"
    LOOK = "look; feed EMPTY or READY"
    BLOCK = "block on the doorbell, the companion and the program's descriptors; for SLEEPER_LOOK_NS at most"
    RETRACT = "take the announcement back"


WS, WE, WD = WaiterState, WaiterEvent, WaiterDo
spins_left = Reg("spins_left", bits=32, doc="looks without giving the core away; set by the driver at the start")
yields_left = Reg("yields_left", bits=32, doc="yields before sleeping; set by the driver at the start")
ANNOUNCE_SLEEP = (WD.ANNOUNCE, WD.FENCE, WD.LOOK)
ONE_LESS_SPIN = {spins_left: spins_left - 1}
ONE_LESS_YIELD = {yields_left: yields_left - 1}

WAITER = Machine(
    "waiter", "One wait of one thread: polls, yields, announces its sleep, looks once more, sleeps.",
    WS, WE, WD, registers=(spins_left, yields_left), rows=(
    # state          event           if               set             do              next
    Row(WS.SPINNING, WE.EMPTY,       spins_left > 0,  ONE_LESS_SPIN,  WD.PAUSE,       WS.SPINNING),
    Row(WS.SPINNING, WE.EMPTY,       yields_left > 0, ONE_LESS_YIELD, WD.YIELD,       WS.YIELDING),
    Row(WS.SPINNING, WE.EMPTY,       ALWAYS,          {},             ANNOUNCE_SLEEP, WS.ARMED),
    Row(WS.SPINNING, WE.READY,       ALWAYS,          {},             NOTHING,        WS.DONE),
    Row(WS.SPINNING, WE.TIMEOUT,     ALWAYS,          {},             NOTHING,        WS.DONE),
    Row(WS.SPINNING, WE.INTERRUPTED, ALWAYS,          {},             NOTHING,        WS.DONE),

    Row(WS.YIELDING, WE.EMPTY,       yields_left > 0, ONE_LESS_YIELD,     WD.YIELD,       WS.YIELDING),
    Row(WS.YIELDING, WE.EMPTY,       ALWAYS,          {},                 ANNOUNCE_SLEEP, WS.ARMED),
    Row(WS.YIELDING, WE.CONTENDED,   ALWAYS,          {yields_left: arg}, NOTHING,        WS.YIELDING),
    Row(WS.YIELDING, WE.READY,       ALWAYS,          {},                 NOTHING,        WS.DONE),
    Row(WS.YIELDING, WE.TIMEOUT,     ALWAYS,          {},                 NOTHING,        WS.DONE),
    Row(WS.YIELDING, WE.INTERRUPTED, ALWAYS,          {},                 NOTHING,        WS.DONE),

    Row(WS.ARMED, WE.EMPTY,       ALWAYS, {}, WD.BLOCK,   WS.ASLEEP),
    Row(WS.ARMED, WE.READY,       ALWAYS, {}, WD.RETRACT, WS.DONE),
    Row(WS.ARMED, WE.TIMEOUT,     ALWAYS, {}, WD.RETRACT, WS.DONE),
    Row(WS.ARMED, WE.INTERRUPTED, ALWAYS, {}, WD.RETRACT, WS.DONE),

    # Woken, it looks at once; in vain, it yields as often as is left, and never spins again.
    Row(WS.ASLEEP, WE.WOKEN,       ALWAYS, {spins_left: 0}, (WD.RETRACT, WD.LOOK), WS.SPINNING),
    Row(WS.ASLEEP, WE.READY,       ALWAYS, {},              WD.RETRACT,            WS.DONE),
    Row(WS.ASLEEP, WE.TIMEOUT,     ALWAYS, {},              WD.RETRACT,            WS.DONE),
    Row(WS.ASLEEP, WE.INTERRUPTED, ALWAYS, {},              WD.RETRACT,            WS.DONE),
))  # fmt: skip

MACHINES = (RING_TX, RING_RX, WAITER)
