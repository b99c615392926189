"""Python's multiprocessing over TCP: `multiprocessing_tcp.py server PORT` or `... client PORT fork|spawn|forkserver`.

The server is a manager with a queue and a function. The client starts a pool of processes; each has connections of its
own to the manager, sends and gets back large values, and puts its results into the queue, where the parent finds them.
Then the parent listens by itself, its pool sends arrays to it over Client(), and children go on with a connection that
the parent opened. Prints "done".
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Client, Connection, Listener
from multiprocessing.context import BaseContext
from multiprocessing.managers import BaseManager
from queue import Queue

KEY = b"secret"
JOBS = 6
WORKERS = 3
VALUE_BYTES = 300_000
TURNS = 20

results: Queue[tuple[int, int]] = Queue()


class Manager(BaseManager):
    """What the server offers."""


def echo(value: bytes) -> bytes:
    """Give back what came."""
    return value


def get_results() -> Queue[tuple[int, int]]:
    """The server's queue."""
    return results


Manager.register("echo", callable=echo)
Manager.register("results", callable=get_results)


def value_of(number: int) -> bytes:
    """What job `number` sends."""
    return bytes([number]) * (VALUE_BYTES + number)


def job(port: int, number: int) -> int:
    """Ask the manager from a process of the pool."""
    manager = Manager(("127.0.0.1", port), KEY)
    manager.connect()
    value = value_of(number)
    back = manager.echo(value)._getvalue()
    if back != value:
        raise ValueError(f"job {number}: {len(back)} bytes")
    manager.results().put((number, len(back)))
    return number


def push(port: int, number: int) -> int:
    """Send an array to the parent's own listener, from a process of the pool."""
    with Client(("127.0.0.1", port), authkey=KEY) as connection:
        connection.send([number] * 50_000)
        return int(connection.recv())


def ask_manager(context: BaseContext, port: int) -> None:
    """Jobs whose results come by the server's queue."""
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        if sorted(pool.map(job, [port] * JOBS, range(JOBS))) != list(range(JOBS)):
            raise ValueError("jobs are missing")
    manager = Manager(("127.0.0.1", port), KEY)
    manager.connect()
    queue = manager.results()
    found = sorted(queue.get(timeout=10) for _ in range(JOBS))
    if found != [(number, VALUE_BYTES + number) for number in range(JOBS)]:
        raise ValueError(f"in the queue: {found}")


def collect_arrays(context: BaseContext) -> None:
    """Serve the pool from this process."""
    with Listener(("127.0.0.1", 0), authkey=KEY) as listener, ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        port = listener.address[1]
        futures = [pool.submit(push, port, number) for number in range(JOBS)]
        for _ in range(JOBS):
            with listener.accept() as connection:
                connection.send(sum(connection.recv()))
        if [future.result() for future in futures] != [50_000 * number for number in range(JOBS)]:
            raise ValueError("wrong sums")


def answer(connection: Connection, first: int) -> None:
    """A child that goes on with the parent's connection."""
    for turn in range(first, first + TURNS):
        connection.send((turn, connection.recv()))


def lend_connection(context: BaseContext) -> None:
    """Two children, one after the other, go on with one connection, opened before them."""
    with Listener(("127.0.0.1", 0), authkey=KEY) as listener, ProcessPoolExecutor(1, mp_context=context) as pool:
        turns = pool.submit(talk, listener.address[1])
        with listener.accept() as connection:
            for first in (0, TURNS):
                child = context.Process(target=answer, args=(connection, first))  # type: ignore[attr-defined]
                child.start()
                child.join()
        if turns.result() != 2 * TURNS:
            raise ValueError("turns are missing")


def talk(port: int) -> int:
    """The other end of a lent connection; return the number of right answers."""
    right = 0
    with Client(("127.0.0.1", port), authkey=KEY) as connection:
        for turn in range(2 * TURNS):
            connection.send(b"x" * 1000 * turn)
            right += connection.recv() == (turn, b"x" * 1000 * turn)
    return right


def main(role: str, port: str, method: str = "fork") -> None:
    """One of the two."""
    if role == "server":
        Manager(("127.0.0.1", int(port)), KEY).get_server().serve_forever()
    context = multiprocessing.get_context(method)
    ask_manager(context, int(port))
    collect_arrays(context)
    lend_connection(context)
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
