"""What a drawn program has made so far, roughly; theory: programs.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.differential.calls import CHOICES, FIRST_ACTORS, SLOTS, Step

Draw = Callable[[st.SearchStrategy[Any]], Any]

UNREAD_MAX = 40_000


@dataclass
class Thing:
    """What a slot means: stream, listener, fresh or epoll; a stream is an end (`pair`, `side`) of a connection."""

    kind: str
    end: tuple[int, int] = (-1, 0)
    family: int = CHOICES["family"]["inet"]
    nonblock: bool = False


@dataclass
class Scene:
    """What a program has made so far, and its steps."""

    draw: Draw
    wild: bool
    steps: list[Step] = field(default_factory=list)
    process_of: dict[int, int] = field(default_factory=lambda: {actor: actor for actor in range(FIRST_ACTORS)})
    slots: dict[int, dict[int, Thing]] = field(default_factory=lambda: {actor: {} for actor in range(FIRST_ACTORS)})
    waits: dict[int, int] = field(default_factory=dict)  # the actor that waits, and its slot
    unread: dict[tuple[int, int], int] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)  # pairs of which one end at least has said its last word
    shut: dict[tuple[int, int], int] = field(default_factory=dict)  # directions, as bits
    deaf: set[tuple[int, int]] = field(default_factory=set)  # shut both ways: a known difference where it moves
    names: list[int] = field(default_factory=list)  # family of each
    actors: int = FIRST_ACTORS
    pairs: int = 0
    restarts: bool = True  # what signals do to waiting calls; one kind for each program

    # --- drawing ---

    def one_of(self, choices: Any) -> Any:
        """One of several values, the first being the plainest."""
        return self.draw(st.sampled_from(list(choices)))

    def chance(self, percent: int) -> bool:
        """Yes in so many of a hundred cases."""
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    # --- steps ---

    def add(self, actor: int, call: str, *args: int, loose: bool = False) -> None:
        """One more step."""
        self.steps.append(Step(actor, call, tuple(int(arg) for arg in args), loose))

    def idle(self) -> list[int]:
        """Actors that do not seem to be blocked."""
        return [actor for actor in self.process_of if actor not in self.waits]

    def things(self, *kinds: str) -> list[tuple[int, int]]:
        """Idle actors with a slot of theirs of one of these kinds."""
        return [
            (actor, slot)
            for actor in self.idle()
            for slot, thing in self.slots[self.process_of[actor]].items()
            if thing.kind in kinds
        ]

    def pick(self, *kinds: str) -> tuple[int, int, Thing] | None:
        """One of `things`, with what it is."""
        found = self.things(*kinds)
        if not found:
            return None
        actor, slot = self.one_of(found)
        return actor, slot, self.thing(actor, slot)

    def thing(self, actor: int, slot: int) -> Thing:
        """What the slot means to this actor."""
        return self.slots[self.process_of[actor]][slot]

    def new_slot(self, actor: int, thing: Thing) -> int:
        """The first free slot of the actor's process, or the last one, over which something is then written."""
        slots = self.slots[self.process_of[actor]]
        slot = next((number for number in range(SLOTS) if number not in slots), SLOTS - 1)
        slots[slot] = thing
        return slot

    def waited_for(self, actor: int, slot: int) -> bool:
        """Whether another thread waits in this slot: closing it then is a known difference."""
        end = self.thing(actor, slot).end
        return any(
            self.process_of[waiter] == self.process_of[actor] and self.thing(waiter, waited).end == end
            for waiter, waited in self.waits.items()
            if waited in self.slots[self.process_of[waiter]]
        )

    def fits(self, end: tuple[int, int], size: int) -> bool:
        """Whether so many bytes more may lie unread at this end; see the head of this file."""
        return self.unread.get(end, 0) + size <= UNREAD_MAX

    def is_awaited(self, end: tuple[int, int]) -> bool:
        """Whether somebody seems to wait at this end."""
        waits = [self.slots[self.process_of[waiter]].get(slot) for waiter, slot in self.waits.items()]
        return any(thing is not None and thing.end == end for thing in waits)

    def wake(self, end: tuple[int, int]) -> None:
        """Something happened for this end: who waits there does not any more."""
        for waiter, waited in list(self.waits.items()):
            thing = self.slots[self.process_of[waiter]].get(waited)
            if thing is None or thing.end == end or thing.kind == "epoll":
                del self.waits[waiter]


def other(end: tuple[int, int]) -> tuple[int, int]:
    """The opposite end."""
    return end[0], 1 - end[1]
