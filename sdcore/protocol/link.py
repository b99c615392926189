"""Link: two monitors on two hosts agree on what their processes may share.

Theory. What a lease is on one host, a link carries between two: the monitors know each other by address and key, keep
one connection, pass requests for leases over it, and notice together when it dies. Its states will be those of any
session between equals (calling, answering, up, lost, backing off), with the rule that of two calls which cross, the
one from the lower address stands. Processes see no difference: their machine stays `lease_client`.

Source: docs/decisions, D8.
"""

from __future__ import annotations

from sdcore.protocol.kit import Machine

MACHINES: tuple[Machine, ...] = ()
