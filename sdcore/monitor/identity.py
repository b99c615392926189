"""Who is who: processes, sockets and addresses, as the kernel told them to the I/O layer.

The simulator makes these by hand.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

IP_BYTES = 16
MAPPED_PREFIX = bytes(10) + b"\xff\xff"
ANY_V6 = bytes(IP_BYTES)
ANY_V4 = MAPPED_PREFIX + bytes(4)


@dataclass(frozen=True, order=True)
class Address:
    """An Internet address and port; IPv4 stands in its v4-mapped form, as in every message and structure.

    Attributes:
        ip: 16 bytes, network order.
        port: host order.
        unix: what `ip` holds is the name of a Unix socket, or its last bytes.
    """

    ip: bytes
    port: int
    unix: bool = False

    @classmethod
    def parse(cls, text: str, port: int) -> Address:
        """From the text that `getsockname` gives; a zone (`%eth0`) is left out.

        Raises:
            ValueError: not an Internet address.
        """
        packed = ipaddress.ip_address(text.partition("%")[0]).packed
        return cls(packed if len(packed) == IP_BYTES else MAPPED_PREFIX + packed, port)

    @property
    def is_v4(self) -> bool:
        """Whether it is IPv4."""
        return self.ip.startswith(MAPPED_PREFIX)

    @property
    def is_loopback(self) -> bool:
        """Whether it means the own host in every network namespace."""
        return ipaddress.ip_address(self.ip[12:] if self.is_v4 else self.ip).is_loopback

    def __str__(self) -> str:
        if self.unix:
            return _shown_name(self.ip)
        if self.is_v4:
            return f"{ipaddress.IPv4Address(self.ip[12:])}:{self.port}"
        return f"[{ipaddress.IPv6Address(self.ip)}]:{self.port}"


def _shown_name(name: bytes) -> str:
    """As `ss` writes it: `@` in place of the NUL of an abstract name; what came before is left out."""
    text = name.rstrip(b"\0").decode("utf-8", "replace")
    text = "".join("@" if letter == "\0" else letter if letter.isprintable() else "?" for letter in text)
    return ("..." if len(name.rstrip(b"\0")) == IP_BYTES else "") + (text or "*")


@dataclass(frozen=True)
class UnixName:
    """What a Unix socket is found by; nothing is set if it has no name.

    Attributes:
        abstract: an abstract name, without its NUL.
        device: of the file to which it is bound. inode: of that file.
    """

    abstract: bytes = b""
    device: int = 0
    inode: int = 0


NO_ADDRESS = Address(bytes(IP_BYTES), 0)

Place = Address | UnixName
"""Where a listener is found."""


@dataclass(frozen=True)
class SocketId:
    """A TCP socket, or a stream socket of AF_UNIX.

    Attributes:
        cookie: the kernel's number for the socket, never used twice.
        netns: cookie of its network namespace.
        local: its address; all zero if it is not bound, or of AF_UNIX.
        listening: whether it accepts connections.
        dual: an IPv6 socket that also takes IPv4.
        name: of AF_UNIX: what it is bound to.
    """

    cookie: int
    netns: int
    local: Address
    listening: bool = False
    dual: bool = False
    name: UnixName | None = None

    @property
    def place(self) -> Place:
        """Where it is found."""
        return self.local if self.name is None else self.name


@dataclass(frozen=True)
class ProcessId:
    """A process, when it connected to the monitor.

    Attributes:
        pid: in the monitor's pid namespace.
        uid: effective user.
        region: names the region that it showed; equal for the processes of one family.
    """

    pid: int
    uid: int
    region: int
