"""What a thread waits for at one direction of one socket: bytes, or room."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sdsim.host import Thread

if TYPE_CHECKING:
    from sdsim.socket import Socket


class News:
    """What a thread waits for at one direction of one socket."""

    def __init__(self, socket: Socket, look: Callable[[], bool], kind: str) -> None:
        self.socket = socket
        self.look = look
        self.data = kind == "data"
        self.attention = socket.rx_dir.data_wait if kind == "data" else socket.tx_dir.room_wait

    def watch(self, thread: Thread) -> None:
        """Notify this thread, which spins, of news."""
        self.attention.spinners.append(thread)

    def due(self) -> int | None:
        """When bytes that are on their way can be seen, absolute; None: none are."""
        return self.socket.data_due() if self.data else None

    def unwatch(self, thread: Thread) -> None:
        """Notify it no more."""
        self.attention.spinners.remove(thread)

    def announce(self, thread: Thread) -> None:
        """Its sleep, beside the ring."""
        self.attention.sleepers.append(thread)

    def retract(self, thread: Thread) -> None:
        """It sleeps no more."""
        if thread in self.attention.sleepers:
            self.attention.sleepers.remove(thread)

    def before_sleep(self) -> int | None:
        """Look at the companion; an offer has a time at which to look again."""
        socket = self.socket
        socket.look_at_companion()
        return socket.look_again_ps
