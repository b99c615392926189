"""One control connection: a packet in, a packet out, in turn.

A client that does not read its replies, or breaks the connection in the middle, loses the connection. What it was
granted stays until its process dies.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sdcore.monitor import kernel, wire
from sdcore.protocol import layout, messages

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What goes back.

    Attributes:
        status: STATUS_*.
        reason: REASON_* of a denial.
        body: packed structure of the reply.
        descriptors: to be passed; they stay open here.
        close_after: those of `descriptors` that are closed once they are sent.
        ends: whether the connection is closed then.
    """

    status: int = messages.STATUS_OK
    reason: int = 0
    body: bytes = b""
    descriptors: Sequence[int] = ()
    close_after: Sequence[int] = ()
    ends: bool = False


BAD = Answer(status=messages.STATUS_BAD)


def denied(reason: int) -> Answer:
    """The answer no."""
    return Answer(status=messages.STATUS_DENIED, reason=reason)


class Service(Protocol):
    """Who answers. Keeps no descriptor of the request unless it says so in `answer`."""

    def answer(self, session: Session, request: wire.Request, descriptors: list[int]) -> Answer:
        """Answer one well-formed request; takes the descriptors that it keeps out of the list."""


class Session:
    """A connection of a client. Owns the socket.

    Attributes:
        credentials: of the process that connected.
        process_id: its number once it has attached, else 0.
    """

    def __init__(self, connection: socket.socket, service: Service, faults: Counter[str]) -> None:
        self.connection = connection
        self.credentials = kernel.peer_credentials(connection)
        self.process_id = 0
        self._service = service
        self._faults = faults

    def serve_one(self) -> bool:
        """Answer the packet that waits; False when the connection is to be closed."""
        try:
            packet = wire.receive(self.connection)
        except BlockingIOError:
            return True
        except OSError:
            return self._fault("broken_connections")
        if not packet.data and not packet.descriptors:
            return False
        kept = list(packet.descriptors)
        try:
            return self._reply(packet, self._answer(packet, kept))
        except Exception:
            log.exception("a request of process %d failed", self.credentials.pid)
            return self._fault("defects")
        finally:
            wire.close_all(kept)

    def _answer(self, packet: wire.Packet, descriptors: list[int]) -> Answer:
        """Any packet gets an answer, so that no client waits in vain."""
        try:
            if packet.truncated:
                raise wire.Malformed("something was cut off")
            request = wire.parse(packet)
        except wire.Malformed as error:
            log.info("process %d sent a malformed packet: %s", self.credentials.pid, error)
            self._faults["malformed_packets"] += 1
            return denied(layout.REASON_NO_MEMORY) if packet.truncated else BAD
        return self._service.answer(self, request, descriptors)

    def _reply(self, packet: wire.Packet, answer: Answer) -> bool:
        kind, seq = wire.sequence_of(packet)
        data = wire.format_packet(kind, seq, answer.body, status=answer.status, reason=answer.reason)
        try:
            wire.send(self.connection, data, answer.descriptors)
        except BlockingIOError:
            return self._fault("unread_replies")
        except OSError:
            return self._fault("broken_connections")
        finally:
            wire.close_all(answer.close_after)
        return not answer.ends

    def _fault(self, name: str) -> bool:
        self._faults[name] += 1
        return False
