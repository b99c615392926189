"""Bytes that a process could not put on TCP itself, sent by the monitor when there is room.

A process on Linux may close a connection at once: the kernel outlives it and sends the rest. What lay in a ring and has
to go by TCP in the end is in nobody's hands then but the monitor's. Where a consumer left a ring whose later bytes had
gone by TCP already, the monitor goes on to stand between two connections until both directions have ended.

It gives up on a peer that takes nothing for `PATIENCE_S`, about as long as Linux keeps a connection without an owner.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import socket
import struct

log = logging.getLogger(__name__)

BYTES_MAX = 64 * 1024 * 1024
PATIENCE_S = 120.0
PIECE_BYTES = 65536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Carriers:
    """What is carried at the moment, and how much of it."""

    def __init__(self) -> None:
        self.held_bytes = 0

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may be taken."""
        return self.held_bytes + size <= BYTES_MAX

    async def carry(self, data: bytes, to: socket.socket, other: socket.socket | None) -> None:
        """Send `data` to `to`; then close it or, with an `other`, pass on what either brings. Owns both."""
        self.held_bytes += len(data)
        with to, other or contextlib.nullcontext():
            try:
                await _send(to, data)
                if other is not None:
                    await _stand_between(to, other)
            except* OSError as errors:  # a TimeoutError, too
                log.info("carried bytes are given up: %s", errors.exceptions)
                _reset(to, other)
            finally:
                self.held_bytes -= len(data)


async def _stand_between(one: socket.socket, other: socket.socket) -> None:
    """Until both directions have ended, or one breaks."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_pass_on(one, other))
        group.create_task(_pass_on(other, one))


async def _pass_on(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, PIECE_BYTES):
        await _send(target, data)
    target.shutdown(socket.SHUT_WR)
    await _watch_to_the_end(source)


async def _watch_to_the_end(connection: socket.socket) -> None:
    """Nothing more comes from it, but it may answer what is sent there by a reset: the sender must hear of that.

    Errors and the end of both directions are told unasked.
    """
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    with select.epoll() as told:
        told.register(connection, 0)
        loop.add_reader(told, news.set)
        try:
            await news.wait()
            if any(events & select.EPOLLERR for _, events in told.poll(0)):
                raise ConnectionResetError
        finally:
            loop.remove_reader(told)


async def _send(to: socket.socket, data: bytes) -> None:
    """Piece by piece, with patience for each."""
    loop = asyncio.get_running_loop()
    for start in range(0, len(data), PIECE_BYTES):
        async with asyncio.timeout(PATIENCE_S):
            await loop.sock_sendall(to, data[start : start + PIECE_BYTES])


def _reset(*connections: socket.socket | None) -> None:
    """Let the other ends see that bytes are missing."""
    for connection in connections:
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
