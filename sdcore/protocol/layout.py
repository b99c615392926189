"""Layouts of everything that two processes share, described once.

`sdcore.protocol.gen` prints these as C structures (with a static assertion for every size and offset); the monitor and
the tests read shared memory through `Struct.view`. Sizes are in bytes. `atomic` fields are C11 atomics in C. A field
whose doc begins with `P:`, `C:`, `M:` is written only by the producer, the consumer, or the monitor.

Source: docs/explanation/architecture.md, "Parts of shared memory".
"""

from __future__ import annotations

from sdcore.protocol.struct_kit import PAGE_BYTES, Const, Field, Struct, numbered, round_up

CACHE_LINE = 64
LINE_PAIR = 128
"""What processors fetch at once when a line is missed."""

CONSTANTS = (
    Const("LAYOUT_VERSION", 7, "Changes with every layout; processes of different versions use kernel TCP."),
    Const("SLAB_MAGIC", 0x53445331, "First word of a slab."),
    Const("REGION_MAGIC", 0x53445231, "First word of a region."),
    Const("STATUS_MAGIC", 0x53445031, "First word of a status page."),
    Const("SLOTS", 256, "Connections in a slab."),
    Const("RING_BYTES", 2 * 1024 * 1024, "Capacity of one direction; a power of two."),
    Const("FRONT_BYTES", 33 * 64, "The first bytes of a ring: they lie densely, those of all connections together."),
    Const("RECEIVE_BUFFER_BYTES", 128 * 1024, "What a consumer holds if the program chose only the producer's buffer."),
    Const("ELSEWHERE_LOOK_NS", 5_000_000, "The same where a ring may come from a namespace in which it is not heard."),
    Const("SLEEPER_LOOK_NS", 1_000_000_000, "Who sleeps on a connection looks again so often, unasked."),
    Const("OFFER_TIMEOUT_NS", 1_000_000_000, "How long a pending server waits, or an offer out of the backlog."),
    Const(
        "OFFER_PATIENCE", 60, "So many times as long an offer waits for a server that has said that it looks for it."
    ),
    Const("OFFER_LOOK_NS", 250_000_000, "How often a client looks whether its offer's connection is in the backlog."),
    Const("HINT_TTL", 243, "TTL (hop limit) of the SYN of a client that will make an offer."),
    Const("PORTS", 65536, "Entries of the slab's table from client port to slot."),
    Const("DOORBELLS", 64, "Epoll sets of one side that may watch connections of one slab."),
    Const("SLEEPERS", 4, "Threads that may block on one direction of one connection at a time."),
    Const("SOCKETS", 65536, "Socket objects in a region."),
    Const("SOCKET_BYTES_MAX", 2048, "Of a socket object, what the library keeps for itself included."),
    Const("THREADS", 8192, "Threads of a family that may use sockets."),
    Const("REASONS", 32, "Size of the table of reasons for not being accelerated."),
    # offer words: generation * OFFER_STATES + one of these, so that a swap never hits a later use of the slot
    Const("OFFER_STATES", 8, ""),
    Const("OFFER_FREE", 0, ""),
    Const("OFFER_OFFERED", 1, ""),
    Const("OFFER_ACCEPTED", 2, ""),
    Const("OFFER_WITHDRAWN", 3, ""),
    Const("OFFER_CLAIMED", 4, "The client has taken the slot and fills it in."),
    # entries of the port table
    Const("PORT_EMPTY", 0, "No offer; a slot s is entered as s + 1."),
    Const("PORT_PENDING", 0xFFFE, "A server has accepted the connection, and looks here for its offer."),
    Const("PORT_DECLINED", 0xFFFF, "The server gave up waiting; the client stays on TCP."),
    # flags beside tail
    Const("TX_FIN", 1, "No byte follows tail."),
    Const("TX_RESET", 2, "The producer reset the connection."),
    Const("TX_MOVED", 4, "Bytes after tail come over the companion."),
    Const("TX_CLOSED", 8, "The producer's side is closed for both directions."),
    # flags beside head
    Const("RX_CLOSED", 1, "The consumer will not read any more."),
    Const("RX_ABANDONED", 2, "The consumer left at head; send the rest over the companion."),
    Const("RX_FORWARDING", 4, "The consumer puts bytes of the ring on the companion: let nothing overtake them."),
    Const(
        "RX_SEEN_MOVED", 8, "Set by the producer after TX_MOVED: what stood here before says who sends what is unread."
    ),
    Const("RX_SEEN_CLOSED", 16, "Set by the producer after TX_CLOSED, for the same reason."),
    Const("RX_DEAF", 32, "The consumer shut both directions and lives on: what comes resets the connection."),
    Const("RX_AWAY", 64, "The consumer reads the companion, and looks here when that is empty."),
    # bits of armed
    Const("ARM_WATCHED", 1, ""),
    Const("ARM_SLEEPER", 2, ""),
    Const("ARM_MOVE", 4, ""),
    Const("ARM_NAP", 8, "Threads sleep on this very word, by futex."),
    Const("ARM_POKE", 0x100, "Alone in its byte, so that the monitor sets it by a plain store of one byte."),
    Const("ARM_DRAIN", 0x10000, "M: as ARM_MOVE, asked for by an administrator; alone in its byte, too."),
    # a ready byte
    Const("READY_NEWS", 1, "Set by the peer, who tells when: told_at. Of who finds it set, older news waits."),
    Const("READY_LOOK", 2, "Set by anybody: whoever watches shall look, though nothing may have come."),
    # the head of a slab
    Const("REVOKED_CLOSED", 1, "Make no new offers here."),
    Const("REVOKED_DRAINED", 2, "Nor go on here: what is established moves to the companion."),
)

PRODUCER = Struct(
    "producer",
    "A line, written by the producer of a direction.",
    size=64,
    fields=(
        Field("tail", "u64", atomic=True, doc="P: bytes ever put; publishes the ring bytes, base and flags."),
        Field("base", "u64", atomic=True, doc="P: position that lies at ring offset 0; changes only while empty."),
        Field("flags", "u32", atomic=True, doc="P: TX_*; set after the last tail."),
        Field("pid", "u32", atomic=True, doc="P: a process that holds its end of the companion; a hint."),
        Field("fd", "u32", atomic=True, doc="P: the descriptor there; a hint, true only if the addresses fit."),
        Field("window", "u32", atomic=True, doc="P: bytes that it lets be under way; 0 stands for RING_BYTES."),
        Field("told_at", "u64", atomic=True, doc="P: its processor's counter when it last set a clear READY_NEWS."),
    ),
)

CONSUMER = Struct(
    "consumer",
    "Half a line, written by the consumer of a direction.",
    size=32,
    fields=(
        Field("head", "u64", atomic=True, doc="C: bytes ever taken; gives their room back."),
        Field("flags", "u32", atomic=True, doc="C: RX_*."),
        Field("buffer", "u32", atomic=True, doc="C: its receive buffer, if the program chose one; else 0."),
    ),
)

ATTENTION = Struct(
    "attention",
    "Who waits; half a line, read by the peer after each publish, seldom written.",
    size=32,
    fields=(
        Field("armed", "u32", atomic=True, doc="ARM_* bits; 0 is the common case."),
        Field("sleepers", "u32", count=4, atomic=True, doc="Doorbell names of blocked threads; 0 is free."),
        Field("watch", "u64", atomic=True, doc="Bit b: doorbell slot b of this side watches this connection."),
    ),
)

# Three lines, and the pairs that a processor fetches together apart by writer. Who waits for room stands in the line
# that the consumer itself has just written. Who waits for data does not stand in the producer's: the consumer polls
# that one, so the producer's look there would miss after each store (a round trip between two cores took 0.8 us, 0.65
# like this).
DIRECTION = Struct(
    "direction",
    "One direction of a connection.",
    size=256,
    fields=(
        Field("p", "producer"),
        Field("data_wait", "attention", align=CACHE_LINE, doc="C: the consumer waits for data; read by the producer."),
        Field("c", "consumer", align=LINE_PAIR),
        Field("room_wait", "attention", doc="P: the producer waits for room; read by the consumer."),
    ),
)

ADDRESS = Struct(
    "address",
    "An Internet address and port as seen by the client, IPv4 as v4-mapped; or the name of a Unix socket.",
    size=24,
    fields=(
        Field("ip", "u8", count=16, doc="Network order. AF_UNIX: the last 16 bytes; an abstract name keeps its NUL."),
        Field("port", "u16", doc="Host order. AF_UNIX: of a name that the kernel chose, the number's last 16 bits."),
        Field("family", "u16", doc="AF_INET, AF_INET6 or AF_UNIX of the client's socket."),
    ),
)

SLOT = Struct(
    "slot",
    "One connection.",
    size=640,
    fields=(
        Field("offer", "u32", atomic=True, doc="Generation and OFFER_*; the only word that both sides swap."),
        Field("done", "u32", atomic=True, doc="Sides that are done, or not there yet; at 2 the slot is free."),
        Field("local", "address", doc="The client's end."),
        Field("peer", "address", doc="The server's end."),
        Field("dir", "direction", count=2, align=LINE_PAIR, doc="0: client to server. 1: server to client."),
    ),
)

SIDE = Struct(
    "side",
    "What one side of a slab announces to the other.",
    size=640,
    fields=(
        Field("asleep", "u64", atomic=True, doc="Bit b: the epoll set with doorbell slot b sleeps."),
        Field("claimed", "u64", atomic=True, doc="Bit b: doorbell slot b is in use."),
        Field("shared", "u32", atomic=True, doc="1: it has forked, so several processes may share a connection."),
        Field("doorbell", "u32", count=64, atomic=True, align=64, doc="Name of each doorbell slot."),
        Field("ready", "u8", count=256, atomic=True, align=64, doc="READY_*: connection s has news for this side."),
    ),
)

SLAB = Struct(
    "slab",
    "Head of a slab; the rings follow at RINGS_OFFSET, two for each slot.",
    size=0,
    fields=(
        Field("magic", "u32", doc="M: SLAB_MAGIC."),
        Field("version", "u32", doc="M: LAYOUT_VERSION."),
        Field("lease_id", "u64", doc="M:"),
        Field("listener_id", "u64", doc="M:"),
        Field("heavy_fence", "u32", doc="M: 1 if a side cannot be reached by membarrier."),
        Field("revoked", "u32", atomic=True, doc="M: REVOKED_*; nonzero: make no new offers here."),
        Field("side", "side", count=2, align=64, doc="0: client. 1: server."),
        Field("port", "u16", count=65536, atomic=True, align=4096, doc="Client port to slot + 1; see PORT_*."),
        Field("slot", "slot", count=256, align=4096),
        Field("front", "u8", count=512 * 33 * 64, align=64, doc="Of ring 2 * s + d, FRONT_BYTES each."),
    ),
)

STATUS = Struct(
    "status",
    "The monitor's status page.",
    size=4096,
    fields=(
        Field("magic", "u32", doc="M:"),
        Field("version", "u32", doc="M:"),
        Field("alive", "u32", atomic=True, doc="M: 1 while the monitor serves; 0 after an orderly stop."),
        Field("listeners", "u64", atomic=True, doc="M: generation, moves when a listener comes."),
        Field("leases", "u64", atomic=True, doc="M: generation, moves when a lease is granted."),
        Field("elsewhere", "u32", atomic=True, doc="M: 1 if listeners of other network namespaces may be asked for."),
    ),
)

TOTALS = Struct(
    "totals",
    "Sums over closed sockets of one transport.",
    size=32,
    fields=(
        Field("connections", "u64", atomic=True),
        Field("sent_bytes", "u64", atomic=True),
        Field("received_bytes", "u64", atomic=True),
    ),
)

SOCKET = Struct(
    "socket_record",
    "What a socket object shows to `sdcore ss`; the head of the library's own structure.",
    size=256,
    fields=(
        Field("refs", "u32", atomic=True, doc="Descriptors that refer to it, over the family; 0 is a free object."),
        Field("pid", "u32", atomic=True, doc="Process that used it last; 0: it became another program, and closed it."),
        Field("fd", "u32", atomic=True, doc="Descriptor there."),
        Field("state", "u32", atomic=True, doc="SOCK_STATE_*."),
        Field("transport", "u32", atomic=True, doc="TRANSPORT_*."),
        Field("reason", "u32", atomic=True, doc="REASON_*: why it is not accelerated; 0 if it is."),
        Field("side", "u32", doc="0 client, 1 server."),
        Field("slot", "u32", doc="Slot in the slab."),
        Field("lease_id", "u64", doc="Lease of the slab; 0 if none."),
        Field("kernel_sent_bytes", "u64", atomic=True, doc="Through kernel TCP."),
        Field("kernel_received_bytes", "u64", atomic=True),
        Field("ring_sent_bytes", "u64", atomic=True, doc="Own tail, copied when it is cheap; exact after close."),
        Field("ring_received_bytes", "u64", atomic=True),
        Field("local", "address"),
        Field("peer", "address"),
        Field("invited", "u32", atomic=True, doc="M: 1: the other end wants to join; ask for the slab, too."),
    ),
)

REGION = Struct(
    "region",
    "Head of a region; socket objects and thread slots follow, the library knows where.",
    size=4096,
    fields=(
        Field("magic", "u32", doc="REGION_MAGIC."),
        Field("version", "u32", doc="LAYOUT_VERSION."),
        Field("socket_offset", "u32", doc="Byte offset of the first socket object in the region."),
        Field("socket_stride", "u32", doc="Bytes from one socket object to the next."),
        Field("socket_high", "u32", atomic=True, doc="Objects with an index below this may be in use."),
        Field("total", "totals", count=4, align=64, doc="By TRANSPORT_*."),
        Field("reason", "u64", count=32, atomic=True, align=64, doc="How often each REASON_* was the outcome."),
    ),
)

STRUCTS = (PRODUCER, CONSUMER, ATTENTION, DIRECTION, ADDRESS, SLOT, SIDE, SLAB, STATUS, TOTALS, SOCKET, REGION)

SOCK_STATES = ("new", "listening", "connecting", "established", "closing", "closed")
TRANSPORTS = ("none", "shm", "tcp", "rdma")
REASONS = (
    ("accelerated", ""),
    ("new", "not connected yet"),
    ("no_monitor", "no monitor could be reached"),
    ("peer_plain", "the program at the other end does not use sdcore"),
    ("peer_remote", "the other end is on another host"),
    ("not_local", "the address is not one of this host"),
    ("policy", "another user or another network namespace, and no policy allows it"),
    ("no_slot", "every slot of the lease is in use and no further lease was granted"),
    ("no_memory", "shared memory could not be mapped"),
    ("slow_connect", "the kernel's handshake did not complete at once"),
    ("offer_timeout", "the server did not take up the offer in time"),
    ("port_clash", "two connections of the lease share a client port"),
    ("moved_oob", "out-of-band data was sent"),
    ("moved_exec", "an exec'd program may not have the library"),
    ("moved_splice", "splice was used on it"),
    ("moved_passed", "the descriptor was passed to another process"),
    ("moved_peer", "the peer moved to kernel TCP"),
    ("version", "the other end speaks another version of the layout"),
    ("revoked", "the lease was revoked"),
    ("violation", "the peer broke the protocol"),
    ("not_tcp", "not a TCP socket"),
    ("disabled", "acceleration is turned off by SDCORE_DISABLE"),
    ("doorbells", "too many epoll sets watch connections of one lease"),
    ("closed_early", "closed before the offer was accepted"),
    ("mapped_address", "an IPv4-mapped address on an IPv6 socket"),
    ("moved_option", "something was asked for that only the kernel can do: an option, control data, asynchronous I/O"),
    ("moved_stdio", "it became standard input, output or error, which libc reads and writes by itself"),
    ("moved_signal", "signal-driven input was asked for"),
    ("drained", "an administrator drained the program, or the one at the other end"),
    ("handed_on", "it was passed on or inherited, and the other end has not joined yet"),
    ("came_back", "it was handed on, came back into shared memory, and left it again to close"),
    ("named", "the client's end of a Unix connection has a name of its own"),
)

RINGS_OFFSET = round_up(SLAB.size, PAGE_BYTES)
"""Byte offset of the first ring in a slab; ring 2 * s + d is as many times RING_BYTES further on, but for its front."""

_NUMBERS = (
    {const.name: const.value for const in CONSTANTS}
    | numbered("SOCK", SOCK_STATES)
    | numbered("TRANSPORT", TRANSPORTS)
    | numbered("REASON", [name for name, _ in REASONS])
)
SLAB_BYTES = RINGS_OFFSET + _NUMBERS["SLOTS"] * 2 * _NUMBERS["RING_BYTES"]
"""Size of a whole slab."""


def __getattr__(name: str) -> int:
    """Constants and members of the lists are attributes: `layout.RING_BYTES`, `layout.REASON_POLICY`."""
    try:
        return _NUMBERS[name]
    except KeyError:
        raise AttributeError(f"sdcore.protocol.layout has no constant {name}") from None
