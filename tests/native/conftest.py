"""Fixtures of the tests that run programs."""

from tests.support.fixtures import host, own_host

__all__ = ["host", "own_host"]
