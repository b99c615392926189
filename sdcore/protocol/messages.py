"""Messages between a process and its monitor, over a SOCK_SEQPACKET Unix socket.

A request and its reply, one packet each, never anything unasked. Every packet begins with HEADER; descriptors travel
beside it by SCM_RIGHTS. Numbers are in host order: both ends are on one host.

Socket: `$SDCORE_RUNTIME_DIR/monitor.sock`; without the variable `/run/sdcore/monitor.sock` if a system-wide monitor
serves there, else `/run/user/UID/sdcore/monitor.sock`; where /run/user/UID is missing,
`/tmp/sdcore-UID/monitor.sock`.
"""

from __future__ import annotations

from sdcore.protocol.struct_kit import Const, Field, Struct

CONSTANTS = (
    Const("MSG_HELLO", 1, "body HELLO, fd: region. Reply: WELCOME, fd: status page."),
    Const("MSG_LISTEN", 2, "no body, fd: the listening socket. Reply: LISTENER."),
    Const("MSG_UNLISTEN", 3, "body LISTENER. Reply: no body."),
    Const("MSG_LEASE", 4, "body DESTINATION, fd: the socket that will connect. Reply: LEASE, fd: slab."),
    Const("MSG_LEASES_OF", 5, "body AFTER, fd: the listening socket. Reply: LEASE (lease_id 0: no more), fd: slab."),
    Const("MSG_STATUS", 6, "no body. Reply: no body, fd: memfd with JSON."),
    Const("MSG_SOCKETS", 7, "no body. Reply: no body, fd: memfd with JSON."),
    Const("MSG_STOP", 8, "no body. Reply: no body; then the monitor ends."),
    Const(
        "MSG_CARRY",
        9,
        "body CARRY, fd: a TCP connection. Reply: no body. The bytes of the ring are sent there, then it is closed; "
        "with a second connection as fd, what either brings goes on to the other.",
    ),
    Const("MSG_KEEP", 10, "body KEPT, fd: a TCP connection that stands in for another one. Reply: no body."),
    Const("MSG_KEPT", 11, "body KEPT. Reply: no body, fd: what this family had kept under the number."),
    Const("MSG_LET_GO", 12, "body KEPT. Reply: no body. Nobody of the family needs it any more."),
    Const("MSG_DRAIN", 13, "body DRAIN. Reply: no body, fd: memfd with JSON. Asked again, it tells how far it is."),
    Const("MSG_JOIN", 14, "body JOIN, fd: a TCP connection. Reply: LEASE (lease_id 0: wait for the mark), fd: slab."),
    Const("STATUS_OK", 0, ""),
    Const("STATUS_DENIED", 1, "reason says why, as a REASON_*."),
    Const("STATUS_BAD", 2, "The request was malformed or its descriptor is not what it should be."),
    Const("HELLO_MEMBARRIER", 1, "Capability bit: membarrier(GLOBAL_EXPEDITED) is registered."),
)

HEADER = Struct(
    "msg_header",
    "Begins every packet.",
    size=16,
    fields=(
        Field("type", "u32", doc="MSG_*; a reply repeats the request's."),
        Field("seq", "u32", doc="Chosen by the sender of the request, repeated in the reply."),
        Field("status", "u32", doc="STATUS_*; 0 in a request."),
        Field("reason", "u32", doc="REASON_* of a denial."),
    ),
)

HELLO = Struct(
    "msg_hello",
    "A process attaches.",
    size=32,
    fields=(
        Field("version", "u32", doc="LAYOUT_VERSION."),
        Field("capabilities", "u32", doc="HELLO_* bits."),
        Field("parent_id", "u64", doc="Process id of the parent at the monitor, 0 if none."),
        Field("secret", "u64", doc="What the parent registered before it forked; proves parent_id."),
        Field("child_secret", "u64", doc="Secret that children forked from now on will show."),
    ),
)

WELCOME = Struct(
    "msg_welcome",
    "Attached.",
    size=16,
    fields=(Field("process_id", "u64", doc="The monitor's number for the process; never used twice."),),
)

LISTENER = Struct("msg_listener", "A listener.", size=8, fields=(Field("listener_id", "u64"),))

DESTINATION = Struct(
    "msg_destination",
    "Where a client wants to go.",
    size=144,
    fields=(
        Field("ip", "u8", count=16, doc="Network order, IPv4 as v4-mapped. AF_UNIX: device and inode of the file."),
        Field("port", "u16", doc="Host order."),
        Field("family", "u16", doc="AF_UNIX, or anything else for an Internet address."),
        Field("name_bytes", "u16", doc="AF_UNIX: length of an abstract name; 0 where a file is meant."),
        Field("full_lease", "u64", doc="A lease whose slots are all taken, or 0."),
        Field("name", "u8", count=108, doc="AF_UNIX: the abstract name, without its NUL."),
    ),
)

AFTER = Struct("msg_after", "Which leases are known.", size=8, fields=(Field("lease_id", "u64"),))

LEASE = Struct("msg_lease", "A lease.", size=16, fields=(Field("lease_id", "u64"), Field("listener_id", "u64")))

CARRY = Struct(
    "msg_carry",
    "Bytes of a ring that the sender of the request cannot put on TCP itself.",
    size=40,
    fields=(
        Field("lease_id", "u64", doc="Lease of the slab; its sender must be a party to it."),
        Field("slot", "u32"),
        Field("direction", "u32", doc="0: client to server. 1: server to client."),
        Field("begin", "u64", doc="Position of the first byte."),
        Field("end", "u64", doc="Position behind the last byte."),
        Field("base", "u64", doc="Position that lies at ring offset 0."),
    ),
)

KEPT = Struct(
    "msg_kept",
    "What the monitor keeps for the processes of a family.",
    size=8,
    fields=(Field("number", "u64", doc="Chosen by the family; what is kept again under a number replaces the first."),),
)

DRAIN = Struct(
    "msg_drain",
    "Which programs are to use kernel TCP from now on.",
    size=8,
    fields=(Field("pid", "u64", doc="A process of the program; 0: every program, also those that come later."),),
)

JOIN = Struct(
    "msg_join",
    "An end of a connection that may get rings again.",
    size=8,
    fields=(Field("index", "u64", doc="Of its socket object in the region; there the mark is set."),),
)

STRUCTS = (HEADER, HELLO, WELCOME, LISTENER, DESTINATION, AFTER, LEASE, CARRY, KEPT, DRAIN, JOIN)

_NUMBERS = {const.name: const.value for const in CONSTANTS}


def __getattr__(name: str) -> int:
    """Constants are attributes: `messages.MSG_HELLO`."""
    try:
        return _NUMBERS[name]
    except KeyError:
        raise AttributeError(f"sdcore.protocol.messages has no constant {name}") from None
