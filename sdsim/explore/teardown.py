"""Teardown: both ends shut down, close, leave bytes unread, or die, in every order; of TCP, and of AF_UNIX.

A world is both teardown machines, the flags that each side published, and the slot's count. An end looks at what the
other published whenever it likes. Goal: both ends are closed or dead, and the slot is free unless a dead end left it.

What an end of TCP has seen decides what its program must have been told, and where the end may stand, as on Linux.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sdcore.protocol.kit import Machine
from sdcore.protocol.teardown import TeardownDo, TeardownEvent, TeardownState
from sdsim.explore.engine import Act, Local, Table

S, E = TeardownState, TeardownEvent
Saw = TeardownEvent | str
LOST = "the peer is gone, and left bytes unread"
LIMITS = {E.PEER_CLOSED: {"LAST_SEND"}, E.PEER_GONE: {"LAST_SEND"}, E.PEER_DEAF: {"REFUSED_SEND", "LAST_SEND"}}
"""What a program that may still send must be told of a peer that reads no more."""
ENDINGS = (E.PEER_FIN, E.PEER_CLOSED, E.PEER_DEAF, E.PEER_GONE, E.PEER_RESET)


@dataclass(frozen=True)
class End:
    """One end: its machine, what it published, what it saw of the peer, what it reported to its program."""

    machine: Local
    fin: int = 0
    closed: int = 0
    reset: bool = False
    deaf: int = 0
    companion_closed: bool = False
    dead: bool = False
    released: int = 0
    unread: bool = False
    saw_gone: bool = False
    shut_read: bool = False
    saw: frozenset[Saw] = frozenset()
    told: frozenset[str] = frozenset()


@dataclass(frozen=True)
class World:
    """Both ends and the sides that are done with the slot."""

    ends: tuple[End, End]
    unix: bool = False
    done: int = 0
    wrong: str = ""


class TeardownModel:
    """One connection's end."""

    name = "teardown"
    parties: tuple[str, ...] = ("client", "server")

    def __init__(self, tables: Mapping[str, Machine]) -> None:
        self.table = Table(tables["teardown"])

    def first(self) -> Iterable[World]:
        """Both open; each with or without bytes that its program never reads."""
        of_unix, _ = self.table.feed(self.table.start, E.UNIX, 0)
        for machine in (self.table.start, of_unix):
            for one in (False, True):
                for other in (False, True):
                    yield World((End(machine, unread=one), End(machine, unread=other)), machine is of_unix)

    def wrong(self, w: World) -> str | None:
        """Each direction ends once, a slot is released once by each side, an end that is told of nothing is open."""
        if w.wrong:
            return w.wrong
        if w.done > 2:
            return "the slot was released more often than it has sides"
        faults = (self._wrong_end(w, end) for end in w.ends)
        return next((f"{name} {fault}" for name, fault in zip(self.parties, faults, strict=True) if fault), None)

    def _wrong_end(self, w: World, end: End) -> str:
        if end.fin > 1 or end.closed > 1 or end.deaf > 1:
            return "published its end twice"
        if end.deaf and not end.fin and not w.unix:
            return "refuses bytes though it may still send"
        if end.machine[0] is S.CLOSED and not end.released:
            return "is closed, and nobody closed it, or its side of the slot is kept"
        over = end.told & {"RAISE_RESET", "BREAK_SEND", "SHUT_SEND"}
        if end.closed and not end.fin and not end.reset and not over:
            return "closed without ending its direction"
        return ""

    def done(self, w: World) -> bool:
        """Both are over, and the slot is free if both closed in order."""
        if not all(end.dead or end.machine[0] is S.CLOSED for end in w.ends):
            return False
        return w.done == 2 or any(end.dead for end in w.ends)

    def steps(self, w: World) -> Iterator[tuple[Act, World]]:
        """What either program does, or either end sees."""
        for me in (0, 1):
            end, peer = w.ends[me], w.ends[1 - me]
            if end.dead:
                continue
            state = end.machine[0]
            if state is not S.CLOSED:
                yield self._feed(w, me, E.CLOSE, int(end.unread))
                yield Act(self.parties[me], "is killed", chance=True), self._with(w, me, replace(end, dead=True))
                if state in (S.OPEN, S.PEER_SHUT, S.DEAF):
                    yield self._feed(w, me, E.SHUT_WR, 0)
                yield self._feed(w, me, E.SHUT_RD, 0)
                if state is S.DEAF:  # it sends a byte, which the peer refuses
                    yield self._feed(w, me, E.PEER_RESET, 0)
                yield from self._looks(w, me, peer)
            if state is S.RESET and "BREAK_COMPANION" not in end.told:
                for untold in (0, 1):
                    yield self._feed(w, me, E.TO_KERNEL, untold)

    def _looks(self, w: World, me: int, peer: End) -> Iterator[tuple[Act, World]]:
        """The strongest of what the peer said; its silence, if its companion is closed."""
        end = w.ends[me]
        if w.unix and peer.deaf:  # it may be all that it said, and be seen before an end that it said later
            act, new = self._feed(w, me, E.PEER_DEAF, 0)
            if new != w:
                yield act, new
        gone = peer.dead and not peer.closed
        if peer.reset:
            event = E.PEER_RESET
        elif peer.closed:
            event = E.PEER_CLOSED
        elif gone:
            event = E.PEER_GONE
        elif peer.fin and peer.deaf:
            event = E.PEER_DEAF
        elif peer.fin:
            event = E.PEER_FIN
        else:
            return
        act, new = self._feed(w, me, event, int(peer.unread) if event is E.PEER_GONE else 0)
        if gone:
            new = self._with(new, me, replace(new.ends[me], saw_gone=True))
        if new != w and (new.ends[me] != end):
            yield act, new

    def _feed(self, w: World, me: int, event: TeardownEvent, arg: int) -> tuple[Act, World]:
        end = w.ends[me]
        machine, effects = self.table.feed(end.machine, event, arg)
        end = replace(end, machine=machine, saw=end.saw | self._seen(event, arg))
        done, wrong = w.done, w.wrong
        for effect in effects:
            match effect:
                case TeardownDo.PUBLISH_FIN:
                    end = replace(end, fin=end.fin + 1)
                case TeardownDo.PUBLISH_DEAF:
                    end = replace(end, deaf=end.deaf + 1)
                case TeardownDo.RESET_PEER:
                    end = replace(end, reset=True)
                case TeardownDo.PUBLISH_CLOSED:
                    end = replace(end, closed=end.closed + 1)
                case TeardownDo.PUBLISH_RESET:
                    end = replace(end, closed=end.closed + 1, reset=True)
                case TeardownDo.CLOSE_COMPANION:
                    wrong = wrong or (
                        "" if end.closed else f"{self.parties[me]} closed the companion before it said so"
                    )
                    end = replace(end, companion_closed=True)
                case TeardownDo.RELEASE_SLOT:
                    done += 2 if end.saw_gone and not w.ends[1 - me].released else 1
                    end = replace(end, released=end.released + 1)
                case _:
                    end = replace(end, told=end.told | {effect.name})
        end = replace(end, shut_read=end.shut_read or event is E.SHUT_RD)
        wrong = wrong or self._told_wrong(w, me, event, machine, end)
        if not wrong and not w.unix:
            fault = (
                self._wrong_report(event, end)
                or self._wrong_to_kernel(event, arg, {effect.name for effect in effects})
                or self._wrong_publishing(w.ends[me], event, arg, end)
                or self._wrong_place(end)
            )
            wrong = f"{self.parties[me]}: {fault}" if fault else ""
        names = "".join(f" {effect.name}" for effect in effects)
        act = Act(self.parties[me], f"{w.ends[me].machine[0].name} {event.name}({arg}) -> {machine[0].name}{names}")
        return act, replace(self._with(w, me, end), done=done, wrong=wrong)

    def _told_wrong(self, w: World, me: int, event: TeardownEvent, machine: Local, end: End) -> str:
        """What the program must have been told by now."""
        name = self.parties[me]
        lost = event is E.PEER_RESET or (event is E.PEER_GONE and w.ends[1 - me].unread)
        if lost and not end.told & ({"RAISE_RESET"} if w.unix else {"RAISE_RESET", "BREAK_SEND"}):
            return f"{name}'s program is not told of the reset"
        ended = event in (E.PEER_FIN, E.PEER_CLOSED) or (event is E.PEER_DEAF and not w.unix)
        if ended and not end.told & {"DELIVER_EOF", "RAISE_RESET"}:
            return f"{name}'s readers are not told of the end"
        if w.unix and (wrong := self._unix_wrong(name, event, machine, end, lost=lost)):
            return wrong
        if event is E.TO_KERNEL and "BREAK_COMPANION" not in end.told:
            return f"{name}'s kernel is not told of the reset"
        if event is E.CLOSE and machine[0] is S.CLOSED and not end.released:
            return f"{name} closed and kept its side of the slot"
        return ""

    def _unix_wrong(self, name: str, event: TeardownEvent, machine: Local, end: End, *, lost: bool) -> str:
        """What one end shuts is shut at the other."""
        stopped = event in (E.PEER_CLOSED, E.PEER_DEAF) or (event is E.PEER_GONE and not lost)
        if stopped and not end.fin and not end.told & {"SHUT_SEND", "RAISE_RESET"}:
            return f"{name}'s program may still send to nobody"
        if event is E.SHUT_RD and machine[0] in (S.OPEN, S.LOCAL_SHUT) and not end.deaf:
            return f"{name} does not stop its peer"
        return ""

    def _seen(self, event: TeardownEvent, arg: int) -> frozenset[Saw]:
        if event not in ENDINGS:
            return frozenset()
        return frozenset((event, LOST) if event is E.PEER_GONE and arg else (event,))

    def _wrong_report(self, event: TeardownEvent, end: End) -> str:
        """What the program must have been told by now."""
        if event not in ENDINGS or end.machine[0] is S.CLOSED:
            return ""
        reset = end.told & {"RAISE_RESET", "BREAK_SEND"}
        if end.saw & {E.PEER_RESET, LOST} and not reset:
            return "the program is not told of the reset"
        if not end.told & {"DELIVER_EOF", "RAISE_RESET"}:
            return "readers are not told of the end"
        limited = end.told & LIMITS.get(event, end.told)
        may_send = event in LIMITS and not (reset or end.fin or limited)
        return "the program may send for ever, and nobody will read it" if may_send else ""

    def _wrong_to_kernel(self, event: TeardownEvent, arg: int, effects: set[str]) -> str:
        """What the companion knows of a reset when it takes over."""
        if event is not E.TO_KERNEL:
            return ""
        if "BREAK_COMPANION" not in effects:
            return "the kernel is not told of the reset"
        forgets = "FORGET_ERROR" in effects
        return "" if forgets != bool(arg) else "the program is told of the reset twice, or never"

    def _wrong_publishing(self, before: End, event: TeardownEvent, arg: int, end: End) -> str:
        """What the peer must be able to see by now."""
        if event is E.CLOSE and arg and before.machine[0] is not S.RESET and not end.reset:
            return "closed with bytes unread, and did not reset the connection"
        both = (event is E.SHUT_WR and before.shut_read) or (event is E.SHUT_RD and before.fin)
        if both and not before.saw and not end.deaf:
            return "shut both directions, and does not refuse what comes"
        return ""

    def _wrong_place(self, end: End) -> str:
        """Where an end stands that has seen this."""
        state = end.machine[0]
        if end.saw & {E.PEER_RESET, LOST} and state not in (S.RESET, S.CLOSED):
            return f"the connection was reset, and the end is {state.name}"
        if state is S.DEAF and (E.PEER_DEAF not in end.saw or end.saw & {E.PEER_CLOSED, E.PEER_GONE}):
            return "takes the peer for one that lives and refuses"
        return ""

    def _with(self, w: World, me: int, end: End) -> World:
        return replace(w, ends=(end, w.ends[1]) if me == 0 else (w.ends[0], end))
