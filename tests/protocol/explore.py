"""Every order of events: all worlds that can be reached from a first one, each step of each party by itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from sdcore.protocol.kit import Effect, Event, Machine, Row, State

World = TypeVar("World", bound=Hashable)


def step(machine: Machine, state: State, event: Event, arg: int = 0) -> tuple[State, tuple[Effect, ...]]:
    """One step of a machine in a given state: the next state and the effects. Raises if there is no row."""
    instance = machine.start()
    instance.state = state
    effects = instance.feed(event, arg)
    return instance.state, effects


def explore(first: Iterable[World], following: Callable[[World], Iterable[World]]) -> dict[World, list[World]]:
    """Each reachable world, and those that come next."""
    graph: dict[World, list[World]] = {}
    frontier = list(first)
    while frontier:
        world = frontier.pop()
        if world not in graph:
            graph[world] = list(following(world))
            frontier += graph[world]
    return graph


def stuck(graph: dict[World, list[World]], done: Callable[[World], bool]) -> list[World]:
    """Worlds from which no done one can be reached any more."""
    before: dict[World, list[World]] = {world: [] for world in graph}
    for world, following in graph.items():
        for other in following:
            before[other].append(world)
    good, frontier = set(), [world for world in graph if done(world)]
    while frontier:
        world = frontier.pop()
        if world not in good:
            good.add(world)
            frontier += before[world]
    return [world for world in graph if world not in good]


def changed(machine: Machine, state: State, event: Event, replace: Callable[[Row], Row]) -> Machine:
    """The machine with another row in one place, to see that a test notices."""
    rows = tuple(replace(row) if (row.state, row.event) == (state, event) else row for row in machine.rows)
    return Machine(machine.name, machine.doc, machine.State, machine.Event, machine.Do, machine.registers, rows)
