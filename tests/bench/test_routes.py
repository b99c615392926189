"""What counts as proof that a run went through shared memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.cli.bench import routes
from sdcore.cli.bench.routes import Share, Traffic

COUNT = st.integers(0, 10**6)
COUNTS = st.fixed_dictionaries({"shm": COUNT, "tcp": COUNT, "none": COUNT})


@pytest.mark.parametrize(
    ("traffic", "enough"),
    [
        (Traffic({"shm": 2}, {"shm": 800}), True),
        (Traffic({"shm": 2, "tcp": 0}, {"shm": 800, "tcp": 0}), True),
        (Traffic({"shm": 2, "tcp": 2}, {"shm": 800}), False),
        (Traffic({"shm": 2}, {"shm": 800, "tcp": 9}), False),
        (Traffic({"tcp": 2}, {"tcp": 800}), False),
        (Traffic({"shm": 2}, {}), False),
        (Traffic(), False),
    ],
)
def test_almost_all_connections_and_bytes_must_be_shared_memory(traffic: Traffic, enough: bool) -> None:
    assert Share(traffic).enough == enough


@given(COUNTS, COUNTS)
def test_a_share_lies_between_nothing_and_all(ends: dict[str, int], sizes: dict[str, int]) -> None:
    share = Share(Traffic(ends, sizes))
    assert 0.0 <= share.of_all <= 1.0
    assert str(share)


@given(COUNTS, COUNTS)
def test_only_what_came_since_counts(before: dict[str, int], more: dict[str, int]) -> None:
    after = {name: before[name] + more[name] for name in before}
    assert Traffic(after, after).since(Traffic(before, before)) == Traffic(more, more)


def test_open_sockets_are_in_the_totals_already() -> None:
    document = {
        "totals": {
            "transports": {
                "none": {"connections": 2, "sent_bytes": 0, "received_bytes": 0},
                "shm": {"connections": 3, "sent_bytes": 10, "received_bytes": 20},
                "tcp": {"connections": 1, "sent_bytes": 0, "received_bytes": 0},
            },
            "reasons": {"offer_timeout": {"count": 1, "text": ""}},
        },
        "sockets": [{"transport": name, "sent_bytes": 7, "received_bytes": 1} for name in ("shm", "tcp", "none")],
    }
    assert routes._counted(document) == Traffic(
        {"shm": 3, "tcp": 1}, {"shm": 30, "tcp": 0}, {"offer_timeout": 1}, open=2
    )


def test_a_poor_share_says_why() -> None:
    share = Share(Traffic({"shm": 2, "tcp": 2}, {"shm": 9, "tcp": 9}, {"offer_timeout": 2, "policy": 0}))
    assert str(share).endswith("(offer_timeout 2)")


def test_kernel_routes_carry_nothing_of_sdcore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/x/libsd.so")
    monkeypatch.setenv("SDCORE_RUNTIME_DIR", "/x")
    for route in routes.kernel_routes().values():
        assert not {"LD_PRELOAD", "SDCORE_RUNTIME_DIR"} & set(route.environment)
