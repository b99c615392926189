"""All machines of the protocol, in the order in which a connection meets them."""

from __future__ import annotations

from sdcore.protocol import attach, connection, joining, lease, link, listener, ring, teardown, token, transport
from sdcore.protocol.kit import Machine

MODULES = (attach, listener, lease, connection, ring, token, teardown, transport, joining, link)
MACHINES: tuple[Machine, ...] = tuple(machine for module in MODULES for machine in module.MACHINES)
