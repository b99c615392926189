"""An epoll set of one thread: accelerated connections by their ready bytes, kernel descriptors by the kernel.

A peer that publishes to a watched connection sets its ready byte and, if the set announced that it sleeps, rings its
doorbell. Both are visible a cache line's time later, so the same fence and second look are needed as for one socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsim.host import Thread
from sdsim.kernel import Listener
from sdsim.shared import Slot
from sdsim.socket import Mode, Socket
from sdsim.waiting import wait
from sdsim.world import Steps

if TYPE_CHECKING:
    from sdsim.library import Library


class EpollSet:
    """Who is watched, and what has news.

    Attributes:
        ready: sockets whose ready byte is set, in order; never visited ones are dropped when they are closed.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.world = library.world
        self.ready: dict[Socket, None] = {}
        self.sockets: set[Socket] = set()
        self.listener: Listener | None = None
        self._asleep: Thread | None = None
        self._spinner: Thread | None = None

    def add(self, socket: Socket) -> None:
        """Watch a connection. One that may have news already counts as ready: it is looked at first."""
        self.sockets.add(socket)
        if socket.slot is not None:
            socket.rx_dir.data_wait.watch = self
        if socket.end is not None:
            socket.end.watchers.append(lambda: self._news(socket))
        self.ready[socket] = None

    def add_listener(self, listener: Listener) -> None:
        """Watch a listening socket."""
        self.listener = listener
        listener.watchers.append(self._wake)

    def remove(self, socket: Socket) -> None:
        """Watch it no more: it is about to be closed."""
        self.sockets.discard(socket)
        self.ready.pop(socket, None)
        if socket.slot is not None and socket.rx_dir.data_wait.watch is self:
            socket.rx_dir.data_wait.watch = None

    def mark(self, slot: Slot, side: int, delay_ps: int) -> None:
        """A peer published: set the ready byte, ring if this set sleeps."""
        socket = slot.ends[side]
        if socket is None or socket not in self.sockets:
            return
        self.world.later(delay_ps, lambda: self._set(socket))
        self._ring()

    def _set(self, socket: Socket) -> None:
        if socket in self.sockets:
            self.ready[socket] = None
        if self._spinner is not None:
            self._spinner.notify()

    def _news(self, socket: Socket) -> None:
        if socket in self.sockets:
            self.ready[socket] = None
            self._wake()

    def _wake(self) -> None:
        self._ring()
        if self._spinner is not None:
            self._spinner.notify()

    def _ring(self) -> None:
        if self._asleep is not None:
            sleeper, self._asleep = self._asleep, None
            sleeper.ring()

    def wait(self, thread: Thread) -> Steps:
        """Wait; returns the sockets that have something, and whether the listener has."""
        costs = self.world.costs
        while True:
            thread.idle = self.listener is not None
            yield from wait(thread, self, self.library.patience)
            thread.idle = False
            yield thread.work(costs.poll_queue * max(1, len(self.sockets)) + costs.cache_line)
            found = [socket for socket in self.ready if socket.readable_now()]
            pending = [socket for socket in self.ready if socket.mode is Mode.PENDING]
            self.ready = dict.fromkeys(pending)
            for socket in pending:
                assert socket.tries is not None
                yield from socket.tries(thread)
                if socket.slot is not None:
                    socket.rx_dir.data_wait.watch = self
            if found or self._incoming():
                return found, self._incoming()

    def _incoming(self) -> bool:
        return self.listener is not None and bool(self.listener.backlog)

    # What the waiter drives -------------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Whether any ready byte is set, or the kernel has a connection."""
        return bool(self.ready) or self._incoming()

    def watch(self, thread: Thread) -> None:
        """Notify a thread that spins."""
        self._spinner = thread

    def due(self) -> int | None:
        """Ready bytes come by themselves."""
        return None

    def unwatch(self, thread: Thread) -> None:
        """Notify it no more."""
        del thread
        self._spinner = None

    def announce(self, thread: Thread) -> None:
        """Set the asleep bit."""
        self._asleep = thread

    def retract(self, thread: Thread) -> None:
        """Clear the asleep bit."""
        del thread
        self._asleep = None

    def before_sleep(self) -> int | None:
        """Nothing to look at: the kernel's descriptors wake by themselves."""
        return None
