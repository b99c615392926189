"""Between hosts: the same tables over RDMA and kernel TCP, on a network that loses, delays and parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from sdcore.protocol.ring import RING_TX, TxEvent, TxState
from sdsim import nic
from sdsim.costs import costs_of
from sdsim.fabric import Fabric, Flow
from sdsim.host import Host
from sdsim.run import Failed, Run, run
from sdsim.scenario_file import load
from sdsim.units import MS, US
from sdsim.world import TABLES, Settings, Violation, World
from tests.sim.changes import changed

TWO_HOSTS = ("site.hosts=2",)


def between(name: str, *changes: str, settings: Settings | None = None) -> Run:
    """Run a bundled scenario of one host on two."""
    return run(load(name, [*TWO_HOSTS, *changes]), settings=settings)


def queue_pairs(loss: float, seed: int) -> tuple[World, Fabric, Sequence[nic.QueuePair]]:
    """Make two hosts, and a queue pair on each."""
    world = World(Settings(seed=seed))
    fabric = Fabric(world, loss)
    hosts = [Host(world, 1) for _ in range(2)]
    for host in hosts:
        fabric.add(host)
    return world, fabric, nic.connect(*(nic.Nic(world, host, fabric) for host in hosts))


def test_two_hosts_use_the_rings_over_rdma_and_kernel_tcp_without() -> None:
    rdma = between("ping-pong", "workload.count=50").result
    kernel = between("ping-pong", "workload.count=50", "site.rdma=false").result
    assert (rdma.modes, kernel.modes) == ({"ring": 1}, {"kernel": 1})
    assert 10 * rdma.mean_us < kernel.mean_us


def test_rdma_is_slower_than_shared_memory_by_two_writes() -> None:
    costs = costs_of("paper-2019")
    near = run(load("ping-pong", ["workload.count=50"])).result.mean_us
    far = between("ping-pong", "workload.count=50").result.mean_us
    assert far - near == pytest.approx(2 * (costs.rdma_one_way + costs.rdma_post) / US, abs=0.2)


@pytest.mark.parametrize("seed", range(5))
def test_writes_are_performed_once_and_in_order_however_many_packets_are_lost(seed: int) -> None:
    world, fabric, (one, _) = queue_pairs(0.2, seed)
    there: list[int] = []
    done: list[int] = []
    for number in range(200):
        one.write(8, lambda number=number: there.append(number), lambda number=number: done.append(number))
    world.run()
    assert fabric.dropped > 20
    assert there == done == list(range(200))


def test_a_queue_pair_gives_up_after_its_retries_and_performs_nothing_behind() -> None:
    world, fabric, (one, other) = queue_pairs(0, 1)
    broken: list[int] = []
    one.on_break = lambda: broken.append(world.now)
    fabric.partition(frozenset((one.nic.host.name, other.nic.host.name)), 10_000 * MS)
    there: list[int] = []
    one.write(8, lambda: there.append(1))
    world.run()
    costs = world.costs
    assert broken == [costs.rdma_timeout * (costs.rdma_retries + 1)]
    one.write(8, lambda: there.append(2))
    world.run()
    assert not there


def test_a_nic_without_room_for_the_state_of_its_queue_pairs_is_slower() -> None:
    def mean_us(cache: int) -> float:
        costs = dataclasses.replace(costs_of("paper-2019"), nic_qp_cache=cache)
        many = ("workload.connections=16", "workload.clients=1", "workload.count=4")
        done = between("many-connections", *many, settings=Settings(costs=costs))
        assert (done.site.nics[done.site.hosts[0]].misses > 32) == (cache < 16)
        return done.result.mean_us

    assert mean_us(8) > mean_us(64) + 0.5


def test_many_senders_to_one_queue_at_its_link_and_flows_keep_their_order() -> None:
    world = World(Settings())
    fabric = Fabric(world)
    hosts = [Host(world, 1) for _ in range(5)]
    for host in hosts:
        fabric.add(host)
    came: list[tuple[int, int, int]] = []
    for sender in range(4):
        flow = Flow(hosts[sender], hosts[4])
        for number in range(3):
            fabric.send(flow, 1024, 0, lambda what=(sender, number): came.append((world.now, *what)))
    world.run()
    wire_ps = world.costs.wire(1024 + world.costs.packet_bytes)
    assert came[-1][0] == world.costs.switch + 12 * wire_ps
    for sender in range(4):
        assert [number for _, who, number in came if who == sender] == [0, 1, 2]


def test_a_full_switch_drops_and_the_kernel_sends_again() -> None:
    done = between("stream", "site.rdma=false", "site.loss_percent=1", "workload.count=400", "workload.size=8192")
    assert done.site.fabric.dropped > 10
    assert done.result.messages == 400
    assert not done.result.faults


def test_a_lossy_stream_over_rdma_arrives_whole() -> None:
    done = between("stream", "site.loss_percent=0.5", "workload.count=600", "workload.size=8192")
    assert done.site.fabric.dropped > 10
    assert (done.result.messages, done.result.faults) == (600, {})


@pytest.mark.parametrize(("for_us", "faults"), [(20_000, {}), (200_000, {"Reset": 2})])
def test_a_short_partition_is_survived_and_a_long_one_resets_both_ends(for_us: int, faults: dict[str, int]) -> None:
    cut = f"fault=[{{verb='partition', at_us=150, for_us={for_us}}}]"
    done = between("ping-pong", "workload.count=100", cut)
    assert done.result.faults == faults
    assert (done.result.messages == 200) == (not faults)


def test_held_messages_come_in_order_when_they_are_let_go() -> None:
    held = "fault=[{verb='hold', at_us=150, for_us=2000}, {verb='delay', at_us=3000, for_us=1000, by_us=300}]"
    done = between("stream", "workload.count=4000", held)
    assert (done.result.messages, done.result.faults) == (4000, {})
    assert done.ended_ps > 2150 * US


def test_a_wrong_table_is_found_between_hosts_too() -> None:
    wrong = changed(RING_TX, TxState.STARVED, TxEvent.CREDIT, lambda row: dataclasses.replace(row, set={}))
    with pytest.raises(Failed, match="credits conserved"):
        between("stream", "workload.count=6000", settings=Settings(tables={**TABLES, "ring_tx": wrong}))


def test_a_nic_that_performed_writes_out_of_order_would_be_found() -> None:
    world, _, (one, other) = queue_pairs(0, 1)
    other.performed = 1
    one.write(8, lambda: None)
    with pytest.raises(Violation, match="in order, once"):
        world.run()


def test_chaos_in_the_network_breaks_no_law() -> None:
    scenario = load("network-chaos", ["workload.count=15"])
    faults = sum(sum(run(scenario, seed=seed).result.faults.values()) for seed in range(12))
    assert faults > 0
