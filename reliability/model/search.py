"""Everything that can happen to a small flow: any order, any number of copies, every timer at any moment.

A breadth-first search over the states of the real machine and of a world of participants. What was sent to a context
may arrive at any time, any number of times, until a crash loses it; what was sent to a gateway arrives once. A command
may be carried out, refused, or fail; the saga may be cancelled or suspended at any moment. Once it is over, what was
done must be what its journal says, then and for ever after.

The machine depends on nothing but its state. So what a stimulus leads to is worked out once for each state of the saga
(`Sagas`), and looked up in all the worlds that the saga may be in at that moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeAlias

import msgspec

from reliability.model.author import Author, raw
from reliability.model.graphs import Blocks, calls, graph, step, walk
from reliability.model.invariants import Violation, check_journal, check_state, hold
from reliability.model.order import what_was_done_is_undone_in_reverse
from reliability.model.tokens import check_tokens
from saga.machine import (
    NotPossible,
    Pending,
    Record,
    State,
    Stimulus,
    Unfitting,
    decide,
    decode_records,
    encode_records,
    pending,
    replay,
    timer_name,
)
from saga.machine import records as r
from saga.machine import stimuli as s

__all__ = ["Found", "Search", "Violation", "World"]

NULL = raw(None)
MOST = 3_000_000
"""States after which a search is given up: more do not fit into memory."""


class Message(NamedTuple):
    """A command on its way, or an inquiry about one. Another attempt is another message."""

    kind: str
    path: str
    of: str
    """Of a compensation: the visit that it undoes."""
    gateway: bool


class World(NamedTuple):
    """Everything around the saga, as a value, and what may still come."""

    mail: frozenset[Message] = frozenset()
    replies: frozenset[tuple[str, str]] = frozenset()
    """What was said, and of which visit."""
    inbox: frozenset[tuple[str, str]] = frozenset()
    """Of contexts: visit and what is stored."""
    begun: frozenset[str] = frozenset()
    """Of gateways: visits whose call may have begun; a gateway does not know how it ended."""
    did: frozenset[str] = frozenset()
    """Visits whose command or compensation was carried out."""
    crashes: int = 1
    cancels: int = 1
    events: int = 2
    retries: int = 0
    """How often somebody may try a parked visit again."""
    suspensions: int = 0
    """How often somebody may suspend the saga."""


class Moment(NamedTuple):
    """A state of the saga, and one story that leads to it."""

    number: int
    rows: tuple[list[Record], ...]
    state: State
    """Only to be looked at."""
    out: Pending
    outside: frozenset[Message]
    """What must have been sent."""
    done: frozenset[str]
    """Visits that are completed by its journal."""
    unknown: frozenset[str]
    """Those that may be."""
    noted: frozenset[str]
    """Those of both kinds that can be undone."""
    taken: tuple[str, ...]
    """Events that came to a wait."""


Place: TypeAlias = tuple[int, World]
"""Where a search is: number of the moment, and the world around it."""


class Sagas:
    """All states that one saga can be in, each found once."""

    def __init__(self, flow: Blocks) -> None:
        self.graph = graph(flow)
        self._to = {block.name: block.to for block in calls(flow).values()}
        for block in walk(flow):
            if isinstance(block, step):
                self._to |= {block.name: block.to, **({block.undo: block.to} if block.undo else {})}
        self.moments: list[Moment] = []
        self._found: dict[tuple[bytes, tuple[str, ...]], Moment] = {}
        self._after: dict[tuple[int, bytes], Moment] = {}

    def begin(self) -> Moment:
        """Return the first moment."""
        return self._take((), None, s.Start("t", "Trip/1", NULL, "t"))

    def after(self, moment: Moment, stimulus: Stimulus) -> Moment:
        """Return what a stimulus leads to. No time goes by but up to the timers that fire."""
        key = (moment.number, msgspec.json.encode(stimulus))
        found = self._after.get(key)
        if found is None:
            state = replay(record for row in moment.rows for record in row)
            found = self._after[key] = self._take(moment.rows, state, stimulus)
        return found

    def _take(self, rows: tuple[list[Record], ...], state: State | None, stimulus: Stimulus) -> Moment:
        now = 0
        if isinstance(stimulus, s.TimerFired) and state is not None:
            now = pending(state).timers[timer_name(stimulus.path, stimulus.timer)]
        author = Author({"enough": False, "holds": True}, 50, {"things": [1, 2]}, self._to)
        try:
            state, records = decide(self.graph, state, stimulus, now, author)
        except NotPossible:
            records = []
        if records and not all(isinstance(record, r.Ignored) for record in records):
            rows = (*rows, decode_records(encode_records(records)))
            hold(replay(record for row in rows for record in row) == state, "replay leads to another state")
        assert state is not None
        return self._moment(rows, state)

    def _moment(self, rows: tuple[list[Record], ...], state: State) -> Moment:
        records = [record for row in rows for record in row]
        if state.ended:
            check_journal(records)
            what_was_done_is_undone_in_reverse(records)
            check_tokens(self.graph, rows)
        state.ignored = 0
        key = (msgspec.json.encode(state), tuple(_order(records)))
        moment = self._found.get(key)
        if moment is None:
            out = pending(state)
            check_state(state, out)
            done = {each.path: each.undo for each in records if isinstance(each, r.StepCompleted)}
            unknown = {
                each.path: each.undo for each in records if isinstance(each, r.StepFailed) and each.unknown
            }
            noted = frozenset(path for path, undo in {**done, **unknown}.items() if undo)
            moment = Moment(
                number=len(self.moments),
                rows=rows,
                state=state,
                out=out,
                outside=_outside(out),
                done=frozenset(done),
                unknown=frozenset(unknown),
                noted=noted,
                taken=tuple(each.event_id for each in records if isinstance(each, r.EventTaken)),
            )
            self._found[key] = moment
            self.moments.append(moment)
        return moment


def _order(records: list[Record]) -> Iterator[str]:
    """What must differ for two moments to differ, though the state does not show it any more."""
    for record in records:
        if isinstance(record, r.StepCompleted | r.UndoCompleted) or (
            isinstance(record, r.StepFailed) and record.unknown
        ):
            yield record.path


def _outside(out: Pending) -> frozenset[Message]:
    """What must be outside. An attempt is another message than the one before."""
    found = set()
    for path, (sent, attempt) in out.commands.items():
        of = msgspec.json.decode(sent.command).get("of", "")
        kind = "command" if attempt == 1 else f"attempt {attempt}"
        found.add(Message(kind, path, of, sent.to.startswith("gateway")))
    for path, sent in out.resolves.items():
        found.add(Message("inquiry", path, "", sent.to.startswith("gateway")))
    return frozenset(found)


@dataclass(frozen=True)
class Found:
    """What a search has found: how many states, and what is wrong with one of them, with the story that leads there."""

    states: int
    moments: int
    """States of the saga alone."""
    violation: str = ""
    story: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Search:
    """What is searched, and which protections of the world are on."""

    flow: Blocks
    tombstones: bool = True
    """An inquiry leaves a mark in the inbox, so that the command is never carried out afterwards."""
    dedupe: bool = True
    """A context answers a repeated command from its inbox."""
    unknown_is_told: bool = True
    """A gateway says when it does not know whether its call had an effect."""
    stored_before_sent: bool = True
    """Nothing leaves before it is on disk."""

    def states(self, world: World, most: int = MOST) -> Found:
        """Visit every state that can be reached, up to the first in which something does not hold."""
        return self.all(world, most)[0]

    def all(self, world: World, most: int = MOST) -> tuple[Found, Sagas]:
        """Visit them, and return the states of the saga as well."""
        came_from: dict[Place, tuple[Place | None, str]] = {}
        sagas = Sagas(self.flow)
        place: Place | None = None
        why = "start"
        try:
            waiting: deque[Place] = deque()
            first = sagas.begin()
            self._reach(sagas, first, world._replace(mail=first.outside), None, why, came_from, waiting)
            while waiting:
                if len(came_from) > most:
                    raise Violation(f"more than {most:,} states")
                place = waiting.popleft()
                moment, moved = sagas.moments[place[0]], False
                for why, go in self.moves(sagas, moment, place[1]):
                    moved = True
                    self._reach(sagas, *go(), place, why, came_from, waiting)
                why = "nothing"
                hold(moved or moment.state.ended or moment.out.waits or moment.out.incidents, "in limbo")
        except (Violation, Unfitting, AssertionError, KeyError, IndexError) as error:
            story = _story(place, why, came_from)
            return Found(len(came_from), len(sagas.moments), repr(error), story), sagas
        return Found(len(came_from), len(sagas.moments)), sagas

    def _reach(
        self,
        sagas: Sagas,
        moment: Moment,
        world: World,
        place: Place | None,
        why: str,
        came_from: dict[Place, tuple[Place | None, str]],
        waiting: deque[Place],
    ) -> None:
        there = (moment.number, world)
        if there not in came_from:
            came_from[there] = place, why
            waiting.append(there)
            if moment.state.ended:
                _check_the_end(moment, world)

    # --- what may happen ----------------------------------------------------------------------------

    def moves(
        self, sagas: Sagas, moment: Moment, world: World
    ) -> Iterator[tuple[str, Callable[[], tuple[Moment, World]]]]:
        """Yield all that may happen next: what it is, and where it leads."""
        for message in world.mail:
            for what, arrived in self._arrivals(message, world):
                yield f"{message.kind} {message.path}: {what}", partial(_with, moment, arrived)
        for why, stimulus, before in self._stimuli(moment, world):
            yield why, partial(self._happen, sagas, moment, before, stimulus)
            if not self.stored_before_sent and world.crashes:
                lost = partial(self._sent_before, sagas, moment, world, stimulus)
                yield f"{why}, and a crash before the commit", lost
        if world.crashes:
            yield "crash", partial(_with, moment, partial(_crashed, moment, world))

    def _happen(self, sagas: Sagas, moment: Moment, world: World, stimulus: Stimulus) -> tuple[Moment, World]:
        after = sagas.after(moment, stimulus)
        return after, world._replace(mail=world.mail | (after.outside - moment.outside))

    def _sent_before(
        self, sagas: Sagas, moment: Moment, world: World, stimulus: Stimulus
    ) -> tuple[Moment, World]:
        """What the stimulus leads to has left, and is not on disk. It arrives after the crash."""
        after = sagas.after(moment, stimulus)
        lost = _crashed(moment, world)
        return moment, lost._replace(mail=lost.mail | (after.outside - moment.outside))

    def _stimuli(self, moment: Moment, world: World) -> Iterator[tuple[str, Stimulus, World]]:
        """What the saga may be told next, and the world from which it is."""
        state = moment.state
        for told in world.replies:
            stimulus = _STIMULI[told[0]](told[1])
            if state.suspended and (told[1] not in state.visits or told[1] in state.answered):
                continue  # held any number of times, it would make any number of states
            once = told[1] in world.begun  # a gateway says a thing once
            before = world._replace(replies=world.replies - {told}) if once else world
            yield f"{told[1]} is said to be {told[0]}", stimulus, before
        yield from self._others(moment, world)
        for name in moment.out.timers:
            yield f"timer {name}", s.TimerFired(*name.split("|")), world
        if state.ended:
            return
        if world.cancels:
            yield "cancel", s.Cancel("enough"), world._replace(cancels=world.cancels - 1)
        if state.suspended:
            yield "resume", s.Resume("go on"), world
            return
        if world.suspensions:
            yield "suspend", s.Suspend("wait"), world._replace(suspensions=world.suspensions - 1)
        for path in moment.out.incidents if world.retries else ():
            yield f"retry {path}", s.Retry("again", path), world._replace(retries=world.retries - 1)

    def _others(self, moment: Moment, world: World) -> Iterator[tuple[str, Stimulus, World]]:
        """Events come, persons decide, and sagas that were called come to their end, each in the very commit."""
        out = moment.out
        for path in out.waits:
            if world.events:
                less = world._replace(events=world.events - 1)
                yield f"event for {path}", s.EventArrived(path, f"event-{world.events}", NULL), less
            for event_id in moment.taken:
                yield f"{event_id} again, for {path}", s.EventArrived(path, event_id, NULL), world
        for path in out.tasks:
            yield f"{path} is decided", s.Decide(NULL, "", path), world
        for path, (_, given_up) in out.calls.items():
            done = _carried_out(world, path)
            if given_up:
                yield f"{path} was done", s.Resolved(path, "done", NULL), done
                yield f"{path} gives up", s.Resolved(path, "not-done"), world
            else:
                yield f"{path} is done", s.Completed(path, NULL), done
                if "~" not in path:
                    yield f"{path} refuses", s.Refused(path, "no", "no"), world

    def _arrivals(self, message: Message, world: World) -> Iterator[tuple[str, Callable[[], World]]]:
        """What may come of a message that arrives."""
        if message.gateway:
            yield from self._at_gateway(message, world._replace(mail=world.mail - {message}))
            return
        path, stored = message.path, dict(world.inbox).get(message.path)
        if message.kind == "inquiry":
            told = world._replace(replies=world.replies | {(f"inquired {stored or 'void'}", path)})
            if stored is None and self.tombstones:
                told = told._replace(inbox=world.inbox | {(path, "void")})
            yield f"{stored or 'void'}", lambda: told
        elif stored is not None and (self.dedupe or stored == "void"):
            yield f"{stored}, as before", lambda: world._replace(replies=world.replies | {(stored, path)})
        else:
            yield (
                "done",
                lambda: _carried_out(world, path)._replace(
                    inbox=world.inbox | {(path, "done")}, replies=world.replies | {("done", path)}
                ),
            )
            if not message.of:
                yield (
                    "refused",
                    lambda: world._replace(
                        inbox=world.inbox | {(path, "refused")}, replies=world.replies | {("refused", path)}
                    ),
                )
                yield "failed", lambda: world._replace(replies=world.replies | {("failed", path)})

    def _at_gateway(self, message: Message, world: World) -> Iterator[tuple[str, Callable[[], World]]]:
        """It has no inbox: it calls a service, which does nothing twice for a key, and may not hear how that ended."""
        path = message.path
        if message.kind == "inquiry":
            queued = {other for other in world.mail if other.path == path}
            never = queued and path not in world.begun
            outcome = "void" if never or not self.unknown_is_told else "unknown"
            dropped = world._replace(
                mail=world.mail - queued, replies=world.replies | {(f"inquired {outcome}", path)}
            )
            yield outcome, lambda: dropped
            return
        begun = world._replace(begun=world.begun | {path})
        unknown = "failed, unknown" if self.unknown_is_told else "failed"

        def ends(told: str, effect: bool) -> World:
            after = _carried_out(begun, path, by_key=True) if effect else begun
            return after._replace(replies=begun.replies | {(told, path)})

        yield "done", lambda: ends("done", True)
        if path not in world.did:
            yield "failed before the effect", lambda: ends(unknown, False)
            if not message.of:
                yield "refused", lambda: ends("refused", False)
        yield "failed after the effect", lambda: ends(unknown, True)


def _with(moment: Moment, world: Callable[[], World]) -> tuple[Moment, World]:
    return moment, world()


def _crashed(moment: Moment, world: World) -> World:
    """All that is not on disk is lost; what must be outside is sent again."""
    calls = {message.path for message in moment.outside if message.gateway}
    return world._replace(
        mail=moment.outside, replies=frozenset(), begun=world.begun | calls, crashes=world.crashes - 1
    )


def _carried_out(world: World, path: str, *, by_key: bool = False) -> World:
    """`by_key`: by a service that does nothing twice for the same key, which is that of the visit in any case."""
    base = path.partition("~")[0]
    undone = {other for other in world.did if other.startswith(f"{base}~")}
    if by_key and (path in world.did if path == base else undone):
        return world
    hold(path not in world.did, f"{path} was carried out twice")
    if path == base:
        hold(not undone, f"{path} was carried out after it was undone")
    else:
        hold(not undone, f"{base} was undone twice")
    return world._replace(did=world.did | {path})


def _check_the_end(moment: Moment, world: World) -> None:
    did = {path for path in world.did if "~" not in path}
    undone = {path.partition("~")[0] for path in world.did if "~" in path}
    strangers = did - moment.done - moment.unknown
    hold(not strangers, f"{strangers} was carried out, the journal does not know")
    hold(moment.done <= did, f"{moment.done - did} is completed, and was never carried out")
    hold(undone <= did | moment.unknown, f"{undone - did} was undone, and never done")
    if moment.state.status == "COMPENSATED":
        left = (did & moment.noted) - undone
        hold(not left, f"{left} was carried out, and is not undone")


_STIMULI: dict[str, Callable[[str], Stimulus]] = {
    "done": lambda path: s.Completed(path, NULL),
    "refused": lambda path: s.Refused(path, "no", "no"),
    "void": lambda path: s.Refused(path, "void", "no"),
    "failed": lambda path: s.Failed(path, "broke"),
    "failed, unknown": lambda path: s.Failed(path, "broke", unknown=True),
    "inquired done": lambda path: s.Resolved(path, "done", NULL),
    "inquired refused": lambda path: s.Resolved(path, "refused"),
    "inquired void": lambda path: s.Resolved(path, "not-done"),
    "inquired unknown": lambda path: s.Resolved(path, "unknown"),
}


def _story(place: Place | None, why: str, came_from: dict[Place, tuple[Place | None, str]]) -> list[str]:
    """What has happened, from the start to the moment in which something did not hold."""
    story = [why]
    while place is not None:
        place, before = came_from[place]
        story.append(before)
    return story[::-1]
