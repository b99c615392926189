"""What the kernel says about processes, sockets and memory. Nothing here believes a message.

Each function takes a descriptor, asks, and leaves the descriptor open. The numbers of the options are those of the
generic Linux headers; the standard library does not name them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import stat
import struct
from dataclasses import dataclass

from sdcore.monitor import unix_files
from sdcore.monitor.identity import NO_ADDRESS, Address, SocketId, UnixName

SO_COOKIE = 57
SO_NETNS_COOKIE = 71
SO_PEERPIDFD = 77
F_ADD_SEALS = 1033
F_GET_SEALS = 1034
F_SEAL_SEAL = 1
F_SEAL_SHRINK = 2
F_SEAL_GROW = 4
F_SEAL_FUTURE_WRITE = 16


class WrongDescriptor(Exception):
    """A descriptor is not what it should be; the text says what it is."""


@dataclass(frozen=True)
class Credentials:
    """Who made a Unix connection, at the time of its `connect`."""

    pid: int
    uid: int


@dataclass(frozen=True)
class MemoryId:
    """A sealed memfd.

    Attributes:
        inode: names the memory; equal for all descriptors of it.
        size: bytes; cannot become less.
    """

    inode: int
    size: int


def peer_credentials(connection: socket.socket) -> Credentials:
    """Process and effective user at the other end of a Unix connection."""
    pid, uid, _gid = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Credentials(pid, uid)


def peer_pidfd(connection: socket.socket, pid: int) -> int:
    """A new pidfd of the process at the other end.

    Kernels before 6.5 do not know SO_PEERPIDFD; there the number is looked up. It could have been taken anew since
    the process died, but then the connection is hung up by now.

    Raises:
        ProcessLookupError: the process is gone. OSError: no descriptor is left.
    """
    try:
        return int(struct.unpack("i", connection.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD, 4))[0])
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise
    pidfd = os.pidfd_open(pid)
    if hung_up(connection):
        os.close(pidfd)
        raise ProcessLookupError(errno.ESRCH, "the process is gone")
    return pidfd


def hung_up(connection: socket.socket) -> bool:
    """Whether nobody holds the other end any more."""
    poll = select.poll()
    poll.register(connection, 0)
    return bool(poll.poll(0))


def identify_socket(fd: int) -> SocketId:
    """Identify a TCP socket, or a stream socket of AF_UNIX, by its descriptor.

    Raises:
        WrongDescriptor: something else, or a listener whose file nobody can name.
    """
    try:
        sock = socket.socket(fileno=fd)
    except OSError as error:
        raise WrongDescriptor(f"not a socket: {error.strerror}") from None
    try:
        return _identify(sock)
    except OSError as error:
        raise WrongDescriptor(f"a socket that does not answer: {error.strerror}") from None
    finally:
        sock.detach()


def identify_connection(fd: int) -> tuple[SocketId, Address]:
    """Identify an established TCP connection, and say where its other end is.

    Raises:
        WrongDescriptor: something else.
    """
    identity = identify_socket(fd)
    if identity.name is not None:
        raise WrongDescriptor("not a TCP connection")
    sock = socket.socket(fileno=fd)
    try:
        return identity, Address.parse(*sock.getpeername()[:2])
    except OSError as error:
        raise WrongDescriptor(f"not connected: {error.strerror}") from None
    finally:
        sock.detach()


def _identify(sock: socket.socket) -> SocketId:
    if sock.family == socket.AF_UNIX and sock.type == socket.SOCK_STREAM:
        return _identify_unix(sock)
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.proto != socket.IPPROTO_TCP:
        raise WrongDescriptor(f"a socket of family {int(sock.family)} and protocol {sock.proto}, not TCP")
    host, port = sock.getsockname()[:2]
    v6 = sock.family == socket.AF_INET6
    return SocketId(
        cookie=_number(sock, SO_COOKIE),
        netns=_number(sock, SO_NETNS_COOKIE),
        local=Address.parse(host, port),
        listening=bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)),
        dual=v6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY),
    )


def _identify_unix(sock: socket.socket) -> SocketId:
    listening = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    name = sock.getsockname()
    bound = UnixName()
    if isinstance(name, bytes) and name:
        bound = UnixName(abstract=name[1:])
    elif listening and name:
        file = unix_files.bound_to(os.fstat(sock.fileno()).st_ino)
        if file is None:
            raise WrongDescriptor("a Unix socket bound to a file that the kernel does not name")
        bound = UnixName(device=file[0], inode=file[1])
    cookie, netns = _number(sock, SO_COOKIE), _number(sock, SO_NETNS_COOKIE)
    return SocketId(cookie, netns, NO_ADDRESS, listening, name=bound)


def _number(sock: socket.socket, option: int) -> int:
    return int(struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, option, 8))[0])


def identify_memory(fd: int) -> MemoryId:
    """Identify a memfd that can never shrink, so that reading it can never fail.

    Raises:
        WrongDescriptor: something else.
    """
    try:
        seals = fcntl.fcntl(fd, F_GET_SEALS)
    except OSError:
        raise WrongDescriptor("not a memfd") from None
    if not seals & F_SEAL_SHRINK:
        raise WrongDescriptor("a memfd without F_SEAL_SHRINK")
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise WrongDescriptor("not memory")
    return MemoryId(status.st_ino, status.st_size)


def maps_memory(pid: int, inode: int) -> bool:
    """Whether a process maps this memory. True where that cannot be known: no rights, or it is dead already."""
    mapped = _mapped_inodes(pid)
    return not mapped or inode in mapped


def surely_maps_memory(pid: int, inode: int) -> bool:
    """Whether a process maps this memory. False where that cannot be known."""
    return inode in _mapped_inodes(pid)


def is_mapped_somewhere(inode: int) -> bool:
    """Whether any process that we may look into maps this memory. Reads all of /proc: some milliseconds."""
    others = (int(name) for name in filter(str.isdigit, os.listdir("/proc")) if int(name) != os.getpid())
    return any(surely_maps_memory(pid, inode) for pid in others)


def _mapped_inodes(pid: int) -> frozenset[int]:
    """What a process maps; nothing at all where that cannot be known."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            return frozenset(int(place.split(None, 5)[4]) for place in file.read().splitlines())
    except OSError:
        return frozenset()
