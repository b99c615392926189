"""Which addresses are this host's, and where hidden descriptors live."""

from __future__ import annotations

import socket
import subprocess

import pytest

from tests.native.control.driven import Driven


def own_address() -> str | None:
    """An address of this host that is not loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"])
def test_loopback_is_local(process: Driven, ip: str) -> None:
    assert process.ask(f"local {ip}") == "yes"


@pytest.mark.parametrize("ip", ["192.0.2.1", "2001:db8::1", "224.0.0.1", "255.255.255.255", "::ffff:192.0.2.1"])
def test_others_are_not(process: Driven, ip: str) -> None:
    assert process.ask(f"local {ip}") == "no"


def test_an_interface_address_is_local(process: Driven) -> None:
    ip = own_address()
    if ip is None:
        pytest.skip("this host has no address but loopback")
    assert process.ask(f"local {ip}") == "yes"
    assert process.ask(f"local ::ffff:{ip}") == "yes"


def in_namespace(script: str) -> bool:
    """Whether a script works in a network namespace of its own."""
    return subprocess.run(["unshare", "-n", "sh", "-c", script], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not in_namespace("ip link set lo up"), reason="needs ip and the right to make network namespaces")
def test_the_namespace_decides(harness, environment) -> None:  # type: ignore[no-untyped-def]
    links = "ip link set lo up; ip link add v type veth peer name w; ip link set v up; ip link set w up"
    addresses = "ip addr add 192.0.2.1/24 dev v; ip addr add 192.0.2.2/24 dev v; ip addr add 198.51.100.1/24 dev lo"
    asked = ["192.0.2.1", "192.0.2.2", "198.51.100.1", "198.51.100.9", "192.0.2.3", "10.1.1.1"]
    commands = "".join(f"local {ip}\n" for ip in asked)
    result = subprocess.run(
        ["unshare", "-n", "sh", "-c", f"{links}; {addresses}; exec {harness}"],
        input=commands, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = ["yes", "yes", "yes", "yes", "no", "no"]  # primary, secondary, on loopback, its prefix, others
    assert result.stdout.split() == expected


def test_a_sandbox_without_netlink_gives_the_same_answers(process: Driven) -> None:
    assert process.ask("sandbox") == "no netlink"
    assert process.ask("local 127.0.0.1") == "yes"
    assert process.ask("local 192.0.2.1") == "no"
    assert process.ask("local 2001:db8::1") == "no"
    ip = own_address()
    assert ip is None or process.ask(f"local {ip}") == "yes"


def test_a_hidden_descriptor_is_high_and_closed_on_exec(process: Driven) -> None:
    word, high, _, low, *facts = process.ask("hide").split()
    assert word == "hidden"
    assert int(high) > 500 > int(low)
    assert facts == ["closed", "cloexec", "marked"]


def test_the_lowest_free_number_stays_the_programs(monitor, process: Driven) -> None:  # type: ignore[no-untyped-def]
    before = process.ask("hide").split()[3]
    process.lease(7)
    assert process.process_id() == 1
    assert process.ask("hide").split()[3] == before
