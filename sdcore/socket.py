"""Sockets through shared memory for Python programs that are not started by `sdcore run`.

`socket` has the shape of the standard class for TCP over IPv4 and IPv6, and `epoll` that of `select.epoll`: exchange
the import and the program talks to programs under sdcore (preloaded or using this module) through shared memory, to
all others through kernel TCP. Under `sdcore run` the standard classes are accelerated themselves; this module then
gives exactly those.

The kernel socket that every connection keeps (its companion) is a standard socket object inside: names, options and
everything that moves no bytes is asked of it. Blocking calls release the interpreter's lock.

Source: docs/explanation/architecture.md, "The companion connection".
"""

from __future__ import annotations

import ctypes
import errno
import os
import select as _select
import socket as _socket
import struct
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sdcore._native import ffi, lib

SOL_SOCKET, SOL_TCP = _socket.SOL_SOCKET, _socket.SOL_TCP
AF_INET, AF_INET6, SOCK_STREAM = _socket.AF_INET, _socket.AF_INET6, _socket.SOCK_STREAM
SHUT_RD, SHUT_WR, SHUT_RDWR = _socket.SHUT_RD, _socket.SHUT_WR, _socket.SHUT_RDWR
MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT = _socket.MSG_PEEK, _socket.MSG_WAITALL, _socket.MSG_DONTWAIT
EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP = _select.EPOLLIN, _select.EPOLLOUT, _select.EPOLLERR, _select.EPOLLHUP
EPOLLET, EPOLLONESHOT, EPOLLRDHUP = _select.EPOLLET, _select.EPOLLONESHOT, _select.EPOLLRDHUP

_POLLIN, _POLLOUT = _select.POLLIN, _select.POLLOUT
_MSG_NOSIGNAL = _socket.MSG_NOSIGNAL

ReadableBuffer = bytes | bytearray | memoryview
WritableBuffer = bytearray | memoryview
Address = tuple[Any, ...]


def _check(result: int) -> int:
    """Turn a negated errno of the core into the exception that the standard class would raise."""
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def _pack_address(family: int, address: Address) -> bytes:
    """Resolve `address` and pack it as the kernel's sockaddr_in or sockaddr_in6."""
    resolved = _socket.getaddrinfo(address[0], address[1], family, SOCK_STREAM)[0][4]
    if family == AF_INET:
        packed = _socket.inet_pton(AF_INET, str(resolved[0]))
        return struct.pack("=H", AF_INET) + struct.pack("!H", resolved[1]) + packed + bytes(8)
    flow, scope = (*resolved[2:4], 0, 0)[:2]
    packed = _socket.inet_pton(AF_INET6, str(resolved[0]).split("%")[0])
    return struct.pack("=H", AF_INET6) + struct.pack("!HI", resolved[1], flow) + packed + struct.pack("=I", scope)


class _Socket:
    """A TCP socket; see the standard `socket.socket` for what each method takes and gives.

    A timeout is in seconds; None blocks, 0 never does. Not shared over fork by itself: fork before opening, or use
    `sdcore run`.
    """

    def __init__(
        self,
        family: int = AF_INET,
        type: int = SOCK_STREAM,  # noqa: A002 - the standard name
        proto: int = 0,
        companion: _socket.socket | None = None,
    ) -> None:
        """Open a socket of AF_INET or AF_INET6. Raises OSError like the standard class."""
        lib.sd_embed_start()
        self._companion = companion or _socket.socket(family, type, proto)
        self._companion.setblocking(True)
        self._timeout_s: float | None = None
        if companion is None:
            lib.sd_embed_opened(self.fileno(), family, type)

    def __enter__(self) -> Self:
        """Return the socket, to be closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the socket."""
        self.close()

    def __getattr__(self, name: str) -> Any:
        """Options, names and numbers are the companion's: bind, getsockname, getpeername, setsockopt, fileno ..."""
        return getattr(self._companion, name)

    @property
    def accelerated(self) -> bool:
        """Whether the bytes go through shared memory now."""
        return bool(lib.sd_embed_accelerated(self.fileno()))

    def fileno(self) -> int:
        """Return the descriptor, -1 once closed."""
        return self._companion.fileno()

    def settimeout(self, timeout_s: float | None) -> None:
        """Set how long calls block, in seconds; None for ever, 0 not at all."""
        self._timeout_s = timeout_s
        lib.sd_embed_set_nonblock(self.fileno(), timeout_s is not None)

    def gettimeout(self) -> float | None:
        """Return what `settimeout` set, in seconds."""
        return self._timeout_s

    def setblocking(self, flag: bool) -> None:
        """Block for ever, or never."""
        self.settimeout(None if flag else 0.0)

    def connect(self, address: Address) -> None:
        """Connect, blocking. Raises OSError (ConnectionRefusedError ...) like the standard class."""
        packed = _pack_address(self._companion.family, address)
        _check(lib.sd_embed_connect(self.fileno(), ffi.from_buffer(packed), len(packed)))

    def listen(self, backlog: int = 128) -> None:
        """Listen for both sorts of clients: of ours and plain ones."""
        self._companion.listen(backlog)
        lib.sd_embed_listening(self.fileno())

    def accept(self) -> tuple[_Socket, Any]:
        """Wait for a connection. Returns the socket and the peer's address; raises TimeoutError after the timeout."""
        self._wait(_POLLIN)
        companion, address = self._companion.accept()
        lib.sd_embed_accepted(self.fileno(), companion.fileno(), 0)
        return type(self)(companion=companion), address

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """Send and return how many bytes were taken; blocks while there is no room."""
        view = ffi.from_buffer(data)
        return self._retry(_POLLOUT, lambda: lib.sd_embed_send(self.fileno(), view, len(view), flags | _MSG_NOSIGNAL))

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        """Send all of `data`; blocks until the last byte is taken."""
        view = memoryview(data).cast("B")
        while view:
            view = view[self.send(view, flags) :]

    def recv_into(self, buffer: WritableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into `buffer`, at most nbytes (0: its size). Returns the count, 0 at the end of the stream."""
        view = ffi.from_buffer(buffer, require_writable=True)
        count = nbytes or len(view)
        return self._retry(_POLLIN, lambda: lib.sd_embed_recv(self.fileno(), view, count, flags))

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive at most bufsize bytes; b"" at the end of the stream."""
        buffer = bytearray(bufsize)
        return bytes(memoryview(buffer)[: self.recv_into(buffer, bufsize, flags)]) if bufsize else b""

    def shutdown(self, how: int) -> None:
        """Close one direction or both: SHUT_RD, SHUT_WR, SHUT_RDWR."""
        _check(lib.sd_embed_shutdown(self.fileno(), how))

    def close(self) -> None:
        """Close the socket; a second call does nothing."""
        if self.fileno() >= 0:
            lib.sd_embed_closing(self.fileno())
            self._companion.close()

    def _retry(self, event: int, call: Any) -> int:
        deadline_s = time.monotonic() + self._timeout_s if self._timeout_s else None
        while True:
            result = call()
            if result != -errno.EAGAIN or not self._timeout_s:
                return _check(result)
            self._wait(event, deadline_s)

    def _wait(self, event: int, deadline_s: float | None = None) -> None:
        if self._timeout_s is None:
            return
        left_s = self._timeout_s if deadline_s is None else deadline_s - time.monotonic()
        if _check(lib.sd_embed_poll(self.fileno(), event, max(0, round(left_s * 1000)))):
            return
        if not self._timeout_s:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        raise TimeoutError("timed out")


class _Epoll:
    """An epoll set over sockets of this module and other descriptors; the shape of `select.epoll`."""

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        """Make an empty set."""
        lib.sd_embed_start()
        self._kernel = _select.epoll()

    def __enter__(self) -> Self:
        """Return the set, to be closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the set."""
        self.close()

    def fileno(self) -> int:
        """Return the descriptor of the set."""
        return self._kernel.fileno()

    def close(self) -> None:
        """Close the set."""
        if not self._kernel.closed:
            lib.sd_embed_closing(self._kernel.fileno())
            self._kernel.close()

    def register(self, fd: int | _Socket, eventmask: int = EPOLLIN | EPOLLOUT) -> None:
        """Watch a descriptor or socket for the events of `eventmask`."""
        self._control(1, fd, eventmask)

    def unregister(self, fd: int | _Socket) -> None:
        """Stop watching."""
        self._control(2, fd, 0)

    def modify(self, fd: int | _Socket, eventmask: int) -> None:
        """Watch for other events."""
        self._control(3, fd, eventmask)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Wait at most `timeout` seconds (None or negative: for ever). Returns pairs of descriptor and events."""
        count = 256 if maxevents < 0 else maxevents
        fds, events = ffi.new("int32_t[]", count), ffi.new("uint32_t[]", count)
        timeout_ms = -1 if timeout is None or timeout < 0 else round(timeout * 1000)
        ready = _check(lib.sd_embed_epoll_wait(self.fileno(), fds, events, count, timeout_ms))
        return [(fds[i], events[i]) for i in range(ready)]

    def _control(self, operation: int, fd: int | _Socket, events: int) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        _check(lib.sd_embed_epoll_ctl(self.fileno(), operation, number, events))


def _preloaded() -> bool:
    return hasattr(ctypes.CDLL(None), "sd_version")


if TYPE_CHECKING or not _preloaded():
    socket, epoll = _Socket, _Epoll
else:
    socket, epoll = _socket.socket, _select.epoll
