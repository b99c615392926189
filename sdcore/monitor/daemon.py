"""The event loop around the service: the listening socket, control connections, deaths, signals.

Everything happens in callbacks of one asyncio loop, one packet at a time, so no client keeps the others waiting. When
no descriptor is left, a connection is accepted with the one held in reserve and closed at once: its process then
uses kernel TCP, where it would otherwise wait for a reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import signal
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from sdcore.config import Config, ConfigError, load
from sdcore.monitor import listener_socket
from sdcore.monitor.decisions import Monitor
from sdcore.monitor.paths import RuntimeDir
from sdcore.monitor.policy import Policy
from sdcore.monitor.service import Service
from sdcore.monitor.session import Session

log = logging.getLogger(__name__)

ACCEPTS_AT_ONCE = 64
ACCEPT_PAUSE_S = 0.1
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
HANDLED_SIGNALS = (*STOP_SIGNALS, signal.SIGHUP)
NO_DESCRIPTORS = frozenset((errno.EMFILE, errno.ENFILE))


class Daemon:
    """A monitor that serves one runtime directory, whose lock the caller holds. Owns everything it makes."""

    def __init__(self, runtime: RuntimeDir, config: Config) -> None:
        """Listen; processes may connect from here on, and are answered once `run` is called.

        Raises:
            RuntimeDirError: the socket cannot be made. OSError: no resources.
        """
        # Handled in `run`; what comes before waits, so that a stop at any time leaves no socket behind.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        raise_descriptor_limit()
        self.faults: Counter[str] = Counter()
        self._runtime = runtime
        policy = policy_of(config)
        self._service = Service(Monitor(policy, config.monitor.max_leases), self, self.faults)
        self._service.performer.page.set_elsewhere(policy.namespaces)
        self._sessions: dict[int, Session] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self._reserve = open_reserve()
        self._listener = listener_socket.open_listener(runtime)

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or a request to stop; then leave nothing behind but the log."""
        # Once more, so that the kernel shows clients this process, not the one that bound the socket.
        self._listener.listen(listener_socket.BACKLOG)
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        for number in STOP_SIGNALS:
            self._loop.add_signal_handler(number, self._stopping.set)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)
        self._loop.add_reader(self._listener, self._accept)
        self._service.performer.page.set_alive(True)
        log.info("serving at %s", self._runtime.socket)
        try:
            await self._stopping.wait()
        finally:
            self._close()

    def _reload(self) -> None:
        """Take the policy from the configuration as it is now; a wrong one changes nothing."""
        try:
            config = load(system=self._runtime.system)
        except ConfigError as error:
            log.error("the configuration stays as it was: %s", error)
            return
        self._service.change_policy(policy_of(config))
        log.info("policy read again")

    def _close(self) -> None:
        self._service.close()
        self._loop.remove_reader(self._listener)
        self._runtime.socket.unlink(missing_ok=True)
        self._listener.close()
        for session in tuple(self._sessions.values()):
            self._end(session)
        if self._reserve is not None:
            os.close(self._reserve)
        log.info("stopped")

    # Connections ------------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                connection = listener_socket.accept(self._listener)
            except BlockingIOError:
                return
            except OSError as error:
                self.faults["failed_accepts"] += 1
                if error.errno in NO_DESCRIPTORS:
                    self._turn_away()
                return
            self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        session = Session(connection, self._service, self.faults)
        self._sessions[connection.fileno()] = session
        self._loop.add_reader(connection, self._readable, session)

    def _readable(self, session: Session) -> None:
        if not session.serve_one():
            self._end(session)

    def _end(self, session: Session) -> None:
        self._loop.remove_reader(session.connection)
        del self._sessions[session.connection.fileno()]
        self._service.session_ended(session)
        session.connection.close()

    def _turn_away(self) -> None:
        """Accept and close one connection by means of the reserve; without a reserve pause until there may be one."""
        if self._reserve is not None:
            os.close(self._reserve)
            with contextlib.suppress(OSError):  # the client is gone already
                listener_socket.accept(self._listener).close()
        self._reserve = open_reserve()
        if self._reserve is None:
            self._loop.remove_reader(self._listener)
            self._loop.call_later(ACCEPT_PAUSE_S, self._loop.add_reader, self._listener, self._accept)

    # What the service needs -------------------------------------------------------------------------------------------

    def watch_death(self, pidfd: int, process_id: int) -> None:
        """Call `process_died` once when the pidfd becomes readable."""
        self._loop.add_reader(pidfd, self._service.process_died, process_id)

    def unwatch(self, pidfd: int) -> None:
        """Forget a pidfd."""
        self._loop.remove_reader(pidfd)

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call once, after a while."""
        self._loop.call_later(delay_s, call)

    def begin(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a job beside everything else; one that is under way when the monitor stops is cancelled."""
        task = self._loop.create_task(job)
        self._jobs.add(task)  # the loop alone would not keep it
        task.add_done_callback(self._jobs.discard)

    def stop(self) -> None:
        """End after the replies under way."""
        self._loop.call_soon(self._stopping.set)


def policy_of(config: Config) -> Policy:
    """The rules that a configuration asks for."""
    return Policy.of(config.policy.allow_users, namespaces=config.policy.allow_namespaces)


def raise_descriptor_limit() -> None:
    """Allow as many descriptors as the hard limit: each process and each lease takes some."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_reserve() -> int | None:
    """A descriptor to give up when it is the last; None if there is none left."""
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
