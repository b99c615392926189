"""The small worlds that `sdsim explore` knows, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sdcore.protocol.kit import Machine
from sdsim.explore.drain import DrainModel
from sdsim.explore.engine import Model
from sdsim.explore.move import MoveModel
from sdsim.explore.offer import OfferModel
from sdsim.explore.ring import RingModel
from sdsim.explore.teardown import TeardownModel
from sdsim.explore.token import TokenModel

Make = Callable[[Mapping[str, Machine]], Model]

MODELS: Final[Mapping[str, tuple[str, Make]]] = {
    "offer": ("one client, one listener, one death", OfferModel),
    "offer-2x2": (
        "two clients, two listeners, no death",
        lambda tables: OfferModel(tables, clients=2, listeners=2, deaths=0, stale=False),
    ),
    "offer-2x2-death": (
        "two clients, two listeners, one death: takes minutes",
        lambda tables: OfferModel(tables, clients=2, listeners=2, deaths=1, stale=False),
    ),
    "move": (
        "a direction that goes over to TCP with little room, a consumer that leaves, closes and deaths",
        MoveModel,
    ),
    "join": (
        "a direction that came back into the rings, while either end moves, leaves, closes or dies",
        lambda tables: MoveModel(tables, comes=True),
    ),
    "drain": ("a slab that is drained while an offer is made and taken up in it, with the monitor's death", DrainModel),
    "ring": ("a producer, a consumer, late stores, sleeping on both sides", RingModel),
    "token": ("three threads and one token, with deaths", TokenModel),
    "teardown": ("both ends of a connection, with deaths", TeardownModel),
}
SLOW: Final = {"offer-2x2-death"}
"""Left out unless named."""
