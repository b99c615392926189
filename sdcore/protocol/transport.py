"""Transport: a live connection changes what carries its bytes, without losing, repeating or reordering one.

Theory. Each direction moves by itself, and only its producer moves it: it marks the place in the old transport behind
which nothing comes, and goes on in the new one; the consumer reads the old one to the mark. Between shared memory and
the companion this needs no answer from the peer, so the rows for it stand in `ring`: MOVE and MOVED. A machine of its
own is needed once the new transport has to be set up first and may fail half-way (RDMA, a link that dies, a migrated
peer): then offer, readiness, switch and retreat are states, and the two ends have to agree as in `connection`.

Source: docs/explanation/architecture.md, "Moving to the companion"; docs/decisions, D3.
"""

from __future__ import annotations

from sdcore.protocol.kit import Machine

MACHINES: tuple[Machine, ...] = ()
