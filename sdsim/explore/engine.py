"""Breadth-first search of a small world: safety, liveness, and the shortest way to a fault.

A `Model` says where a world begins and what one step of one party makes of it. Every world that can be reached is
visited once, nearest first, so the first fault found has the shortest history. Three things are looked for:

    safety      a world of which the model says what is wrong with it, or a step for which a table has no row
    deadlock    a world that is not done, and in which nobody can do anything
    liveness    a world from which no done world can be reached any more, whatever happens

Liveness in this sense covers endless waiting and endless circling: a set of worlds that can only be left by luck is
fine (the schedule is fair), one that cannot be left at all is not. A death is no luck: what only goes on because
somebody dies stands still.

A model may say which worlds are alike (`canonical`): then one of them stands for all. A history is gone through again
from its beginning, so that each party keeps its name.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sdcore.protocol.kit import Effect, Event, Machine, ProtocolError, Row, State
from sdsim.stepper import Program, compiled


@dataclass(frozen=True)
class Act:
    """One step: who does what, for the chart. `chance`: a misfortune that may come and that nobody can wait for."""

    who: str
    what: str
    chance: bool = False


class Model(Protocol):
    """A small world."""

    name: str
    parties: tuple[str, ...]

    def first(self) -> Iterable[Hashable]:
        """The worlds to begin with."""
        ...

    def steps(self, world: Any) -> Iterable[tuple[Act, Hashable]]:
        """What may happen next, and the world that it makes."""
        ...

    def wrong(self, world: Any) -> str | None:
        """What is wrong with a world; None if nothing is."""
        ...

    def done(self, world: Any) -> bool:
        """Whether everybody has reached the goal."""
        ...


@dataclass(frozen=True)
class Fault:
    """A law that is broken, and the shortest way there."""

    what: str
    history: tuple[Act, ...]


@dataclass(frozen=True)
class Found:
    """What an exploration found.

    Attributes:
        worlds, steps: how many there are; fewer if a fault ended the search.
        depth: steps of the longest of all shortest ways.
        complete: whether everything that can be reached was visited.
    """

    model: str
    worlds: int
    steps: int
    depth: int
    fault: Fault | None
    complete: bool


class Explorer:
    """The search itself."""

    def __init__(self, model: Model, most: int = 5_000_000) -> None:
        self.model = model
        self.most = most
        self.canonical: Callable[[Any], Hashable] | None = getattr(model, "canonical", None)
        self.index: dict[Hashable, int] = {}
        self.worlds: list[Hashable] = []
        self.parent = array("q")
        self.acts: list[Act | None] = []
        self.depths = array("q")
        self.edges_from = array("q")
        self.edges_to = array("q")
        self.steps = 0

    def run(self) -> Found:
        """Visit every world; stops at the first fault of safety."""
        fault = self._search()
        complete = fault is None and len(self.worlds) < self.most
        if complete:
            fault = self._liveness()
        depth = max(self.depths, default=0)
        return Found(self.model.name, len(self.worlds), self.steps, depth, fault, complete)

    def _search(self) -> Fault | None:
        try:
            for world in self.model.first():
                self._visit(world, -1, None)
        except ProtocolError as error:
            return Fault(f"no row: {error}", ())
        number = 0
        while number < len(self.worlds) < self.most:
            fault = self._expand(number)
            if fault is not None:
                return fault
            number += 1
        return None

    def _expand(self, number: int) -> Fault | None:
        world = self.worlds[number]
        wrong = self.model.wrong(world)
        if wrong is not None:
            return Fault(wrong, self._history(number))
        any_step = False
        try:
            for act, following in self.model.steps(world):
                target = self._visit(following, number, act)
                self.steps += 1
                if not act.chance:
                    any_step = True
                    self.edges_from.append(number)
                    self.edges_to.append(target)
        except ProtocolError as error:
            return Fault(f"no row: {error}", self._history(number))
        if not any_step and not self.model.done(world):
            return Fault("deadlock: nobody can do anything, and the goal is not reached", self._history(number))
        return None

    def _visit(self, world: Hashable, parent: int, act: Act | None) -> int:
        if self.canonical is not None:
            world = self.canonical(world)
        known = self.index.get(world)
        if known is not None:
            return known
        number = self.index[world] = len(self.worlds)
        self.worlds.append(world)
        self.parent.append(parent)
        self.acts.append(act)
        self.depths.append(0 if parent < 0 else self.depths[parent] + 1)
        return number

    def _history(self, number: int) -> tuple[Act, ...]:
        way: list[int] = []
        while number >= 0:
            way.append(number)
            number = self.parent[number]
        way.reverse()
        if self.canonical is None:
            return tuple(act for number in way if (act := self.acts[number]) is not None)
        return tuple(self._walk([self.worlds[number] for number in way], self.canonical))

    def _walk(self, way: Sequence[Hashable], canonical: Callable[[Any], Hashable]) -> Iterator[Act]:
        """A way along worlds that stand for others, with the names that the parties had at its beginning."""
        world = way[0]
        for target in way[1:]:
            steps = ((act, then) for act, then in self.model.steps(world) if canonical(then) == target)
            act, world = next(steps)
            yield act

    def _liveness(self) -> Fault | None:
        good = self._can_finish()
        stuck = next((number for number, fine in enumerate(good) if not fine), None)
        if stuck is None:
            return None
        return Fault("liveness: from here on the goal cannot be reached any more", self._history(stuck))

    def _can_finish(self) -> bytearray:
        """For each world whether a done one can be reached: backwards from those that are done."""
        before: list[list[int]] = [[] for _ in self.worlds]
        for source, target in zip(self.edges_from, self.edges_to, strict=True):
            before[target].append(source)
        good = bytearray(len(self.worlds))
        frontier = [number for number, world in enumerate(self.worlds) if self.model.done(world)]
        while frontier:
            number = frontier.pop()
            if not good[number]:
                good[number] = 1
                frontier += before[number]
        return good


def explore(model: Model, most: int = 5_000_000) -> Found:
    """Visit every world of a model, at most so many."""
    return Explorer(model, most).run()


# Machines in a world -------------------------------------------------------------------------------------------------

Local = tuple[State, tuple[int, ...]]
"""A machine as a part of a world: state and registers."""


class Table:
    """A machine whose instances are values. `rows` are those that were ever taken."""

    def __init__(self, machine: Machine, **registers: int) -> None:
        self.program: Program = compiled(machine)
        self.names = tuple(self.program.registers)
        start = {**self.program.registers, **registers}
        self.rows: set[Row] = set()
        self._runner = self.program.start(self.program.name)
        self.start: Local = (self.program.first, tuple(start[name] for name in self.names))

    def feed(self, local: Local, event: Event, arg: int = 0) -> tuple[Local, tuple[Effect, ...]]:
        """One step. Raises ProtocolError if there is no row."""
        runner = self._runner
        runner.state, values = local
        regs = runner.regs = dict(zip(self.names, values, strict=True))
        row, state, effects = runner.take(event, arg)
        self.rows.add(row)
        return (state, tuple(regs.values())), effects

    def value(self, local: Local, name: str) -> int:
        """A register."""
        return local[1][self.names.index(name)]


def tables(replaced: Mapping[str, Machine]) -> Mapping[str, Machine]:
    """All machines by name, some of them replaced."""
    from sdcore.protocol.machines import MACHINES

    return {machine.name: machine for machine in MACHINES} | dict(replaced)
