"""Small flows, and all that can happen to them: any order, any number of copies, every timer at any moment.

A breadth-first search over the states of the machine and of a world of contexts (RELIABILITY, section 5.1).
A message that was sent may arrive at any time, any number of times, until a crash loses it; a command may be
carried out, refused, or fail; the saga may be cancelled at any moment. Once it is over, what was done must
be what its journal says, then and for ever after.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import msgspec
import pytest

from reliability.journals.invariants import (
    Violation,
    check_journal,
    check_state,
    compensations_are_those_that_were_noted,
    hold,
)
from reliability.journals.order import what_was_done_is_undone_in_reverse
from saga.flow.graph import Call, Graph
from saga.machine import (
    Record,
    State,
    Stimulus,
    decide,
    decode_records,
    encode_records,
    pending,
    replay,
    timer_name,
)
from saga.machine import records as r
from saga.machine import stimuli as s
from saga.machine.state import call_to

from .graphs import (
    Blocks,
    again,
    call,
    compensate,
    each,
    end,
    graph,
    parallel,
    race,
    refuse,
    repeat,
    scope,
    step,
    task,
    wait,
)
from .scenario import Author, raw
from .tokens import check_tokens

NULL = raw(None)


@dataclass(frozen=True)
class World:
    """Everything, as a value. Messages are (kind, path, id of what it undoes)."""

    mail: frozenset[tuple[str, str, str]] = frozenset()
    replies: frozenset[tuple[str, str]] = frozenset()
    inbox: frozenset[tuple[str, str]] = frozenset()
    did: tuple[str, ...] = ()
    """Paths of commands and of compensations that were carried out, sorted."""
    crashes: int = 1
    cancels: int = 1
    events: int = 2
    """How many may still come."""


@dataclass(frozen=True)
class Search:
    """What is searched, and which protections are on."""

    graph: Graph
    tombstones: bool = True
    dedupe: bool = True

    def author(self) -> Author:
        calls = {
            node.id: call_to(node.saga, 1) for node in self.graph.nodes.values() if isinstance(node, Call)
        }
        return Author({"enough": False, "holds": True}, 50, {"things": [1, 2]}, calls)

    def states(self, world: World, limit: int = 100_000) -> int:
        """Visit every state that can be reached; return how many there are. Raises Violation."""
        found: set[tuple[bytes, World]] = set()
        waiting: deque[tuple[tuple[bytes, ...], World]] = deque()

        def reach(rows: tuple[bytes, ...], world: World) -> None:
            state = _replay(rows)
            state.ignored = 0
            key = (msgspec.json.encode(state), world)
            if key not in found:
                found.add(key)
                self.check(rows, state, world)
                waiting.append((rows, world))

        reach(*self.happen((), world, s.Start("t", "Trip/1", NULL, "t")))
        while waiting and len(found) < limit:
            rows, here = waiting.popleft()
            moved = False
            for more, after in self.moves(rows, here):
                moved = True
                reach(more, after)
            state = _replay(rows)
            hold(moved or state.ended or pending(state).waits, "in limbo")
        hold(not waiting, f"more than {limit} states")
        return len(found)

    # --- what may happen ----------------------------------------------------------------------------

    def moves(self, rows: tuple[bytes, ...], world: World) -> Iterator[tuple[tuple[bytes, ...], World]]:
        for message in world.mail:
            for after in self.arrivals(message, world):
                yield rows, after
        for told in world.replies:
            yield self.happen(rows, world, _STIMULI[told[0]](told[1]))
        state = _replay(rows)
        yield from self.others(rows, world, state)
        for name in pending(state).timers:
            yield self.happen(rows, world, s.TimerFired(*name.split("|")))
        if not state.ended and world.cancels:
            yield self.happen(rows, replace(world, cancels=world.cancels - 1), s.Cancel("enough"))
        if world.crashes:
            lost = replace(world, mail=frozenset(), replies=frozenset(), crashes=world.crashes - 1)
            yield rows, replace(lost, mail=_outside(state))

    def others(
        self, rows: tuple[bytes, ...], world: World, state: State
    ) -> Iterator[tuple[tuple[bytes, ...], World]]:
        """Events come, persons decide, and sagas that were called come to their end, each in the very commit."""
        out = pending(state)
        for path in out.waits if world.events else ():
            after = replace(world, events=world.events - 1)
            yield self.happen(rows, after, s.EventArrived(path, f"event-{world.events}", NULL))
        for path in out.tasks:
            yield self.happen(rows, world, s.Decide(NULL, "", path))
        for path, (_, given_up) in out.calls.items():
            done = replace(world, did=tuple(sorted((*world.did, path))))
            if given_up:
                yield self.happen(rows, done, s.Resolved(path, "done", NULL))
                yield self.happen(rows, world, s.Resolved(path, "not-done"))
            else:
                yield self.happen(rows, done, s.Completed(path, NULL))
                if "~" not in path:
                    yield self.happen(rows, world, s.Refused(path, "no", "no"))

    def arrivals(self, message: tuple[str, str, str], world: World) -> Iterator[World]:
        """A message arrives at its context."""
        kind, path, of = message
        stored = dict(world.inbox).get(path)
        if kind == "inquiry":
            outcome = stored or "void"
            inbox = world.inbox | {(path, "void")} if stored is None and self.tombstones else world.inbox
            yield replace(world, inbox=inbox, replies=world.replies | {(f"inquired {outcome}", path)})
            return
        if stored is not None and (self.dedupe or stored == "void"):
            yield replace(world, replies=world.replies | {(stored, path)})
            return
        yield replace(
            world,
            inbox=world.inbox | {(path, "done")},
            replies=world.replies | {("done", path)},
            did=tuple(sorted((*world.did, path))),
        )
        if not of:
            refused = world.inbox | {(path, "refused")}
            yield replace(world, inbox=refused, replies=world.replies | {("refused", path)})
            yield replace(world, replies=world.replies | {("failed", path)})

    def happen(
        self, rows: tuple[bytes, ...], world: World, stimulus: Stimulus
    ) -> tuple[tuple[bytes, ...], World]:
        """Let the saga take a stimulus. No time goes by but up to the timers that fire."""
        state = _replay(rows) if rows else None
        before = _outside(state) if state else frozenset()
        now = 0
        if isinstance(stimulus, s.TimerFired) and state is not None:
            now = pending(state).timers[timer_name(stimulus.path, stimulus.timer)]
        state, records = decide(self.graph, state, stimulus, now, self.author())
        if all(isinstance(record, r.Ignored) for record in records):
            return rows, world
        return (*rows, encode_records(records)), replace(world, mail=world.mail | (_outside(state) - before))

    # --- what must hold -----------------------------------------------------------------------------

    def check(self, rows: tuple[bytes, ...], state: State, world: World) -> None:
        check_state(state, pending(state))
        for path in set(world.did):
            hold(world.did.count(path) == 1, f"{path} was carried out {world.did.count(path)} times")
        if not state.ended:
            return
        records = _records(rows)
        check_journal(records)
        compensations_are_those_that_were_noted(records)
        what_was_done_is_undone_in_reverse(records)
        check_tokens(self.graph, map(_decode, rows))
        did = {path for path in world.did if "~" not in path}
        undone = {path.partition("~")[0] for path in world.did if "~" in path}
        completed = {record.path for record in records if isinstance(record, r.StepCompleted)}
        hold(did == completed, f"{did} was carried out, {completed} is what the journal says")
        hold(undone <= did, f"{undone} was undone, {did} was carried out")
        if state.status == "COMPENSATED":
            noted = {x.path for x in records if isinstance(x, r.StepCompleted) and x.undo}
            hold(undone == noted, f"{noted} was to be undone, {undone} was")


_STIMULI = {
    "done": lambda path: s.Completed(path, NULL),
    "refused": lambda path: s.Refused(path, "no", "no"),
    "void": lambda path: s.Refused(path, "void", "no"),
    "failed": lambda path: s.Failed(path, "broke"),
    "inquired done": lambda path: s.Resolved(path, "done", NULL),
    "inquired refused": lambda path: s.Resolved(path, "refused"),
    "inquired void": lambda path: s.Resolved(path, "not-done"),
}


_decode = cache(decode_records)


def _records(rows: tuple[bytes, ...]) -> list[Record]:
    return [record for row in rows for record in _decode(row)]


def _replay(rows: tuple[bytes, ...]) -> State:
    return replay(_records(rows))


def _outside(state: State) -> frozenset[tuple[str, str, str]]:
    """What must be outside. An attempt is another message than the one before."""
    out = pending(state)
    commands = {
        ("command" if attempt == 1 else f"attempt {attempt}", path, bytes(sent.command).decode().strip("{}"))
        for path, (sent, attempt) in out.commands.items()
    }
    return frozenset(commands | {("inquiry", path, "") for path in out.resolves})


A, B = (step(name, undo=name.upper(), timeout=5) for name in "ab")
C, D = (step(name, undo=name.upper()) for name in "cd")
BOTH_WAYS = race(((wait("v"), ()), (wait("w"), step("b"))))
FLOWS: dict[str, tuple[Blocks, int, int]] = {
    "two steps": ((A, B), 1, 2700),
    "two branches": (parallel(A, C), 0, 6294),
    "two branches and a step": ((parallel(C, D), step("e")), 0, 7387),
    "a scope that is caught": (scope((C, A), catch={"no": (), "timeout": ()}), 0, 1065),
    "a scope that is tried again": (scope((C, step("b")), catch={"no": again(1)}), 0, 4932),
    "a branch that ends the others": (parallel(C, (step("b"), end())), 0, 2949),
    "a step that is tried twice": ((C, step("b", undo="B", attempts=2)), 1, 2021),
    "a race": ((C, race(((wait("w"), step("b")), (task("t"), ())), after=(5, refuse("no")))), 1, 1485),
    "a race in a branch": (parallel(C, BOTH_WAYS), 0, 3237),
    "a repeat": (repeat(C, until="enough", at_most=2), 1, 1459),
    "a repeat of rounds that end": (
        repeat(parallel(C, (wait("w"), end())), until="enough", at_most=2),
        0,
        3413,
    ),
    "two items, one after the other": (each("things", C), 1, 1459),
    "two items at once": (each("things", C, 2), 0, 3144),
    "a call": ((call("k", undo=True, timeout=5), step("b")), 1, 261),
    "two calls at once": (parallel(call("k", undo=True), call("l", undo=True)), 1, 74),
    "a compensation of everything": ((C, D, compensate(), step("e")), 0, 1592),
    "a compensation beside a branch": (parallel((C, compensate()), D), 0, 3806),
    "a compensation that is ended": (parallel((C, compensate()), (wait("w"), end())), 0, 232),
    "a wait that reminds": ((wait("w", every=(5, C, 1)), D), 0, 3463),
    "a scope that watches": (scope(C, whenever=((wait("w"), task("t")),)), 0, 330),
}
"""Name → flow, cancels, and how many states that makes: with fewer, something would not happen any more."""


@pytest.mark.parametrize("name", FLOWS)
def test_nothing_that_can_happen_breaks_it(name: str) -> None:
    flow, cancels, states = FLOWS[name]
    found = Search(graph(flow)).states(World(crashes=1, cancels=cancels))
    assert found >= states, found


@pytest.mark.skipif(not os.environ.get("SAGA_EXAMPLES"), reason="takes minutes; set SAGA_EXAMPLES")
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", FLOWS)
def test_two_crashes_break_nothing_either(name: str) -> None:
    Search(graph(FLOWS[name][0])).states(World(crashes=2, cancels=1))


@pytest.mark.parametrize("name", sorted(FLOWS.keys() - {"two calls at once"}))  # which send no commands
@pytest.mark.parametrize("without", ["tombstones", "dedupe"])
def test_without_a_protection_something_breaks(name: str, without: str) -> None:
    with pytest.raises(Violation, match="was carried out"):
        replace(Search(graph(FLOWS[name][0])), **{without: False}).states(World())
