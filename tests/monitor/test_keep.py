"""Connections that a family leaves with the monitor: for that family alone, until nobody needs them or all are gone."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

from sdcore.monitor.keeper import PER_FAMILY_MAX, Keeper
from sdcore.protocol import layout, messages
from tests.monitor.fake import Client, MonitorProcess, Other, Reply, loopback_listener

NUMBER = 7


def connected(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection."""
    with loopback_listener() as listener:
        one = stack.enter_context(socket.create_connection(listener.getsockname()))
        other = stack.enter_context(listener.accept()[0])
    other.settimeout(10)
    return one, other


def ask(client: Client, kind: int, *descriptors: int, number: int = NUMBER) -> Reply:
    """One request about what is kept."""
    return client.ask(kind, messages.KEPT.pack(number=number), list(descriptors))


def test_what_was_kept_is_had_again_and_again_until_it_is_let_go(client: Client) -> None:
    with ExitStack() as stack:
        ours, reader = connected(stack)
        assert ask(client, messages.MSG_KEEP, ours.fileno()).status == messages.STATUS_OK
        ours.close()
        for word in (b"one", b"two"):
            (fd,) = ask(client, messages.MSG_KEPT).descriptors
            with socket.socket(fileno=fd) as again:
                again.sendall(word)
            assert reader.recv(3) == word
        assert ask(client, messages.MSG_LET_GO).status == messages.STATUS_OK
        assert reader.recv(1) == b""
        assert ask(client, messages.MSG_KEPT).status == messages.STATUS_DENIED


def test_what_is_kept_again_takes_the_place_of_the_first(client: Client) -> None:
    with ExitStack() as stack:
        first, reader = connected(stack)
        second, _ = connected(stack)
        for one in (first, second):
            assert ask(client, messages.MSG_KEEP, one.fileno()).status == messages.STATUS_OK
        first.close()
        assert reader.recv(1) == b""


def test_another_family_finds_nothing(monitor: MonitorProcess, client: Client) -> None:
    with ExitStack() as stack:
        ours, _ = connected(stack)
        assert ask(client, messages.MSG_KEEP, ours.fileno()).status == messages.STATUS_OK
        with Other(_fetches, monitor.path) as stranger:
            assert stranger.says() == (messages.STATUS_DENIED, layout.REASON_NO_MEMORY)


def _fetches(pipe: Connection, path: Path) -> None:
    with Client(path) as client:
        client.hello()
        reply = ask(client, messages.MSG_KEPT)
        pipe.send((reply.status, reply.reason))


def test_nothing_is_kept_for_who_has_not_attached_nor_what_is_no_connection(
    monitor: MonitorProcess, client: Client
) -> None:
    with ExitStack() as stack, Client(monitor.path) as unknown, loopback_listener() as listener:
        ours, _ = connected(stack)
        assert ask(unknown, messages.MSG_KEEP, ours.fileno()).status == messages.STATUS_DENIED
        assert ask(client, messages.MSG_KEEP, listener.fileno()).status == messages.STATUS_BAD
        assert ask(client, messages.MSG_KEEP).status == messages.STATUS_BAD


def test_what_a_family_left_goes_with_its_last_process(monitor: MonitorProcess) -> None:
    with ExitStack() as stack:
        with loopback_listener() as listener, Other(_leaves, monitor.path, listener.getsockname()[1]) as other:
            reader = stack.enter_context(listener.accept()[0])
            reader.settimeout(10)
            assert other.says() == messages.STATUS_OK
        assert reader.recv(1) == b""


def _leaves(pipe: Connection, path: Path, port: int) -> None:
    with Client(path) as client, socket.create_connection(("127.0.0.1", port)) as ours:
        client.hello()
        pipe.send(ask(client, messages.MSG_KEEP, ours.fileno()).status)


def test_a_family_leaves_no_more_than_so_many() -> None:
    keeper = Keeper()
    for number in range(PER_FAMILY_MAX):
        assert keeper.keep(1, number, os.dup(0))
    assert not keeper.keep(1, PER_FAMILY_MAX, 0)
    assert keeper.keep(2, 0, os.dup(0))
    assert len(keeper) == PER_FAMILY_MAX + 1
    keeper.close()
    assert len(keeper) == 0
