"""One machine at a time: is each line what the table makes of the lines before it?

A line must go on where its instance stands (state, registers, number of the step), its row must be the first whose
guard holds, and state and effects must be that row's. Lines come in the order of time, but what counts is the order of
an instance: a line that comes too early waits for the one before it. A line for which that one never comes is an
offence, for it was removed.

Tokens have no numbers: a step counts when its swap of the token's word wins, and who won writes his line a
moment later. Words of a token never come twice (grants count up, and between two grants the queue only grows), so each
line names the one before it by the word that it found.

A process that is killed between a line and its effect leaves a step that the next thread takes again; so the last line
of a killed process may be replaced by another's.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sdcore.protocol import record
from sdcore.protocol.expr import ALWAYS
from sdcore.protocol.kit import Machine, Named, Row
from sdcore.protocol.machines import MACHINES
from sdsim.conform.log import BIND, NO_EVENTS, SET, START, Line, Log
from sdsim.stepper import text_of

Next = tuple[int, int, int]
"""Number of the row, and both words of registers behind it."""
Step = Callable[[int, int, int], Next]

NUMBERS: Final = {machine.name: number for number, machine in enumerate(MACHINES)}
TOKEN: Final = NUMBERS["token_owner"]
WAITER: Final = NUMBERS["waiter"]
"""Its driver sets the registers right behind the start, as the table says."""
WAITS: Final = 16
"""Waits of one thread that may be under way: one, and one more for each signal handler inside the other."""


class Offence(Exception):
    """The log is not a possible history. The text has the first line that is wrong, and why."""


def text(line: Line) -> str:
    """A line as one reads it; numbers where it has no names."""
    machine = MACHINES[line.machine] if line.machine < len(MACHINES) else None
    event = {START: "START", SET: "SET", BIND: "BIND"}.get(line.event) or _named(
        machine.Event if machine else (), line.event
    )
    before, after = (_named(machine.State if machine else (), number) for number in (line.before, line.after))
    places = record.places(machine) if machine else []
    regs = "".join(f" {reg.name}={_value(line, word, shift, reg.mask)}" for reg, word, shift in places)
    name = machine.name if machine else f"machine {line.machine}"
    what = f"{name} {line.instance:x} step {line.step}: {before} {event}({line.arg}) -> {after}"
    return f"{line.time_ns / 1e9:.9f} {what}, row {line.row},{regs} before\n  {line.chunk.place(line.mark)}"


def _named(members: Iterable[Named], number: int) -> str:
    names = [member.name for member in members]
    return names[number] if number < len(names) else str(number)


def _value(line: Line, word: int, shift: int, mask: int) -> int:
    return (line.register_1 if word else line.register_0) >> shift & mask


class Table:
    """A machine's rows, compiled to functions over the packed registers of a line."""

    def __init__(self, number: int, machine: Machine) -> None:
        self.number = number
        self.machine = machine
        self.rows = [(row.next.number, _packed(row)) for row in machine.rows]
        self.steps: dict[int, Step] = {}
        places = {id(row): place for place, row in enumerate(machine.rows)}
        for (state, event), rows in machine.groups.items():
            self.steps[state.number << 8 | event.number] = _compile(machine, [(places[id(row)], row) for row in rows])
        starts = {reg.name: reg.start for reg in machine.registers}
        self.first = [0, 0]
        for reg, word, shift in record.places(machine):
            self.first[word] |= starts[reg.name] << shift

    def judge(self, line: Line) -> tuple[int, int]:
        """Registers behind a line. Raises Offence: this is not the table's row."""
        step = self.steps.get(line.before << 8 | line.event, _no_row)
        row, register_0, register_1 = step(line.register_0, line.register_1, line.arg)
        if row != line.row:
            raise Offence(f"the table's row is {self._name(row)}, the log has {self._name(line.row)}")
        if row == record.NO_ROW:
            if line.after != line.before:
                raise Offence("without a row nothing may change")
            return line.register_0, line.register_1
        if (line.after, line.effects) != self.rows[row]:
            raise Offence(f"another state or other effects than those of the row {self._name(row)}")
        return register_0, register_1

    def _name(self, row: int) -> str:
        known = row < len(self.machine.rows)
        return f"{row} ({self.machine.rows[row]})" if known else "none" if row == record.NO_ROW else str(row)


def _no_row(*_: int) -> Next:
    return record.NO_ROW, 0, 0


def _packed(row: Row) -> int:
    return sum((effect.number + 1) << 8 * place for place, effect in enumerate(row.effects))


def _compile(machine: Machine, rows: Sequence[tuple[int, Row]]) -> Step:
    places = record.places(machine)
    lines = ["def step(w0, w1, arg):"]
    lines += [f"    {reg.name} = w{word} >> {shift} & {reg.mask}" for reg, word, shift in places]
    for number, row in rows:
        guard = "True" if row.if_ is ALWAYS else text_of(row.if_, "{}")
        news = {reg.name: f"(({text_of(value, '{}')}) & {reg.mask})" for reg, value in row.updates}
        words = ["0", "0"]
        for reg, word, shift in places:
            words[word] += f" | {news.get(reg.name, reg.name)} << {shift}"
        lines.append(f"    if {guard}: return {number}, {words[0] if news else 'w0'}, {words[1] if news else 'w1'}")
    lines.append(f"    return {record.NO_ROW}, 0, 0")
    scope: dict[str, Any] = {}
    exec("\n".join(lines), scope)
    found: Step = scope["step"]
    return found


@dataclass(eq=False, slots=True)
class Instance:
    """Where one machine stands.

    Attributes:
        step: number of its next line.
        last: its last line.
        early: lines that wait for one before them, by their number.
        past: (state, registers) before each step, of machines that a fork copies.
        part: what its connection knows of it.
    """

    step: int
    state: int
    registers: tuple[int, int]
    last: Line
    early: dict[int, Line] = field(default_factory=dict)
    past: list[tuple[int, tuple[int, int]]] = field(default_factory=list)
    part: Any = None


@dataclass(eq=False, slots=True)
class Token:
    """Where a token stands; its word is (state, registers)."""

    word: tuple[int, int, int]
    early: dict[tuple[int, int, int], Line] = field(default_factory=dict)
    part: Any = None


Key = tuple[int, int, int]
"""File, instance, and the process if the instance is private to it."""


class History:
    """Takes lines in the order of time and shows those that are judged to `see`, each behind the one before it.

    Raises:
        Offence: from `take` and `finish`; `current` is the line at fault.
    """

    def __init__(self, logs: Sequence[Log], see: Callable[[Line, Any], None]) -> None:
        self.see = see
        self.ended = {(log.number, process) for log in logs for process in log.ended}
        self.parents = {(chunk.log, chunk.process): chunk.parent for log in logs for chunk in log.chunks}
        self.tables = [Table(number, machine) for number, machine in enumerate(MACHINES)]
        self.instances: dict[Key, Instance] = {}
        self.tokens: dict[tuple[int, int], Token] = {}
        self.rows: set[int] = set()
        self._waiting: dict[tuple[int, int, int], deque[Key]] = defaultdict(deque)
        self.again = 0

    # A machine that has numbers ---------------------------------------------------------------------------------------

    def take(self, line: Line) -> None:
        """Judge a line, and those that have waited for it."""
        self.current = line
        if line.machine >= len(MACHINES):
            raise Offence("there is no such machine")
        if line.event in NO_EVENTS and (line.row, line.effects, line.after) != (record.NO_ROW, 0, line.before):
            raise Offence("a line that is no event has no row, and changes nothing")
        if line.machine == TOKEN:
            self._take_token(line)
        elif line.event == START:
            self._start(line)
        else:
            key = line.chunk.log, line.instance, 0 if line.flags & record.SHARED else line.chunk.process
            instance = self.instances.get(key) or self._inherited(line)
            if line.machine != instance.last.machine:
                raise Offence(f"the instance is a {MACHINES[instance.last.machine].name}")
            if line.step == instance.step or self._repeats(instance, line):
                self._advance(instance, line)
            else:
                self._wait(instance, line)

    def _wait(self, instance: Instance, line: Line) -> None:
        if line.step < instance.step:
            raise Offence(f"step {line.step} was there already; {instance.step} is the next")
        other = instance.early.get(line.step)
        if other is not None and not self._was_killed(other):
            raise Offence(f"step {line.step} was there already, and waits for step {instance.step}")
        instance.early[line.step] = line

    def _was_killed(self, line: Line) -> bool:
        """Whether the process that wrote a line was killed, and so may not have done what the line says."""
        return (line.chunk.log, line.chunk.process) not in self.ended

    def _key(self, line: Line) -> Key:
        return line.chunk.log, line.instance, 0 if line.flags & record.SHARED else line.chunk.process

    def _start(self, line: Line) -> None:
        first = self.tables[line.machine].first
        if line.before != 0 or (line.machine != WAITER and [line.register_0, line.register_1] != first):
            raise Offence("a machine starts in its first state")
        if line.instance != line.chunk.number * (record.LINES + 1) + line.mark:
            raise Offence("an instance has the number of the line that started it")
        key = self._key(line)
        self.instances[key] = Instance(1, 0, (line.register_0, line.register_1), line)
        if line.machine == WAITER:
            self._forget_waits(key, line)

    def _forget_waits(self, key: Key, line: Line) -> None:
        """A wait lives on the stack: all but the last few of a thread are over, whether they say so or not."""
        waits = self._waiting[line.chunk.log, line.chunk.process, line.chunk.tid]
        waits.append(key)
        if len(waits) > WAITS:
            over = self.instances.pop(waits.popleft())
            for early in over.early.values():
                self.current = early
                raise _missing(over, early)

    def _inherited(self, line: Line) -> Instance:
        """The child's copy of what the parent had when it forked."""
        log, number, process = self._key(line)
        parent = line.chunk.parent
        while parent and (log, number, parent) not in self.instances:
            parent = self.parents.get((log, parent), 0)
        model = self.instances.get((log, number, parent)) if process else None
        if model is None:
            raise Offence("nothing in the log has started this machine")
        if line.step == model.step:
            state, registers = model.state, model.registers
        elif 0 < line.step < model.step and line.step <= len(model.past):
            state, registers = model.past[line.step - 1]
        else:
            raise Offence(f"the process that forked had not come to step {line.step}")
        copy = Instance(line.step, state, registers, model.last, past=model.past[: line.step - 1])
        self.instances[log, number, process] = copy
        return copy

    def _repeats(self, instance: Instance, line: Line) -> bool:
        """A killed process wrote a line and did not do what it says: the step is taken again, from where it began."""
        last = instance.last
        if line.step != instance.step - 1 or not self._was_killed(last) or last.chunk.process == line.chunk.process:
            return False
        instance.step, instance.state = line.step, last.before
        instance.registers = (last.register_0, last.register_1)
        self.again += 1
        return True

    def _advance(self, instance: Instance, line: Line) -> None:
        if line.event != BIND:
            self._step(instance, line)
        self.see(line, instance)
        if instance.early and (waiting := instance.early.pop(instance.step, None)) is not None:
            self.current = waiting
            self._advance(instance, waiting)

    def _step(self, instance: Instance, line: Line) -> None:
        found = (line.register_0, line.register_1)
        if line.machine == WAITER:
            if instance.step == 1:
                instance.registers = found
        elif not line.flags & record.SHARED:
            instance.past.append((instance.state, instance.registers))
        instance.last = line
        instance.step = line.step + 1 & 0xFFFFFFFF
        if line.event != SET:
            if line.before != instance.state or found != instance.registers:
                raise _stands(instance, line)
            found = self.tables[line.machine].judge(line)
            self.rows.add(line.machine << 16 | line.row)
        instance.state, instance.registers = line.after, found

    # Tokens -----------------------------------------------------------------------------------------------------------

    def _take_token(self, line: Line) -> None:
        after = (line.after, *self.tables[TOKEN].judge(line))
        before = (line.before, line.register_0, line.register_1)
        self.rows.add(TOKEN << 16 | line.row)
        if after == before:
            return
        token = self.tokens.setdefault((line.chunk.log, line.instance), Token((0, 0, 0)))
        if before in token.early:
            raise Offence("two threads have changed the token from one and the same word")
        token.early[before] = line
        while (waiting := token.early.pop(token.word, None)) is not None:
            token.word = (waiting.after, *self.tables[TOKEN].judge(waiting))
            self.current = waiting
            self.see(waiting, token)

    # The end ----------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Nobody may still wait for a line, unless a process was killed that may have taken it along."""
        killed = {chunk for chunk in self.parents if chunk not in self.ended}
        for instance in self.instances.values():
            for line in instance.early.values():
                raise _at(line, str(_missing(instance, line)))
        for token in self.tokens.values():
            for line in token.early.values():
                if not any(log == line.chunk.log for log, _ in killed):
                    raise _at(line, "no line leads to the word that this one found")


def _missing(instance: Instance, line: Line) -> Offence:
    return Offence(f"the steps from {instance.step} to {line.step - 1} before it are missing")


def _stands(instance: Instance, line: Line) -> Offence:
    state = _named(MACHINES[line.machine].State, instance.state)
    words = ", ".join(f"{word:#x}" for word in instance.registers)
    return Offence(f"the machine stands in {state} with the registers {words}")


def _at(line: Line, why: str) -> Offence:
    return Offence(f"{text(line)}\n  {why}")
