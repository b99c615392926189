"""Shared memory as two cores see it: slabs, slots, rings, and who asked to be woken.

A core's store is seen by others only after a while, the time that a cache line needs; its own loads are not delayed. So
a producer may publish, look whether anybody sleeps, see nobody, and its bytes may still be invisible to a consumer that
announces its sleep at this moment. The fence and the second look of the `waiter` machine exist for this, and a table
without them loses wake-ups here as on real hardware. Swaps are seen by all at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdcore.protocol import layout
from sdsim.host import Thread
from sdsim.stream import Bytes
from sdsim.world import Violation, World

if TYPE_CHECKING:
    from sdsim.epoll import EpollSet
    from sdsim.nic import Nic, QueuePair
    from sdsim.socket import Socket

FREE, OFFERED, ACCEPTED, WITHDRAWN = "free", "offered", "accepted", "withdrawn"
EMPTY, DECLINED, PENDING = -1, -2, -3
SIDES = 2
SLOTS = layout.SLOTS


class Word:
    """A word that one core writes and others read a little later."""

    __slots__ = ("_coming", "_seen", "value")

    def __init__(self) -> None:
        self.value = 0
        self._seen = 0
        self._coming: list[tuple[int, int]] = []

    def store(self, value: int, visible_ps: int) -> None:
        """Write; others see it from `visible_ps` on."""
        self.value = value
        self._coming.append((visible_ps, value))

    @property
    def due(self) -> int | None:
        """When others see the next change, if one is on its way."""
        return self._coming[0][0] if self._coming else None

    def load(self, now_ps: int) -> int:
        """What another core sees."""
        coming = self._coming
        if coming and coming[0][0] <= now_ps:
            come = 1
            while come < len(coming) and coming[come][0] <= now_ps:
                come += 1
            self._seen = coming[come - 1][1]
            del coming[:come]
        return self._seen


class Attention:
    """Who of one side waits for news of one direction: threads that sleep, an epoll set that watches."""

    __slots__ = ("poke", "sleepers", "spinners", "watch")

    def __init__(self) -> None:
        self.sleepers: list[Thread] = []
        self.spinners: list[Thread] = []
        self.watch: EpollSet | None = None
        self.poke = False

    @property
    def armed(self) -> bool:
        """Whether the peer has anything to do after publishing."""
        return bool(self.sleepers) or self.watch is not None


class Direction:
    """One direction: the producer's tail and flags, the consumer's head and flags, the bytes between."""

    __slots__ = ("content", "data_wait", "head", "name", "room_wait", "rx_flags", "tail", "tx_flags")

    def __init__(self, name: str) -> None:
        self.name = name
        self.tail = Word()
        self.tx_flags = Word()
        self.head = Word()
        self.rx_flags = Word()
        self.content = Bytes()
        self.data_wait = Attention()
        self.room_wait = Attention()


class Slot:
    """One connection's place in a slab. `offer` is the only word that both sides swap.

    Attributes:
        accept_seen: the client can see that the offer is taken.
        pairs: queue pairs of client and server, if they are on two hosts.
    """

    __slots__ = (
        "accept_seen", "accepts", "client_port", "dirs", "done", "ends", "number", "offer", "pairs", "slab", "used",
    )  # fmt: skip

    def __init__(self, slab: Slab, number: int) -> None:
        self.slab = slab
        self.number = number
        self.offer = FREE
        self.used = False
        self.done = 0
        self.accepts = 0
        self.accept_seen = False
        self.pairs: tuple[QueuePair, QueuePair] | None = None
        self.client_port = 0
        self.dirs: tuple[Direction, Direction]
        self.ends: list[Socket | None] = [None, None]

    def claim(self, name: str) -> None:
        """A client takes the free slot."""
        self.used, self.done, self.accepts = True, 0, 0
        self.accept_seen, self.pairs = False, None
        self.dirs = (Direction(name + ".up"), Direction(name + ".down"))
        self.ends = [None, None]

    def swap(self, old: str, new: str) -> bool:
        """Compare and swap the offer word."""
        if self.offer != old:
            return False
        self.offer = new
        if new == ACCEPTED:
            self.accepts += 1
            if self.accepts > 1:
                raise Violation(f"accepted once: slot {self.number} of {self.slab.name} was accepted twice")
        return True

    @property
    def closed_in_order(self) -> bool:
        """Whether a program closed each end that used it."""
        ends = [end for end in self.ends if end is not None]
        return bool(ends) and all(end.closed_in_order for end in ends)

    def unclaim(self) -> None:
        """The client gives it back unused."""
        self.used, self.offer = False, FREE

    def release(self, sides: int) -> None:
        """Some sides are done with it; the last makes it free.

        Raises:
            Violation: it was free already, or released by more sides than there are.
        """
        if not self.used:
            raise Violation(f"a slot is released once by each side: slot {self.number} of {self.slab.name} is free")
        self.done += sides
        if self.done >= SIDES:
            self.used, self.offer = False, FREE


class Slab:
    """What one client process and the holders of one listening socket share; `nics` of both, if on two hosts."""

    def __init__(self, world: World, lease_id: int, heavy_fence: bool, nics: tuple[Nic, Nic] | None = None) -> None:
        self.world = world
        self.nics = nics
        self.lease_id = lease_id
        self.name = f"slab{lease_id}"
        self.heavy_fence = heavy_fence
        self.revoked = False
        self.ports: dict[int, int] = {}
        self.slots: dict[int, Slot] = {}
        self._next = 0

    def claim(self, name: str) -> Slot | None:
        """A free slot, or None."""
        for step in range(SLOTS):
            number = (self._next + step) % SLOTS
            slot = self.slots.get(number)
            if slot is None:
                slot = self.slots[number] = Slot(self, number)
            if not slot.used:
                self._next = number
                slot.claim(name)
                return slot
        return None

    @property
    def in_use(self) -> int:
        """Slots in use."""
        return sum(slot.used for slot in self.slots.values())

    @property
    def offers(self) -> int:
        """Offers that nobody has taken up."""
        return sum(slot.used and slot.offer == OFFERED for slot in self.slots.values())
