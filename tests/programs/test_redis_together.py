"""redis servers that talk to each other: a replica, a save in a forked child meanwhile, a cluster of three."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from tests.programs.needs import need
from tests.support.combinations import Combination, every_combination, main_combination
from tests.support.host import Host
from tests.support.processes import Processes, free_port, wait_listening, wait_until

VALUE_BYTES = 1_000
KEYS = 2_000
SLOTS = 16384
NAMES = ("a", "b", "c")


class Node:
    """One server."""

    def __init__(self, processes: Processes, env: dict[str, str], folder: Path, *words: str) -> None:
        self._processes = processes
        self.folder = folder
        self.folder.mkdir()
        self.port = free_port()
        settings = ["--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--repl-diskless-sync-delay", "0"]
        server = [need("redis-server", "redis-server"), "--port", str(self.port), *settings, *words]
        self.process = processes.start(server, env, cwd=folder)
        wait_listening(self.port, self.process)

    def cli(self, env: dict[str, str], *words: str, text: str | None = None) -> str:
        """Ask this server."""
        command = [need("redis-cli", "redis-tools"), "-p", str(self.port), *words]
        return self._processes.check(command, env, text=text).strip()

    def info(self, env: dict[str, str], name: str) -> str:
        """One value of INFO."""
        found = re.search(rf"^{name}:(.*?)\r?$", self.cli(env, "info", "everything"), re.MULTILINE)
        assert found, name
        return found[1]


def fill(node: Node, env: dict[str, str]) -> None:
    """Set all keys, each to a long value."""
    commands = "".join(f"SET key:{i} {i:0{VALUE_BYTES}}\r\n" for i in range(KEYS))
    assert f"errors: 0, replies: {KEYS}" in node.cli(env, "--pipe", text=commands)


@every_combination
def test_replica_and_save_in_the_background(
    combination: Combination, host: Host, processes: Processes, tmp_path: Path
) -> None:
    """The primary is the server of the combination, its replica a client as redis-cli is; nobody else asks that."""
    before = host.sums()
    env, plain = host.environment(combination.client), host.environment(False)
    primary = Node(processes, host.environment(combination.server), tmp_path / "primary")
    replica = Node(processes, env, tmp_path / "replica")
    fill(primary, env)  # before the replica comes: it gets this as one transfer, from a forked child
    assert replica.cli(plain, "replicaof", "127.0.0.1", str(primary.port)) == "OK"
    wait_until(lambda: replica.info(plain, "master_link_status") == "up", "the replica is connected", 20)
    benchmark = [need("redis-benchmark", "redis-tools"), "-p", str(primary.port), "-q", "-t", "set", "-r", "1000"]
    writers = processes.start([*benchmark, "-n", "20000", "-c", "10", "-d", "500"], env)
    wait_until(lambda: "started" in primary.cli(env, "bgsave"), "the child that served the replica has ended", 20)
    wait_until(lambda: primary.info(env, "rdb_bgsave_in_progress") == "0", "the save is done", 20)
    assert primary.info(env, "rdb_last_bgsave_status") == "ok"
    assert writers.wait(30) == 0, processes.log(writers)
    wait_until(
        lambda: primary.info(env, "master_repl_offset") == replica.info(plain, "slave_repl_offset"), "it has all", 20
    )
    for question in (("dbsize",), ("get", "key:7"), ("debug", "digest")):
        assert primary.cli(env, *question) == replica.cli(plain, *question)
    assert (primary.folder / "dump.rdb").stat().st_size > 10_000
    assert primary.info(env, "sync_full") == "1"
    moved = host.printed_sums().since(before)
    combination.check(moved, 2 * 2 * KEYS * VALUE_BYTES)


def is_whole(nodes: list[Node], env: dict[str, str]) -> bool:
    """Whether every node sees all slots served, by three nodes."""
    answers = [node.cli(env, "cluster", "info") for node in nodes]
    return all("cluster_state:ok" in answer and "cluster_known_nodes:3" in answer for answer in answers)


@main_combination
def test_cluster_of_three(combination: Combination, host: Host, processes: Processes, tmp_path: Path) -> None:
    before = host.sums()
    env = host.environment(combination.client)
    server_env = host.environment(combination.server)
    buses = [free_port() for _ in NAMES]
    words = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port")
    servers = [
        Node(processes, server_env, tmp_path / name, *words, str(bus)) for name, bus in zip(NAMES, buses, strict=True)
    ]
    edges = [SLOTS * number // 3 for number in range(4)]
    for node, first, behind in zip(servers, edges, edges[1:], strict=False):
        assert node.cli(env, "cluster", "addslotsrange", str(first), str(behind - 1)) == "OK"
        assert node.cli(env, "cluster", "meet", "127.0.0.1", str(servers[0].port), str(buses[0])) == "OK"
    wait_until(lambda: is_whole(servers, env), "the cluster is whole", 20, pause_s=0.1)
    for number in range(30):
        assert servers[number % 3].cli(env, "-c", "set", f"key:{number}", f"value{number}").endswith("OK")
    for number in range(30):
        assert servers[(number + 1) % 3].cli(env, "-c", "get", f"key:{number}").endswith(f"value{number}")
    counts = [int(node.cli(env, "dbsize")) for node in servers]
    assert sum(counts) == 30
    assert min(counts) > 0
    benchmark = [need("redis-benchmark", "redis-tools"), "-p", str(servers[0].port), "--cluster", "-q"]
    output = processes.check([*benchmark, "-t", "set,get", "-r", "1000", "-n", "6000", "-c", "12", "-d", "1000"], env)
    assert len(re.findall(r"[\d.]+ requests per second", output)) == 2, output
    servers[1].process.send_signal(signal.SIGKILL)
    wait_until(lambda: "cluster_state:fail" in servers[0].cli(env, "cluster", "info"), "the loss is seen", 20, 0.1)
    moved = host.printed_sums().since(before)
    if combination.server == combination.client:
        combination.check(moved, 2 * 6000 * 1000)
    else:
        assert moved.tcp_bytes > 6000 * 1000, moved
        assert (moved.shm_bytes > 0) == combination.server, moved  # the nodes among themselves
