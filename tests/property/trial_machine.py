"""A machine that uses everything the kit can say, so that the generator is tried where our tables are simple."""

from __future__ import annotations

from sdcore.protocol.kit import ALWAYS, NOTHING, PEER, Effect, Event, Machine, Reg, Row, State, arg, ignored


class TrialState(State):
    """Three states."""

    LOW = "low"
    MIDDLE = "middle"
    HIGH = "high"


class TrialEvent(Event):
    """One event for each kind of row."""

    ADD = "arg is added to every width"
    SWAP = "two registers change places"
    RISE = "a sum that exceeds 32 bits decides"
    MASKED = "bits decide", PEER
    EXACT = "one number decides"
    FALL = "comparisons with < and <=", PEER


class TrialDo(Effect):
    """Four effects in one row at most."""

    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    FOURTH = "fourth"


tiny = Reg("tiny", start=250, bits=8)
small = Reg("small", bits=16)
left = Reg("left", start=1, bits=32)
right = Reg("right", start=2, bits=32)
wide = Reg("wide", start=1 << 40)

S, E, D = TrialState, TrialEvent, TrialDo
ADDED = {tiny: tiny + arg, small: small + arg, left: left - arg, right: right + 3, wide: wide + arg}
CROSSED = {left: right - left, right: right + left}
ODD, EVEN = (D.FIRST, D.THIRD), (D.SECOND, D.FOURTH)
ALL = (D.FOURTH, D.THIRD, D.SECOND, D.FIRST)

TRIAL = Machine(
    "trial", "Everything that the kit can say.",
    S, E, D, registers=(tiny, small, left, right, wide), rows=(
    Row(S.LOW,    E.ADD,    ALWAYS,                            ADDED,                       D.FIRST,  S.LOW),
    Row(S.LOW,    E.SWAP,   ALWAYS,                            {left: right, right: left},  ALL,      S.MIDDLE),
    Row(S.LOW,    E.RISE,   left + right > 0xFFFFFFFF,         {tiny: tiny + 1},            D.SECOND, S.HIGH),
    Row(S.LOW,    E.RISE,   (left > 7) & (right != 9),         {small: small - 1},          D.THIRD,  S.MIDDLE),
    Row(S.LOW,    E.RISE,   (left == 5) | (right == 6),        {},                          NOTHING,  S.MIDDLE),

    Row(S.MIDDLE, E.ADD,    arg >= 1 << 35,                    {wide: arg},                 D.FIRST,  S.LOW),
    Row(S.MIDDLE, E.ADD,    arg > 4,                           {tiny: arg, wide: wide - 1}, D.SECOND, S.MIDDLE),
    Row(S.MIDDLE, E.SWAP,   left != right,                     CROSSED,                D.THIRD,  S.LOW),
    Row(S.MIDDLE, E.MASKED, (arg & 12) == 4,                   {wide: wide & 0xFF},         ODD,      S.HIGH),
    Row(S.MIDDLE, E.MASKED, arg - small < 3,                   {small: arg},                EVEN,     S.LOW),
    Row(S.MIDDLE, E.EXACT,  (arg == 77) | (tiny == 0),         {tiny: 0},                   D.FIRST,  S.HIGH),

    Row(S.HIGH,   E.FALL,   arg < 10,                          {small: small - arg},        (D.THIRD, D.FIRST), S.LOW),
    Row(S.HIGH,   E.FALL,   arg <= 20,                         {},                          D.FOURTH, S.MIDDLE),
    Row(S.HIGH,   E.FALL,   ALWAYS,                            {},                          NOTHING,  S.HIGH),
    *ignored(S.HIGH, E.EXACT, E.MASKED),
))  # fmt: skip
