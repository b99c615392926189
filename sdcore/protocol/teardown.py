"""Teardown: what one end publishes and reports when a connection through the rings ends, in every order of events.

Theory. TCP closes each direction by itself (RFC 9293, 3.6), and the last close of an end that has not read everything
is a reset instead (RFC 9293, 3.10.4; RFC 2525, 2.17), which is what Linux does too. We publish the same facts as flags
beside tail, so that the data before them is read first, and report what Linux would:

    peer sent FIN                   recv gives 0 after the data; we may go on sending
    peer closed both directions     the same, but nobody will read: Linux takes one more send, then EPIPE
    peer shut both, and lives on    the same, and that send resets the peer's end, too: it must refuse what comes
                                    (RFC 1122, 4.2.2.13); they are never read
    peer reset                      ECONNRESET once; if its FIN was seen before, recv gives 0 and send EPIPE
    peer gone without a word        the kernel closed for it (kill -9): a reset if it left bytes of ours unread,
                                    otherwise as if it had closed

A connection of AF_UNIX has one state of what is shut, which both ends share (unix(7); net/unix/af_unix.c of Linux):

    peer sent FIN                   as above
    peer shut its receiving         send gives EPIPE at once, also to who waits for room
    peer closed, or is gone         recv gives 0 after the data, send EPIPE at once
    ... and left bytes unread       recv gives ECONNRESET once after the data, even after an end; send EPIPE

What is still in our receiving ring is read first in every case. Where the companion takes the connection over after a
reset, its kernel must know of it too, and of whether the program has been told.

    law     each direction ends once; after CLOSED nothing is published
    law     a slot is released once by each side, and by the survivor for a peer that is gone

Source: docs/explanation/architecture.md, "Ending"; tcp(7), unix(7), send(2), recv(2).
"""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Reg, Row, State, arg, ignored


class TeardownState(State):
    """Where an end stands."""

    OPEN = "both directions are open"
    LOCAL_SHUT = "we sent our last byte"
    PEER_SHUT = "the peer sent its last byte"
    DEAF = "the peer shut both directions and lives on; we may send a byte, which it refuses"
    BOTH_SHUT = "both sent their last byte"
    CLOSED = "our end is closed"
    RESET = "the connection was reset; our descriptor is still open"


class TeardownEvent(Event):
    """What happens to an end."""

    UNIX = "before anything else: the connection is of AF_UNIX"
    SHUT_WR = "the program shuts its sending direction down"
    SHUT_RD = "the program shuts its receiving direction down"
    CLOSE = "the last descriptor of this end is closed; arg bytes that came were never read"
    PEER_FIN = "TX_FIN stands beside the peer's tail", PEER
    PEER_CLOSED = "TX_CLOSED stands beside the peer's tail: it will not read any more", PEER
    PEER_DEAF = "RX_DEAF stands beside the peer's head: it shut both directions, or (UNIX) its receiving one", PEER
    PEER_RESET = "TX_RESET stands beside the peer's tail, or bytes were sent to a peer that answers by a reset", PEER
    PEER_GONE = "the companion is at its end and the peer has said nothing; it left arg bytes of ours unread", PEER
    TO_KERNEL = "from now on the companion alone tells of the end; arg: 1 if the error has still to be told, else 0"


class TeardownDo(Effect):
    """What the driver of an end must do."""

    PUBLISH_FIN = "set TX_FIN beside tail and wake the peer (ring_tx: SHUTDOWN)"
    PUBLISH_CLOSED = "set TX_CLOSED beside tail and RX_CLOSED beside head, and wake the peer"
    PUBLISH_RESET = "set TX_RESET and TX_CLOSED beside tail and RX_CLOSED beside head, and wake the peer"
    PUBLISH_DEAF = "set RX_DEAF beside head, and POKE, so that the peer's next send finds it"
    RESET_PEER = "set TX_RESET beside tail, POKE and wake the peer; our end stays open"
    WAKE_SENDERS = "wake who waits for room at the peer: nobody will read what it sends"
    DELIVER_EOF = "readers that wait and find nothing report 0 bytes"
    LAST_SEND = "let one more send succeed, then feed BREAK to ring_tx"
    REFUSED_SEND = "let one more send succeed and throw its bytes away, then feed PEER_RESET"
    BREAK_SEND = "make EPIPE the pending error and feed BREAK to ring_tx"
    SHUT_SEND = "feed BREAK to ring_tx; there is no error to tell"
    RAISE_RESET = "make ECONNRESET the pending error and feed BREAK to ring_tx, and to ring_rx when it is dry"
    RELEASE_SLOT = "count our side of the slot as done, and the peer's if it is gone; do not touch the slot afterwards"
    CLOSE_COMPANION = "let the kernel close the companion"
    BREAK_COMPANION = "send a byte on the companion unless it is broken: the closed end answers with a reset"
    FORGET_ERROR = "take the companion's error: the program has been told"


S, E, D = TeardownState, TeardownEvent, TeardownDo
CLOSE_OPEN = (D.PUBLISH_FIN, D.PUBLISH_CLOSED, D.CLOSE_COMPANION, D.RELEASE_SLOT)
CLOSE_SHUT = (D.PUBLISH_CLOSED, D.CLOSE_COMPANION, D.RELEASE_SLOT)
CLOSE_UNREAD = (D.PUBLISH_RESET, D.CLOSE_COMPANION, D.RELEASE_SLOT)

shut_read = Reg("shut_read", bits=8, doc="1 after shutdown(SHUT_RD)")
at_once = Reg("at_once", bits=8, doc="1: of AF_UNIX, where what one end shuts is shut at the other, at once")
SHUT_BOTH = (D.PUBLISH_FIN, D.PUBLISH_DEAF)
STOP_PEER = (D.PUBLISH_DEAF, D.WAKE_SENDERS)
ALL_OVER = (D.DELIVER_EOF, D.SHUT_SEND)

TEARDOWN = Machine(
    "teardown", "The end of a connection through the rings, as one end sees it.",
    S, E, D, looked_at=True, registers=(shut_read, at_once), rows=(
    # state     event          if                   set             do                               next
    Row(S.OPEN, E.UNIX,        ALWAYS,              {at_once: 1},   NOTHING,                         S.OPEN),
    Row(S.OPEN, E.SHUT_WR,     shut_read > at_once, {},             SHUT_BOTH,                       S.LOCAL_SHUT),
    Row(S.OPEN, E.SHUT_WR,     ALWAYS,              {},             D.PUBLISH_FIN,                   S.LOCAL_SHUT),
    Row(S.OPEN, E.SHUT_RD,     at_once > shut_read, {shut_read: 1}, STOP_PEER,                       S.OPEN),
    Row(S.OPEN, E.SHUT_RD,     ALWAYS,              {shut_read: 1}, NOTHING,                         S.OPEN),
    Row(S.OPEN, E.CLOSE,       arg > 0,             {},             CLOSE_UNREAD,                    S.CLOSED),
    Row(S.OPEN, E.CLOSE,       ALWAYS,              {},             CLOSE_OPEN,                      S.CLOSED),
    Row(S.OPEN, E.PEER_FIN,    ALWAYS,              {},             D.DELIVER_EOF,                   S.PEER_SHUT),
    Row(S.OPEN, E.PEER_CLOSED, at_once > 0,         {},             ALL_OVER,                        S.BOTH_SHUT),
    Row(S.OPEN, E.PEER_CLOSED, ALWAYS,              {},             (D.DELIVER_EOF, D.LAST_SEND),    S.PEER_SHUT),
    Row(S.OPEN, E.PEER_DEAF,   at_once > 0,         {},             D.SHUT_SEND,                     S.LOCAL_SHUT),
    Row(S.OPEN, E.PEER_DEAF,   ALWAYS,              {},             (D.DELIVER_EOF, D.REFUSED_SEND), S.DEAF),
    Row(S.OPEN, E.PEER_RESET,  ALWAYS,              {},             D.RAISE_RESET,                   S.RESET),
    Row(S.OPEN, E.PEER_GONE,   arg > 0,             {},             D.RAISE_RESET,                   S.RESET),
    Row(S.OPEN, E.PEER_GONE,   at_once > 0,         {},             ALL_OVER,                        S.BOTH_SHUT),
    Row(S.OPEN, E.PEER_GONE,   ALWAYS,              {},             (D.DELIVER_EOF, D.LAST_SEND),    S.PEER_SHUT),
    *ignored(S.OPEN, E.TO_KERNEL),

    # The first to shut both: what comes from now on is refused. Of AF_UNIX it may be the peer that shut our sending.
    Row(S.LOCAL_SHUT, E.SHUT_RD,     shut_read > 0, {},             NOTHING,        S.LOCAL_SHUT),
    Row(S.LOCAL_SHUT, E.SHUT_RD,     at_once > 0,   {shut_read: 1}, STOP_PEER,      S.LOCAL_SHUT),
    Row(S.LOCAL_SHUT, E.SHUT_RD,     ALWAYS,        {shut_read: 1}, D.PUBLISH_DEAF, S.LOCAL_SHUT),
    Row(S.LOCAL_SHUT, E.CLOSE,       arg > 0,       {},             CLOSE_UNREAD,   S.CLOSED),
    Row(S.LOCAL_SHUT, E.CLOSE,       ALWAYS,        {},             CLOSE_SHUT,     S.CLOSED),
    Row(S.LOCAL_SHUT, E.PEER_FIN,    ALWAYS,        {},             D.DELIVER_EOF,  S.BOTH_SHUT),
    Row(S.LOCAL_SHUT, E.PEER_CLOSED, ALWAYS,        {},             D.DELIVER_EOF,  S.BOTH_SHUT),
    Row(S.LOCAL_SHUT, E.PEER_DEAF,   at_once > 0,   {},             NOTHING,        S.LOCAL_SHUT),
    Row(S.LOCAL_SHUT, E.PEER_DEAF,   ALWAYS,        {},             D.DELIVER_EOF,  S.BOTH_SHUT),
    Row(S.LOCAL_SHUT, E.PEER_RESET,  ALWAYS,        {},             D.RAISE_RESET,  S.RESET),
    Row(S.LOCAL_SHUT, E.PEER_GONE,   arg > 0,       {},             D.RAISE_RESET,  S.RESET),
    Row(S.LOCAL_SHUT, E.PEER_GONE,   ALWAYS,        {},             D.DELIVER_EOF,  S.BOTH_SHUT),
    *ignored(S.LOCAL_SHUT, E.SHUT_WR, E.TO_KERNEL),

    # A peer that has sent its last byte sends none that we must refuse.
    Row(S.PEER_SHUT, E.SHUT_WR,     ALWAYS,                    {}, D.PUBLISH_FIN,  S.BOTH_SHUT),
    Row(S.PEER_SHUT, E.CLOSE,       arg > 0,                   {}, CLOSE_UNREAD,   S.CLOSED),
    Row(S.PEER_SHUT, E.CLOSE,       ALWAYS,                    {}, CLOSE_OPEN,     S.CLOSED),
    Row(S.PEER_SHUT, E.PEER_CLOSED, at_once > 0,               {}, D.SHUT_SEND,    S.BOTH_SHUT),
    Row(S.PEER_SHUT, E.PEER_CLOSED, ALWAYS,                    {}, D.LAST_SEND,    S.PEER_SHUT),
    Row(S.PEER_SHUT, E.PEER_DEAF,   at_once > 0,               {}, D.SHUT_SEND,    S.BOTH_SHUT),
    Row(S.PEER_SHUT, E.PEER_DEAF,   ALWAYS,                    {}, D.REFUSED_SEND, S.DEAF),
    Row(S.PEER_SHUT, E.PEER_RESET,  at_once > 0,               {}, D.RAISE_RESET,  S.RESET),
    Row(S.PEER_SHUT, E.PEER_RESET,  ALWAYS,                    {}, D.BREAK_SEND,   S.RESET),
    Row(S.PEER_SHUT, E.PEER_GONE,   (at_once > 0) & (arg > 0), {}, D.RAISE_RESET,  S.RESET),
    Row(S.PEER_SHUT, E.PEER_GONE,   at_once > 0,               {}, D.SHUT_SEND,    S.BOTH_SHUT),
    Row(S.PEER_SHUT, E.PEER_GONE,   arg > 0,                   {}, D.BREAK_SEND,   S.RESET),
    Row(S.PEER_SHUT, E.PEER_GONE,   ALWAYS,                    {}, D.LAST_SEND,    S.PEER_SHUT),
    *ignored(S.PEER_SHUT, E.SHUT_RD, E.PEER_FIN, E.TO_KERNEL),

    Row(S.DEAF, E.SHUT_WR,     ALWAYS,  {}, D.PUBLISH_FIN,                S.BOTH_SHUT),
    Row(S.DEAF, E.CLOSE,       arg > 0, {}, CLOSE_UNREAD,                 S.CLOSED),
    Row(S.DEAF, E.CLOSE,       ALWAYS,  {}, CLOSE_OPEN,                   S.CLOSED),
    Row(S.DEAF, E.PEER_CLOSED, ALWAYS,  {}, D.LAST_SEND,                  S.PEER_SHUT),
    Row(S.DEAF, E.PEER_RESET,  ALWAYS,  {}, (D.RESET_PEER, D.BREAK_SEND), S.RESET),
    Row(S.DEAF, E.PEER_GONE,   arg > 0, {}, D.BREAK_SEND,                 S.RESET),
    Row(S.DEAF, E.PEER_GONE,   ALWAYS,  {}, D.LAST_SEND,                  S.PEER_SHUT),
    *ignored(S.DEAF, E.SHUT_RD, E.PEER_FIN, E.PEER_DEAF, E.TO_KERNEL),

    Row(S.BOTH_SHUT, E.CLOSE,      arg > 0, {}, CLOSE_UNREAD,  S.CLOSED),
    Row(S.BOTH_SHUT, E.CLOSE,      ALWAYS,  {}, CLOSE_SHUT,    S.CLOSED),
    Row(S.BOTH_SHUT, E.PEER_RESET, ALWAYS,  {}, D.RAISE_RESET, S.RESET),
    Row(S.BOTH_SHUT, E.PEER_GONE,  arg > 0, {}, D.RAISE_RESET, S.RESET),
    Row(S.BOTH_SHUT, E.PEER_GONE,  ALWAYS,  {}, NOTHING,       S.BOTH_SHUT),
    *ignored(S.BOTH_SHUT, E.SHUT_WR, E.SHUT_RD, E.PEER_FIN, E.PEER_CLOSED, E.PEER_DEAF, E.TO_KERNEL),

    Row(S.RESET, E.CLOSE,     ALWAYS,  {}, CLOSE_SHUT,                          S.CLOSED),
    Row(S.RESET, E.TO_KERNEL, arg > 0, {}, D.BREAK_COMPANION,                   S.RESET),
    Row(S.RESET, E.TO_KERNEL, ALWAYS,  {}, (D.BREAK_COMPANION, D.FORGET_ERROR), S.RESET),
    *ignored(S.RESET, E.SHUT_WR, E.SHUT_RD, E.PEER_FIN, E.PEER_CLOSED, E.PEER_DEAF, E.PEER_RESET, E.PEER_GONE),

    *ignored(S.CLOSED, E.PEER_FIN, E.PEER_CLOSED, E.PEER_DEAF, E.PEER_RESET, E.PEER_GONE),
))  # fmt: skip

MACHINES = (TEARDOWN,)
