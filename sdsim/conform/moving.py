"""One direction that leaves the rings: what its producer and its consumer found of each other, together.

Both change one word, the flags beside `head`, and each change shows what stood there before
(`sdcore/protocol/transport.py`). A line is written before the change that its effect makes, and behind what its event
tells. So, in the order of time:

    said before it is found   FORWARDING stands there behind a consumer that leaves, ABANDONED behind one that resigns,
                              AWAY if it came back, SEEN_MOVED and SEEN_CLOSED behind a producer that moves or closes
    one of two was first      a producer and a consumer that each found nothing of the other cannot both be
    found for good            who resigns behind a producer that has found FORWARDING finds that it moved, or closed
    out is out                no byte is put into a ring behind its producer's move, and none is taken out of it behind
                              its consumer's leave
    sent again                are no more bytes than were put and not taken

A direction is judged if both its ends are in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sdcore.protocol import layout
from sdcore.protocol.kit import Effect
from sdcore.protocol.transport import (
    LEAVER,
    MOVER,
    LeaverDo,
    LeaverEvent,
    LeaverState,
    MoverDo,
    MoverEvent,
    MoverState,
)
from sdsim.conform.history import NUMBERS, Offence
from sdsim.conform.log import NO_EVENTS, Line

FORWARDING, ABANDONED, AWAY = layout.RX_FORWARDING, layout.RX_ABANDONED, layout.RX_AWAY
SEEN_MOVED, SEEN_CLOSED = layout.RX_SEEN_MOVED, layout.RX_SEEN_CLOSED
MOVER_NUMBER, LEAVER_NUMBER = NUMBERS[MOVER.name], NUMBERS[LEAVER.name]

SAYS: Final[dict[Effect, int]] = {
    MoverDo.LOOK_MOVED: SEEN_MOVED, MoverDo.LOOK_CLOSED: SEEN_CLOSED, MoverDo.MARK_CLOSED: SEEN_CLOSED,
    LeaverDo.ANNOUNCE: FORWARDING, LeaverDo.RESIGN: ABANDONED, LeaverDo.RESIGN_LAST: ABANDONED,
    LeaverDo.SETTLE: ABANDONED,
}  # fmt: skip
"""What an effect writes beside `head`."""
FINDS: Final = {
    MoverEvent.FORWARDS: FORWARDING, MoverEvent.LATE: FORWARDING,
    LeaverEvent.AFTER_MOVE: SEEN_MOVED, LeaverEvent.MOVED_MEANWHILE: SEEN_MOVED,
    LeaverEvent.AFTER_CLOSE: SEEN_CLOSED, LeaverEvent.CLOSED_MEANWHILE: SEEN_CLOSED, LeaverEvent.TAKEN_BACK: AWAY,
}  # fmt: skip
"""What an event found there."""
NAMES: Final = {
    FORWARDING: "FORWARDING", ABANDONED: "ABANDONED", AWAY: "AWAY", SEEN_MOVED: "SEEN_MOVED", SEEN_CLOSED: "SEEN_CLOSED"
}  # fmt: skip
_MOVER_STATES, _LEAVER_STATES = list(MoverState), list(LeaverState)
_MOVER_EVENTS, _LEAVER_EVENTS = list(MoverEvent), list(LeaverEvent)
_EFFECTS: Final[dict[int, list[Effect]]] = {MOVER_NUMBER: list(MoverDo), LEAVER_NUMBER: list(LeaverDo)}
IN_RINGS: Final = {MoverState.RINGS, MoverState.LOOKING, MoverState.CLOSING}
"""A producer killed amid LOOKING or CLOSING may not have begun; in all other states it has."""


@dataclass(eq=False, slots=True)
class Moving:
    """What one direction's ends have said and found.

    Attributes:
        ends: machines of it that are in the log.
        said: flags that may stand beside `head`.
        producer_first, consumer_first: found nothing of the other.
        found: of SEEN_MOVED and SEEN_CLOSED, with which the producer has found FORWARDING.
        consumer_puts: the consumer may have put bytes of the ring on the companion.
        must_find: of them, those that a consumer which resigns now has to find.
    """

    ends: set[int] = field(default_factory=set)
    said: int = 0
    producer: MoverState = MoverState.RINGS
    consumer_left: bool = False
    consumer_puts: bool = False
    producer_first: bool = False
    consumer_first: bool = False
    found: int = 0
    must_find: int = 0

    @property
    def whole(self) -> bool:
        """Both ends are in the log."""
        return len(self.ends) == 2

    # What the machines say -------------------------------------------------------------------------------------------

    def see(self, line: Line, unread: int | None) -> None:
        """A step of either end; `unread` bytes were put and not taken, if that is known. Raises Offence."""
        if line.event in NO_EVENTS:
            return
        _LOOKS[line.machine](self, line, unread)
        for effect in _effects(line):
            self.said |= SAYS.get(effect, 0)

    def mover(self, line: Line, unread: int | None) -> None:
        """A step of the producer. Raises Offence."""
        event, before = _MOVER_EVENTS[line.event], _MOVER_STATES[line.before]
        self.producer = _MOVER_STATES[line.after]
        if event is MoverEvent.LEFT:
            self._producer_found_no_forwarding(line.arg, unread)
        elif event in FINDS:
            self._needs(FINDS[event])
            if event is MoverEvent.FORWARDS:
                self.found |= SEEN_CLOSED if before is MoverState.CLOSING else SEEN_MOVED

    def _producer_found_no_forwarding(self, left: int, unread: int | None) -> None:
        if left and self.whole and not self.said & (ABANDONED | AWAY):
            raise Offence(f"{left} bytes are to be sent again, but the consumer has left none")
        if unread is not None and self.whole and left > unread:
            raise Offence(f"{left} bytes are to be sent again, {unread} were put and not taken")
        if not self.said & ABANDONED:
            self.producer_first = True
            self._one_was_first()

    def leaver(self, line: Line, _: int | None) -> None:
        """A step of the consumer. Raises Offence."""
        event = _LEAVER_EVENTS[line.event]
        if event is LeaverEvent.FIRST:
            self.consumer_first = True
            self._one_was_first()
        elif event is LeaverEvent.RESIGNED:
            self._resigned()
        elif event in FINDS:
            self._needs(FINDS[event])
        self.consumer_puts = True
        self.consumer_left = _LEAVER_STATES[line.after] is LeaverState.LEFT
        self.must_find = self._minded(line)

    def _minded(self, line: Line) -> int:
        """What stands there for sure, of that at which the consumer looks next."""
        effects = _effects(line)
        if LeaverDo.RESIGN in effects:
            return self.found
        return self.found & SEEN_CLOSED if LeaverDo.RESIGN_LAST in effects else 0

    def _resigned(self) -> None:
        if self.whole and self.must_find:
            raise Offence(f"the producer had found FORWARDING, and so left {_named(self.must_find)} there")

    def _needs(self, flag: int) -> None:
        if self.whole and not self.said & flag:
            raise Offence(f"{_named(flag)} was found, and nobody had set it")

    def _one_was_first(self) -> None:
        if self.whole and self.producer_first and self.consumer_first:
            raise Offence("producer and consumer have both found nothing of the other")

    # What the ring says ----------------------------------------------------------------------------------------------

    def put(self) -> None:
        """Bytes are put into the ring. Raises Offence."""
        if MOVER_NUMBER in self.ends and self.producer not in IN_RINGS:
            raise Offence(f"bytes are put into the ring, but its producer {self.producer.doc}")

    def taken(self) -> None:
        """Bytes are taken out of the ring. Raises Offence."""
        if self.consumer_left:
            raise Offence("bytes are taken out of the ring, but its consumer has left")


_LOOKS: Final[dict[int, Callable[[Moving, Line, int | None], None]]] = {
    MOVER_NUMBER: Moving.mover,
    LEAVER_NUMBER: Moving.leaver,
}


def _effects(line: Line) -> list[Effect]:
    known = _EFFECTS[line.machine]
    return [known[number - 1] for number in line.effects.to_bytes(4, "little") if number]


def _named(flags: int) -> str:
    return ", ".join(name for flag, name in NAMES.items() if flag & flags)
