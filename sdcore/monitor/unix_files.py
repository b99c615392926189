"""To which file a Unix socket is bound, as the kernel says by sock_diag(7).

Its name is only what the program wrote into bind(): it may lead elsewhere from here, or be another file's by now.
The kernel is asked in the monitor's own network namespace, and knows the sockets of that one alone.
"""

from __future__ import annotations

import os
import socket
import struct

SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
UDIAG_SHOW_VFS = 2
UNIX_DIAG_VFS = 1
NO_COOKIE = 0xFFFFFFFF
ANSWER_BYTES = 4096
MINOR_BITS = 20
"""Of a device number inside of the kernel."""

HEADER = struct.Struct("=IHHII")
REQUEST = struct.Struct("=BBHIIIII")
MESSAGE = struct.Struct("=BBBBIII")
ATTRIBUTE = struct.Struct("=HH")
FILE = struct.Struct("=II")


def bound_to(inode: int) -> tuple[int, int] | None:
    """Device and inode of the file to which the socket with this inode is bound; None if the kernel names none."""
    request = REQUEST.pack(socket.AF_UNIX, 0, 0, NO_COOKIE, inode & NO_COOKIE, UDIAG_SHOW_VFS, NO_COOKIE, NO_COOKIE)
    head = HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, SOCK_DIAG) as asked:
            asked.send(head + request)
            answer = asked.recv(ANSWER_BYTES)  # the kernel answers within the call that asks
    except OSError:
        return None
    return _file_in(answer)


def _file_in(answer: bytes) -> tuple[int, int] | None:
    length, kind, *_ = HEADER.unpack_from(answer)
    if kind != SOCK_DIAG_BY_FAMILY:
        return None
    at = HEADER.size + MESSAGE.size
    while at + ATTRIBUTE.size <= length:
        size, name = ATTRIBUTE.unpack_from(answer, at)
        if name == UNIX_DIAG_VFS:
            inode, device = FILE.unpack_from(answer, at + ATTRIBUTE.size)
            return os.makedev(device >> MINOR_BITS, device % (1 << MINOR_BITS)), inode
        at += -(-size // 4) * 4
    return None
