"""Talking to a monitor that serves: what `sdcore` commands ask it.

Blocking, one request and its reply. The monitor is believed only if it runs as the user who asks, or as root.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from sdcore.monitor import kernel, paths, wire
from sdcore.protocol import layout, messages

REPLY_TIMEOUT_S = 10.0


class NoMonitor(Exception):
    """No monitor serves there; the text is one line for the user."""


class Refused(Exception):
    """The monitor answered, but not what was asked for."""


class Control:
    """A connection to a monitor. Use as a context manager."""

    def __init__(self, runtime: paths.RuntimeDir) -> None:
        """Connect.

        Raises:
            NoMonitor: nobody serves there, or somebody whom we do not trust.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(REPLY_TIMEOUT_S)
        self._seq = 0
        try:
            self._socket.connect(str(runtime.socket))
        except OSError as error:
            self._socket.close()
            raise NoMonitor(f"no monitor serves at {runtime.socket}: {error.strerror}") from None
        self.peer = kernel.peer_credentials(self._socket)
        if self.peer.uid not in (0, os.geteuid()):
            self._socket.close()
            raise NoMonitor(f"the monitor at {runtime.socket} runs as user {self.peer.uid}, who is not trusted")

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def status(self) -> dict[str, Any]:
        """What the monitor does and has counted; see docs/reference/monitor.md."""
        return self._document(messages.MSG_STATUS)

    def sockets(self) -> dict[str, Any]:
        """Every socket that the caller may see, and the totals."""
        return self._document(messages.MSG_SOCKETS)

    def drain(self, pid: int) -> dict[str, Any]:
        """Have the programs that this process belongs to, or all if it is 0, moved to kernel TCP.

        Does not wait for it; asked again, it tells how far it has come.

        Returns:
            processes: how many are concerned; before: sockets in shared memory when it was asked; left: those that
            are there still, as rows of `sockets` with one field more, `orphaned`.
        """
        return self._document(messages.MSG_DRAIN, messages.DRAIN.pack(pid=pid))

    def stop(self) -> None:
        """Ask the monitor to end. Returns when it has agreed; `wait_closed` waits for the rest."""
        wire.close_all(self._ask(messages.MSG_STOP).descriptors)

    def wait_closed(self) -> bool:
        """Wait until the monitor closes this connection; False if it did not within the time limit."""
        try:
            return self._socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def _ask(self, kind: int, body: bytes = b"") -> wire.Packet:
        self._seq += 1
        try:
            wire.send(self._socket, wire.format_packet(kind, self._seq, body))
            packet = wire.receive(self._socket)
        except OSError as error:
            raise NoMonitor(f"the monitor does not answer: {error}") from None
        reply = messages.HEADER.unpack(packet.data[: messages.HEADER.size]) if packet.data else None
        if reply is None or reply.status != messages.STATUS_OK:
            wire.close_all(packet.descriptors)
            raise Refused("the monitor ended" if reply is None else f"the monitor refused: {_why(reply)}")
        return packet

    def _document(self, kind: int, body: bytes = b"") -> dict[str, Any]:
        packet = self._ask(kind, body)
        if len(packet.descriptors) != 1:
            wire.close_all(packet.descriptors)
            raise Refused("the monitor sent no document")
        with open(packet.descriptors[0], "rb") as file:
            file.seek(0)
            document: dict[str, Any] = json.load(file)
        return document


def _why(reply: Any) -> str:
    if reply.status == messages.STATUS_DENIED and reply.reason < len(layout.REASONS):
        name, text = layout.REASONS[reply.reason]
        return text or name
    return "the request was malformed"
