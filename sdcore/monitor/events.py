"""What happens to a monitor, and what it wants done.

`decisions.Monitor.handle` takes one event and returns effects, to be performed in order. Whoever performs them owns
sockets, memory and the clock: the daemon, or the simulator.
"""

from __future__ import annotations

from dataclasses import dataclass

from sdcore.monitor.identity import Address, Place, ProcessId, SocketId
from sdcore.monitor.policy import Policy
from sdcore.protocol import layout

# Events --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attach:
    """A process says hello.

    Attributes:
        process: who it is, from the kernel.
        fences: whether membarrier reaches it.
        version: of the layout that it uses.
        parent_id: the process that it was forked from, 0 if it knows none.
        secret: what that process announced for its children.
        child_secret: what it announces for its own.
    """

    process: ProcessId
    fences: bool = True
    version: int = layout.LAYOUT_VERSION
    parent_id: int = 0
    secret: int = 0
    child_secret: int = 0


@dataclass(frozen=True)
class Listen:
    """An attached process listens on a socket that it showed."""

    process_id: int
    socket: SocketId


@dataclass(frozen=True)
class Unlisten:
    """An attached process gave up a listening socket."""

    process_id: int
    listener_id: int


@dataclass(frozen=True)
class WantLease:
    """An attached process is about to connect.

    Attributes:
        socket: the one that will connect; it tells the network namespace.
        destination: where to.
        full_lease: a lease whose slots are all taken; 0 if there is none.
    """

    process_id: int
    socket: SocketId
    destination: Place
    full_lease: int = 0


@dataclass(frozen=True)
class SlabFailed:
    """The memory of a slab just asked for could not be had."""

    lease_id: int


@dataclass(frozen=True)
class WantLeasesOf:
    """A process that holds a listening socket asks for the first lease after `after`."""

    process_id: int
    socket: SocketId
    after: int


@dataclass(frozen=True)
class End:
    """A record that shows one end of a connection.

    Attributes:
        region, index: where it stands.
        pid: process that used it last.
        refs: descriptors that refer to it.
    """

    region: int
    index: int
    pid: int
    refs: int


@dataclass(frozen=True)
class WantJoin:
    """An attached process asks for rings for a connection that stands on kernel TCP.

    Attributes:
        socket: its end, which it showed.
        peer: the address of the other end.
        index: of the record that shows its end in its own region.
        same: all records that show its end. other: all that show the other one.
    """

    process_id: int
    socket: SocketId
    peer: Address
    index: int
    same: tuple[End, ...]
    other: tuple[End, ...]


@dataclass(frozen=True)
class OffersTaken:
    """No offer waits in a slab whose client died."""

    lease_id: int


@dataclass(frozen=True)
class Unused:
    """No slot is in use in a slab that is drained, or whose listener is closed."""

    lease_id: int


@dataclass(frozen=True)
class Disconnected:
    """The control connection of a process that lives is at its end."""

    process_id: int


@dataclass(frozen=True)
class Replaced:
    """A process has become another program."""

    process_id: int


@dataclass(frozen=True)
class Died:
    """A process is dead."""

    process_id: int


@dataclass(frozen=True)
class PolicyChanged:
    """Other rules are in force from now on."""

    policy: Policy


@dataclass(frozen=True)
class Drain:
    """An administrator wants programs off shared memory.

    Attributes:
        region: the family to drain; None: all, and those that attach from now on.
        uid: only programs of this user; None: of all users.
    """

    region: int | None = None
    uid: int | None = None


Event = (
    Attach
    | Listen
    | Unlisten
    | WantLease
    | SlabFailed
    | WantLeasesOf
    | WantJoin
    | OffersTaken
    | Unused
    | Disconnected
    | Replaced
    | Died
    | PolicyChanged
    | Drain
)

# Effects: replies to the process that asked --------------------------------------------------------------------------


@dataclass(frozen=True)
class Welcome:
    """Attached under this number."""

    process_id: int


@dataclass(frozen=True)
class Listening:
    """Registered under this number."""

    listener_id: int


@dataclass(frozen=True)
class Leased:
    """Here is a lease, and the slab with it. `lease_id` 0: there is none further."""

    lease_id: int
    listener_id: int


@dataclass(frozen=True)
class Denied:
    """No, because of this REASON_*."""

    reason: int


@dataclass(frozen=True)
class Done:
    """Nothing to say."""


@dataclass(frozen=True)
class Rejected:
    """The request makes no sense; the text is for the log."""

    text: str


Reply = Welcome | Listening | Leased | Denied | Done | Rejected

# Effects: things to do -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MakeSlab:
    """Make the memory of a new lease; if that fails, say so by SlabFailed and leave the further effects out."""

    lease_id: int
    listener_id: int
    heavy_fence: bool


@dataclass(frozen=True)
class FillSlot:
    """Put an established connection into the first slot of a new slab; `client` is the end that has side 0."""

    lease_id: int
    client: Address
    server: Address


@dataclass(frozen=True)
class Invite:
    """Mark a record: its end is to ask for rings."""

    region: int
    index: int


@dataclass(frozen=True)
class UseHeavyFence:
    """A process that membarrier does not reach now shares this slab."""

    lease_id: int


@dataclass(frozen=True)
class RevokeSlab:
    """Tell both sides to make no new offers."""

    lease_id: int


@dataclass(frozen=True)
class MarkDrained:
    """Tell both sides to make no new offers, and to leave the slab."""

    lease_id: int


@dataclass(frozen=True)
class PressSlab:
    """Ask both sides of each connection to move, now and then until no slot is in use, then say Unused."""

    lease_id: int


@dataclass(frozen=True)
class PokeSlab:
    """Tell one side (0 client, 1 server) to look at its companions."""

    lease_id: int
    side: int


@dataclass(frozen=True)
class Forget:
    """Keep the totals of a process, and nothing else of it.

    Attributes:
        slabs: the slabs that were its own until now, and its side of each: there is what its rings carried.
    """

    process_id: int
    slabs: frozenset[tuple[int, int]]


@dataclass(frozen=True)
class WatchOffers:
    """Look until no offer waits in the slab, then say OffersTaken."""

    lease_id: int


@dataclass(frozen=True)
class WatchUse:
    """Look until no slot of the slab is in use, then say Unused."""

    lease_id: int


@dataclass(frozen=True)
class DropSlab:
    """Forget the memory of a lease."""

    lease_id: int


@dataclass(frozen=True)
class ListenersMoved:
    """Move the status page's generation of listeners."""


@dataclass(frozen=True)
class LeasesMoved:
    """Move the status page's generation of leases."""


Effect = (
    Reply
    | MakeSlab
    | FillSlot
    | Invite
    | UseHeavyFence
    | RevokeSlab
    | MarkDrained
    | PressSlab
    | PokeSlab
    | WatchOffers
    | WatchUse
    | DropSlab
    | Forget
    | ListenersMoved
    | LeasesMoved
)
