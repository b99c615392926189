"""Real programs, each in all four combinations of with and without the library at server and client."""

from __future__ import annotations

from tests.support.fixtures import host, processes

__all__ = ["host", "processes"]
