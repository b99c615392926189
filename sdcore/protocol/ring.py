"""Ring: moving bytes through one direction of a connection, and waiting for it.

Theory. A direction is a ring of RING_BYTES between one producer and one consumer. Each side remembers what it last saw
of the other's position and works from that memory, so that a transfer touches no line that the other side writes:
`free` is the room that the producer knows of, `avail` the bytes that the consumer knows of. Only when the memory says
that nothing is left does a side LOOK at the other's position; only when that shows nothing new does it wait.

    law     free + bytes in the ring + room given back but not yet looked at == RING_BYTES
    law     bytes taken, in order, are the bytes put; nothing after FIN
    law     nobody sleeps while there is something for him to do (WAITER)

A look that finds nothing is dangerous: the peer may act right behind it. That moment is a state of its own: STARVED and
DRY here, ARMED in the waiter, which looks once more after it has announced its sleep.

Source: docs/explanation/architecture.md, "A direction of a connection", "Moving to the companion", "Ending".
"""

from __future__ import annotations

from sdcore.protocol import layout
from sdcore.protocol.kit import ALWAYS, NOTHING, Effect, Event, Machine, Reg, Row, State, arg, ignored


class TxState(State):
    OPEN = "may send"
    STARVED = "knows of no room; looks, or waits for it"
    SHUT = "sent its last byte; room still comes back"
    MOVED = "goes on over the companion"
    BROKEN = "the connection is gone"


class TxEvent(Event):
    SEND = "the program wants to send arg bytes, at least one"
    CREDIT = "the consumer's head shows arg bytes of room more than before"
    SHUTDOWN = "no byte will follow: shutdown(SHUT_WR) or close"
    MOVE = "this direction is to go on over the companion"
    BREAK = "the connection was reset, or the peer is gone"


class TxDo(Effect):
    PUT_ALL = "copy arg bytes into the ring and publish tail"
    PUT_FREE = "copy as many bytes as were free before this event and publish tail"
    LOOK = "read the consumer's head; feed CREDIT with the room that it adds, 0 too"
    RETRY = "feed SEND again with the bytes that are still to send"
    WAIT_ROOM = "wait until the consumer gives room back (or report EAGAIN), then feed SEND again"
    PUBLISH_FIN = "set TX_FIN beside the final tail"
    PUBLISH_MOVED = "set TX_MOVED beside the final tail"
    SEND_COMPANION = "send by the kernel on the companion"
    BROKEN_PIPE = "report EPIPE, with SIGPIPE unless it is suppressed"


free = Reg("free", start=layout.RING_BYTES, doc="bytes of room that the producer knows of")

RING_TX = Machine(
    "ring_tx", "Producer of one direction: room decides whether bytes go out or the sender waits.",
    TxState, TxEvent, TxDo, registers=(free,), rows=(
    # state           event             if           set                 do                   next
    Row(TxState.OPEN, TxEvent.SEND,     free >= arg, {free: free - arg}, TxDo.PUT_ALL,        TxState.OPEN),
    Row(TxState.OPEN, TxEvent.SEND,     free > 0,    {free: 0},          TxDo.PUT_FREE,       TxState.OPEN),
    Row(TxState.OPEN, TxEvent.SEND,     ALWAYS,      {},                 TxDo.LOOK,           TxState.STARVED),
    Row(TxState.OPEN, TxEvent.CREDIT,   ALWAYS,      {free: free + arg}, NOTHING,             TxState.OPEN),
    Row(TxState.OPEN, TxEvent.SHUTDOWN, ALWAYS,      {},                 TxDo.PUBLISH_FIN,    TxState.SHUT),
    Row(TxState.OPEN, TxEvent.MOVE,     ALWAYS,      {},                 TxDo.PUBLISH_MOVED,  TxState.MOVED),
    Row(TxState.OPEN, TxEvent.BREAK,    ALWAYS,      {},                 NOTHING,             TxState.BROKEN),

    Row(TxState.STARVED, TxEvent.SEND,     ALWAYS,   {},                 TxDo.LOOK,           TxState.STARVED),
    Row(TxState.STARVED, TxEvent.CREDIT,   arg > 0,  {free: free + arg}, TxDo.RETRY,          TxState.OPEN),
    Row(TxState.STARVED, TxEvent.CREDIT,   ALWAYS,   {},                 TxDo.WAIT_ROOM,      TxState.STARVED),
    Row(TxState.STARVED, TxEvent.SHUTDOWN, ALWAYS,   {},                 TxDo.PUBLISH_FIN,    TxState.SHUT),
    Row(TxState.STARVED, TxEvent.MOVE,     ALWAYS,   {},                 TxDo.PUBLISH_MOVED,  TxState.MOVED),
    Row(TxState.STARVED, TxEvent.BREAK,    ALWAYS,   {},                 NOTHING,             TxState.BROKEN),

    Row(TxState.SHUT, TxEvent.SEND,     ALWAYS,      {},                 TxDo.BROKEN_PIPE,    TxState.SHUT),
    Row(TxState.SHUT, TxEvent.CREDIT,   ALWAYS,      {free: free + arg}, NOTHING,             TxState.SHUT),
    Row(TxState.SHUT, TxEvent.BREAK,    ALWAYS,      {},                 NOTHING,             TxState.BROKEN),
    *ignored(TxState.SHUT, TxEvent.SHUTDOWN, TxEvent.MOVE),

    Row(TxState.MOVED, TxEvent.SEND,     ALWAYS,     {},                 TxDo.SEND_COMPANION, TxState.MOVED),
    Row(TxState.MOVED, TxEvent.CREDIT,   ALWAYS,     {free: free + arg}, NOTHING,             TxState.MOVED),
    Row(TxState.MOVED, TxEvent.BREAK,    ALWAYS,     {},                 NOTHING,             TxState.BROKEN),
    *ignored(TxState.MOVED, TxEvent.SHUTDOWN, TxEvent.MOVE),

    Row(TxState.BROKEN, TxEvent.SEND,     ALWAYS,    {},                 TxDo.BROKEN_PIPE,    TxState.BROKEN),
    *ignored(TxState.BROKEN, TxEvent.CREDIT, TxEvent.SHUTDOWN, TxEvent.MOVE, TxEvent.BREAK),
))  # fmt: skip


class RxState(State):
    OPEN = "may receive"
    DRY = "knows of no bytes; looks, or waits for them"
    ENDED = "the end of the stream was reported"
    MOVED = "goes on over the companion"
    BROKEN = "the reset was reported"


class RxEvent(Event):
    RECV = "the program wants up to arg bytes, at least one"
    DATA = "the producer's tail shows arg bytes more than before"
    FIN = "nothing new, and TX_FIN is set beside tail"
    MOVED = "nothing new, and TX_MOVED is set beside tail"
    BREAK = "the connection was reset, or the peer is gone; fed again whenever the ring is DRY"
    SHUT = "the program wants no more: shutdown(SHUT_RD)"


class RxDo(Effect):
    TAKE_ALL = "copy arg bytes out of the ring and publish head"
    TAKE_AVAIL = "copy as many bytes as were available before this event and publish head"
    LOOK = "read the producer's flags, then its tail; feed DATA with the new bytes; if none, FIN or MOVED if its flag is set"
    RETRY = "feed RECV again"
    WAIT_DATA = "wait until the producer publishes (or report EAGAIN), then feed RECV again"
    END_OF_STREAM = "report 0 bytes"
    RECV_COMPANION = "receive by the kernel from the companion"
    RAISE_RESET = "report ECONNRESET"


avail = Reg("avail", doc="bytes that the consumer knows of and has not taken")
shut = Reg("shut", bits=8, doc="1 after shutdown(SHUT_RD): what comes is still read, but nothing is waited for")

RING_RX = Machine(
    "ring_rx", "Consumer of one direction: takes what is there, and says what an empty ring means.",
    RxState, RxEvent, RxDo, registers=(avail, shut), rows=(
    # state           event          if            set                   do                   next
    Row(RxState.OPEN, RxEvent.RECV,  avail >= arg, {avail: avail - arg}, RxDo.TAKE_ALL,       RxState.OPEN),
    Row(RxState.OPEN, RxEvent.RECV,  avail > 0,    {avail: 0},           RxDo.TAKE_AVAIL,     RxState.OPEN),
    Row(RxState.OPEN, RxEvent.RECV,  ALWAYS,       {},                   RxDo.LOOK,           RxState.DRY),
    Row(RxState.OPEN, RxEvent.DATA,  ALWAYS,       {avail: avail + arg}, NOTHING,             RxState.OPEN),
    Row(RxState.OPEN, RxEvent.SHUT,  ALWAYS,       {shut: 1},            NOTHING,             RxState.OPEN),
    # What the ring still holds comes first: the flags count again when it is DRY.
    *ignored(RxState.OPEN, RxEvent.FIN, RxEvent.MOVED, RxEvent.BREAK),

    Row(RxState.DRY,  RxEvent.RECV,  ALWAYS,       {},                   RxDo.LOOK,           RxState.DRY),
    Row(RxState.DRY,  RxEvent.DATA,  arg > 0,      {avail: avail + arg}, RxDo.RETRY,          RxState.OPEN),
    Row(RxState.DRY,  RxEvent.DATA,  shut > 0,     {},                   RxDo.END_OF_STREAM,  RxState.DRY),
    Row(RxState.DRY,  RxEvent.DATA,  ALWAYS,       {},                   RxDo.WAIT_DATA,      RxState.DRY),
    Row(RxState.DRY,  RxEvent.FIN,   ALWAYS,       {},                   RxDo.END_OF_STREAM,  RxState.ENDED),
    Row(RxState.DRY,  RxEvent.MOVED, ALWAYS,       {},                   RxDo.RECV_COMPANION, RxState.MOVED),
    Row(RxState.DRY,  RxEvent.BREAK, ALWAYS,       {},                   RxDo.RAISE_RESET,    RxState.BROKEN),
    Row(RxState.DRY,  RxEvent.SHUT,  ALWAYS,       {shut: 1},            NOTHING,             RxState.DRY),

    Row(RxState.ENDED,  RxEvent.RECV, ALWAYS,      {},                   RxDo.END_OF_STREAM,  RxState.ENDED),
    *ignored(RxState.ENDED, RxEvent.FIN, RxEvent.MOVED, RxEvent.BREAK, RxEvent.SHUT),

    Row(RxState.MOVED,  RxEvent.RECV, ALWAYS,      {},                   RxDo.RECV_COMPANION, RxState.MOVED),
    *ignored(RxState.MOVED, RxEvent.FIN, RxEvent.MOVED, RxEvent.BREAK, RxEvent.SHUT),

    # Linux reports a reset once; then the stream is at its end.
    Row(RxState.BROKEN, RxEvent.RECV, ALWAYS,      {},                   RxDo.END_OF_STREAM,  RxState.BROKEN),
    *ignored(RxState.BROKEN, RxEvent.FIN, RxEvent.MOVED, RxEvent.BREAK, RxEvent.SHUT),
))  # fmt: skip


class WaiterState(State):
    SPINNING = "looks again and again"
    YIELDING = "looks again after each yield"
    ARMED = "has announced its sleep and must look once more"
    ASLEEP = "blocked in the kernel"
    DONE = "the wait is over; start anew for the next"


class WaiterEvent(Event):
    EMPTY = "looked: nothing is ready"
    READY = "looked: something is ready"
    WOKEN = "the kernel ended the sleep: a doorbell, the companion, or a descriptor of the program"
    TIMEOUT = "the time is over"
    INTERRUPTED = "a signal handler ran"
    CONTENDED = "the yield took long, others want the core; arg yields are left to do"


class WaiterDo(Effect):
    PAUSE = "let the processor pause, then look"
    YIELD = "give the core away once, then look"
    ANNOUNCE = "set armed, or the asleep bit, and the doorbell's name"
    FENCE = "asymmetric fence: the announcement is visible before the next look"
    LOOK = "look; feed EMPTY or READY"
    BLOCK = "block on the doorbell, the companion and the program's descriptors"
    RETRACT = "take the announcement back"


spins_left = Reg("spins_left", bits=32, doc="looks without giving the core away; set by the driver at the start")
yields_left = Reg("yields_left", bits=32, doc="yields before sleeping; set by the driver at the start")
ANNOUNCE_SLEEP = (WaiterDo.ANNOUNCE, WaiterDo.FENCE, WaiterDo.LOOK)
ONE_LESS_SPIN = {spins_left: spins_left - 1}
ONE_LESS_YIELD = {yields_left: yields_left - 1}

WAITER = Machine(
    "waiter", "One wait of one thread: polls, yields, announces its sleep, looks once more, sleeps.",
    WaiterState, WaiterEvent, WaiterDo, registers=(spins_left, yields_left), rows=(
    # state                   event                    if               set              do              next
    Row(WaiterState.SPINNING, WaiterEvent.EMPTY,       spins_left > 0,  ONE_LESS_SPIN,   WaiterDo.PAUSE, WaiterState.SPINNING),
    Row(WaiterState.SPINNING, WaiterEvent.EMPTY,       yields_left > 0, ONE_LESS_YIELD,  WaiterDo.YIELD, WaiterState.YIELDING),
    Row(WaiterState.SPINNING, WaiterEvent.EMPTY,       ALWAYS,          {},              ANNOUNCE_SLEEP, WaiterState.ARMED),
    Row(WaiterState.SPINNING, WaiterEvent.READY,       ALWAYS,          {},              NOTHING,        WaiterState.DONE),
    Row(WaiterState.SPINNING, WaiterEvent.TIMEOUT,     ALWAYS,          {},              NOTHING,        WaiterState.DONE),
    Row(WaiterState.SPINNING, WaiterEvent.INTERRUPTED, ALWAYS,          {},              NOTHING,        WaiterState.DONE),

    Row(WaiterState.YIELDING, WaiterEvent.EMPTY,       yields_left > 0, ONE_LESS_YIELD,  WaiterDo.YIELD, WaiterState.YIELDING),
    Row(WaiterState.YIELDING, WaiterEvent.EMPTY,       ALWAYS,          {},              ANNOUNCE_SLEEP, WaiterState.ARMED),
    Row(WaiterState.YIELDING, WaiterEvent.CONTENDED,   ALWAYS, {yields_left: arg},       NOTHING,        WaiterState.YIELDING),
    Row(WaiterState.YIELDING, WaiterEvent.READY,       ALWAYS,          {},              NOTHING,        WaiterState.DONE),
    Row(WaiterState.YIELDING, WaiterEvent.TIMEOUT,     ALWAYS,          {},              NOTHING,        WaiterState.DONE),
    Row(WaiterState.YIELDING, WaiterEvent.INTERRUPTED, ALWAYS,          {},              NOTHING,        WaiterState.DONE),

    Row(WaiterState.ARMED, WaiterEvent.EMPTY,          ALWAYS,          {},           WaiterDo.BLOCK,    WaiterState.ASLEEP),
    Row(WaiterState.ARMED, WaiterEvent.READY,          ALWAYS,          {},           WaiterDo.RETRACT,  WaiterState.DONE),
    Row(WaiterState.ARMED, WaiterEvent.TIMEOUT,        ALWAYS,          {},           WaiterDo.RETRACT,  WaiterState.DONE),
    Row(WaiterState.ARMED, WaiterEvent.INTERRUPTED,    ALWAYS,          {},           WaiterDo.RETRACT,  WaiterState.DONE),

    # Woken, it looks at once; in vain, it yields as often as is left, and never spins again.
    Row(WaiterState.ASLEEP, WaiterEvent.WOKEN, ALWAYS, {spins_left: 0}, (WaiterDo.RETRACT, WaiterDo.LOOK), WaiterState.SPINNING),
    Row(WaiterState.ASLEEP, WaiterEvent.READY,         ALWAYS,          {},           WaiterDo.RETRACT,  WaiterState.DONE),
    Row(WaiterState.ASLEEP, WaiterEvent.TIMEOUT,       ALWAYS,          {},           WaiterDo.RETRACT,  WaiterState.DONE),
    Row(WaiterState.ASLEEP, WaiterEvent.INTERRUPTED,   ALWAYS,          {},           WaiterDo.RETRACT,  WaiterState.DONE),
))  # fmt: skip

MACHINES = (RING_TX, RING_RX, WAITER)
