"""One theatre, kernel and library side by side, for all tests of the folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.stage import Theatre, build
from tests.support.fixtures import host
from tests.support.host import Host

__all__ = ["host", "theatre"]


@pytest.fixture(scope="session")
def theatre(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """Both stages."""
    with Theatre(build(tmp_path_factory.mktemp("stage")), host) as both:
        yield both
