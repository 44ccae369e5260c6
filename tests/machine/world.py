"""The world around a saga and those it calls: a store, a clock, messages, authors whose functions raise now and then.

Rules
1. The world is driven by the difference of `pending` between two commits, and by nothing else of the machine.
2. A commit holds what some stimuli led to, and what callers and called sagas hear of each other. A crash before it
   loses all of that; a crash after it loses what is not on disk: messages, running calls, what gateways know. Outside
   is then rebuilt from `pending`.
3. Messages to contexts and from them come late, in any order, several times (`runs`). Those to a gateway come
   once, and in order for each command: it has no inbox to tell copies apart, a queue in memory does that.
4. After each commit replay must lead to the same state, and everything in `invariants` is checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

import msgspec
from msgspec import Raw

from reliability.model.graphs import Blocks, calls, graph, participants
from reliability.model.invariants import check_state, hold
from saga.flow.graph import Graph
from saga.machine import (
    NotPossible,
    Pending,
    Record,
    State,
    Status,
    Stimulus,
    Stuck,
    command_id,
    decide,
    decode_records,
    encode_records,
    evolve,
    pending,
    replay,
)
from saga.machine import records as r
from saga.machine import stimuli as s
from saga.machine.state import REVERSAL, Done, Item, Phase, Sent, is_call

from .participants import ID, Message, Participants, Rules

__all__ = ["Instance", "World"]

NULL = Raw(b"null")
Happening = tuple[str, Stimulus]
"""Which saga, and what happens to it."""


@dataclass(eq=False)
class Instance:
    """One saga: what is on disk of it, and what is in memory."""

    id: str
    graph: Graph
    since: int
    """How many events were there before it began."""
    rows: list[bytes] = field(default_factory=list)
    written: list[Record] = field(default_factory=list)
    """The rows, decoded."""
    times: list[int] = field(default_factory=list)
    """When they were written, each record."""
    shadow: State | None = None
    """What replaying the rows, one by one, leads to."""
    state: State | None = None
    outside: Pending = Pending()  # noqa: RUF009  it is never changed
    called: dict[str, bool] = field(default_factory=dict)
    """Calls that were carried out, and whether they were given up."""
    told: tuple[Status | None, str] = (None, "")
    """What its caller was told about last: its end, and for which visit."""

    @property
    def live(self) -> State:
        assert self.state is not None
        return self.state

    @property
    def over(self) -> bool:
        return self.state is not None and self.state.ended is not None


class World:
    """Some sagas and the world around them. `rng` decides everything; where it says 0 things go well."""

    def __init__(
        self, rng: Random, flow: tuple[Blocks, ...], rules: Rules, deadline: int | None = None
    ) -> None:
        self.rng, self.flow, self.rules = rng, flow, rules
        self.to = participants(*flow)
        self.graphs = {
            to: graph(*block.child, name=block.name, deadline=block.deadline)
            for to, block in calls(*flow).items()
        }
        self.root = Instance(ID, graph(*flow, deadline=deadline), 0)
        self.now = 1000
        self.story: list[str] = []
        """What happened, for people."""
        # on disk
        self.sagas: dict[str, Instance] = {ID: self.root}
        self.log: list[tuple[str, str]] = []
        """Events: id and type."""
        # in memory
        self.mail: list[Message] = []
        self.replies: list[Happening] = []
        self.participants = Participants(rng, rules, lambda id, stimulus: self.replies.append((id, stimulus)))
        self.delivered: set[str] = set()
        """Ids of commands that were sent since the last crash."""
        self.recovered = False
        self.down: set[str] = set()
        # of the author
        self.here = self.root
        """The saga whose functions are called."""
        self.trouble = 12
        """One in so many calls of an author's function raises; 0: none."""
        self.numbers: Counter[str] = Counter()

    def below(self, n: int) -> int:
        return self.rng.randrange(n)

    def chance(self, one_in: int) -> bool:
        return one_in > 0 and self.below(one_in) == one_in - 1

    def tell(self, *lines: str) -> None:
        self.story += lines

    @property
    def rows(self) -> list[bytes]:
        return [row for saga in self.sagas.values() for row in saga.rows]

    @property
    def written(self) -> list[Record]:
        return [record for saga in self.sagas.values() for record in saga.written]

    @property
    def over(self) -> bool:
        return all(saga.over for saga in self.sagas.values())

    def alive(self) -> list[Instance]:
        """Return the sagas that are not over."""
        return [saga for saga in self.sagas.values() if not saga.over]

    # --- the author (machine.Evaluate) ----------------------------------------------------------------

    def command(self, element: str, item: Item | None) -> Sent:
        self._call(element)
        seen = self.here.live.results if item is None else item.results
        return self._make(element, self.to[element], {"sees": seen, "item": item and item.value})

    def undo(self, function: str, done: Done) -> Sent:
        self._call(function)
        command = {"of": command_id(self.here.id, done.path), "sees": done.values, "item": done.item}
        to = self.to.get(done.element, "context-1")
        if is_call(to) and function == done.element:
            return Sent(REVERSAL, Raw(msgspec.json.encode(command)), to, 0)
        return self._make(function, "context-1" if is_call(to) else to, command)

    def key(self, element: str, item: Item | None) -> str:
        self._call(element)
        return "key"

    def wake_at(self, element: str, item: Item | None, now_ms: int) -> int:
        self._call(element)
        return now_ms + 40

    def condition(self, name: str, item: Item | None) -> bool:
        self._call(name)
        return self.chance(2)

    def answer(self, element: str, item: Item | None) -> Raw:
        self._call(element)
        return Raw(f'"{element} at {self.now}"'.encode())

    def subject(self, element: str, item: Item | None) -> Raw:
        self._call(element)
        return NULL

    def event(self, element: str, item: Item | None) -> tuple[str, str | None, Raw]:
        self._call(element)
        node = self.here.graph.nodes[element]
        return node.event, "key", Raw(b"{}")  # type: ignore[union-attr]

    def items(self, element: str, item: Item | None) -> list[Raw]:
        self._call(element)
        many = 7 if self.chance(4) else 3
        return [Raw(f'"{element} {n}"'.encode()) for n in range(self.below(many))]

    def _call(self, function: str) -> None:
        if self.chance(self.trouble):
            raise Stuck("function", f"{function} raised")

    def _make(self, function: str, to: str, command: Mapping[str, object]) -> Sent:
        number = 0
        if not is_call(to):
            self.numbers[to] += 1
            number = self.numbers[to]
        return Sent(f"{function}/1", Raw(msgspec.json.encode(command)), to, number)

    # --- commits ----------------------------------------------------------------------------------

    def commit(self, *happened: Happening) -> None:
        """Let these things happen in one commit, and carry out what follows. A crash may come around it."""
        events = len(self.log)
        rows: dict[str, list[bytes]] = {}
        for id, stimulus in happened:
            self._happen(id, stimulus, rows)
            self._hear_of_each_other(rows)
        self._find_early_events(rows)
        if self.root.rows and self.chance(25):
            del self.log[events:]
            self._crash_before_the_commit()
            return
        for id, more in rows.items():
            self.sagas[id].rows += more
        self._carry_out()
        self._check(rows)
        if len(happened) == 1:
            self._timer_is_over(*happened[0])
        if self.chance(40):
            self.crash()

    def _happen(self, id: str, stimulus: Stimulus, rows: dict[str, list[bytes]]) -> None:
        self.here = saga = self.sagas[id]
        try:
            saga.state, records = decide(
                saga.graph, saga.state, stimulus, self.now, self, partial(setattr, saga, "state")
            )
        except NotPossible as why:
            self.tell(f"  {id}: {stimulus} is not possible: {why}")
            new = [record for row in rows.get(id, ()) for record in decode_records(row)]
            hold(replay([*saga.written, *new]) == saga.state, "was not possible, and changed the saga")
            return
        if records:
            rows.setdefault(id, []).append(encode_records(records))
            self.tell(f"  {id}: {stimulus}", *(f"    {record}" for record in records))
        for record in records:
            if isinstance(record, r.EventPublished):
                self.log.append((command_id(id, record.path), record.type))

    def _find_early_events(self, rows: dict[str, list[bytes]]) -> None:
        """A saga that comes to a wait finds the events that were there before; the earliest one first."""
        while (found := next(self._early_events(), None)) is not None:
            self._happen(*found, rows)
            self._hear_of_each_other(rows)

    def _early_events(self) -> Iterator[Happening]:
        for saga in self.alive():
            waits = pending(saga.live).waits
            for event_id, type in self.log[saga.since :] if waits else ():
                for path, (event, _) in waits.items():
                    if type == event and event_id not in saga.live.used_events:
                        yield saga.id, s.EventArrived(path, event_id, Raw(f'"{event_id}"'.encode()))

    # --- callers and called ones --------------------------------------------------------------------

    def _hear_of_each_other(self, rows: dict[str, list[bytes]]) -> None:
        """Sagas are called, given up and undone, and tell how they ended, all in the commit that it follows from."""
        while (found := next(self._between_sagas(), None)) is not None:
            self._happen(*found, rows)

    def _between_sagas(self) -> Iterator[Happening]:
        for saga in list(self.sagas.values()):
            end = (saga.live.ended, saga.live.reply_to)
            if saga.live.ended is not None:
                saga.called.clear()
                if saga.told != end and saga.live.parent:
                    saga.told = end
                    yield self._its_end(saga)
                continue
            out = pending(saga.live).calls
            for path in [path for path in saga.called if path not in out]:
                del saga.called[path]
            for path, (sent, given_up) in out.items():
                if saga.called.get(path) is not given_up:
                    saga.called[path] = given_up
                    yield from self._carry_out_call(saga, path, sent, given_up)

    def _carry_out_call(self, saga: Instance, path: str, sent: Sent, given_up: bool) -> Iterator[Happening]:
        id = command_id(saga.id, path.partition("~")[0])
        child = self.sagas.get(id)
        if sent.is_reversal:
            if child is None or child.live.ended is Status.COMPENSATED:  # a person has done it in its place
                yield saga.id, s.Completed(path, NULL)
            else:
                hold(child.over, f"{path}: {id} is to be undone while it is under way")
                yield id, s.Reverse(path)
        elif child is None and given_up:
            yield saga.id, s.Resolved(path, "not-done")
        elif child is None and self.chance(self.trouble * 2):
            yield saga.id, s.Blocked(path, "no-handler", "it is not registered")
        elif child is None:
            self.sagas[id] = Instance(id, self.graphs[sent.to], len(self.log))
            yield id, s.Start(id, sent.type, NULL, ID, parent=saga.id, reply_to=path)
        elif child.over:
            yield self._its_end(child)
        elif given_up:
            yield id, s.GiveUp("its caller does not want it any more")

    def _its_end(self, child: Instance) -> Happening:
        """What the caller hears of the end of a saga."""
        state, path = child.live, child.live.reply_to
        visit = self.sagas[state.parent].live.visits.get(path)
        resolving = visit is not None and visit.phase is Phase.RESOLVING
        if state.ended is Status.COMPLETED:
            answer = state.answer or NULL
            told: Stimulus = s.Resolved(path, "done", answer) if resolving else s.Completed(path, answer)
        elif "~" in path:
            told = s.Completed(path, NULL)
        elif resolving:
            told = s.Resolved(path, "not-done")
        else:
            assert state.failure is not None
            told = s.Refused(path, state.failure.code, state.failure.reason)
        return state.parent, told

    # --- what follows from a commit -----------------------------------------------------------------

    def _carry_out(self) -> None:
        """What changed between two commits is what leaves."""
        for saga in self.sagas.values():
            before, after = saga.outside, pending(saga.live)
            saga.outside = after
            for path, (sent, attempt) in after.commands.items():
                known = before.commands.get(path)
                if known is None or known[1] != attempt:
                    fresh = attempt == 1 and not self.recovered
                    self._send(Message("command", saga.id, path, sent, fresh))
            for path, sent in after.resolves.items():
                if before.inquiries.get(path) != after.inquiries[path]:
                    never = not self.recovered and command_id(saga.id, path) not in self.delivered
                    self._send(Message("inquiry", saga.id, path, sent, fresh=never))

    def _send(self, message: Message) -> None:
        if message.sent.to in self.down:
            blocked = s.Blocked(message.path, "down", f"{message.sent.to} is down")
            self.replies.append((message.saga, blocked))
            return
        if message.kind == "command":
            self.delivered.add(message.id)
        self.mail.append(message)

    def _check(self, rows: Mapping[str, list[bytes]]) -> None:
        for id, more in rows.items():
            saga = self.sagas[id]
            for row in more:
                for record in decode_records(row):
                    saga.written.append(record)
                    saga.times.append(self.now)
                    saga.shadow = evolve(saga.shadow, record)
            hold(saga.shadow == saga.state, f"{id}: replay leads to another state")
            check_state(saga.live, saga.outside)
        self._everything_pending_is_under_way()

    def _everything_pending_is_under_way(self) -> None:
        """Each command and inquiry outside is with somebody who will answer, or its answer is on its way."""
        under_way = {(each.saga, each.path) for each in (*self.mail, *self.participants.calls)}
        under_way |= {(id, getattr(reply, "path", "")) for id, reply in self.replies}
        for saga in self.alive():
            for path in (*saga.outside.commands, *saga.outside.resolves):
                hold((saga.id, path) in under_way, f"nobody works on {path} of {saga.id}, which is pending")
            for path in saga.outside.calls:
                child = self.sagas.get(command_id(saga.id, path.partition("~")[0]))
                hold(
                    child is not None and not child.over,
                    f"{saga.id} waits for {path}, which is not under way",
                )
                hold(
                    child is None or child.live.reply_to == path,
                    f"{path} would not hear of the end of its saga",
                )

    def _timer_is_over(self, id: str, stimulus: Stimulus) -> None:
        """I11: a timer that has fired is over, or it would fire again for ever."""
        saga = self.sagas[id]
        if isinstance(stimulus, s.TimerFired) and not saga.live.suspended:
            due = saga.outside.timers.get(f"{stimulus.path}|{stimulus.timer}")
            hold(due is None or due > self.now, f"{stimulus} has fired, and is still due")

    def deliver(self, message: Message, *, well: bool = False) -> None:
        """A message arrives."""
        self.mail.remove(message)
        self.participants.receive(message, self.mail, well=well)

    # --- crashes ----------------------------------------------------------------------------------

    def crash(self) -> None:
        """Everything that is not on disk is gone; what must be outside is what the journal says."""
        self.tell("crash")
        self.participants.crash()
        self.mail.clear()
        self.replies.clear()
        self.delivered, self.down, self.recovered = set(), set(), True
        self.sagas = {id: saga for id, saga in self.sagas.items() if saga.written}
        for saga in self.sagas.values():
            if saga.state is not saga.shadow:
                saga.state = replay(saga.written)
                hold(saga.state == saga.shadow, "replaying everything is not replaying row by row")
            saga.called = {path: given_up for path, (_, given_up) in pending(saga.live).calls.items()}
            saga.told = (saga.live.ended, saga.live.reply_to)
            saga.outside = Pending()
        self._carry_out()
        for id, path, incident in self.incidents():
            if incident in ("down", "no-handler"):
                self.replies.append((id, s.Retry("it is there again", path)))

    def incidents(self) -> list[tuple[str, str, str]]:
        """Return what persons must look at: saga, path and kind."""
        return [
            (saga.id, path, incident.kind)
            for saga in self.sagas.values()
            for path, incident in saga.outside.incidents.items()
        ]

    def _crash_before_the_commit(self) -> None:
        self.tell("crash before the commit")
        if not self.rules.stored_before_sent:  # what has left already may arrive
            self._carry_out()
            for message in [message for message in self.mail if message.kind == "command"]:
                self.deliver(message, well=True)
        self.crash()

    def restart(self, participant: str) -> None:
        """A participant loses its mailbox; what was with it is sent again."""
        self.tell(f"{participant} restarts")
        self._lose(participant)
        for saga in self.sagas.values():
            for path, (sent, _) in saga.outside.commands.items():
                if sent.to == participant:
                    self._send(Message("command", saga.id, path, sent, fresh=False))
            for path, sent in saga.outside.resolves.items():
                if sent.to == participant:
                    self._send(Message("inquiry", saga.id, path, sent, fresh=False))

    def take_down(self, participant: str) -> None:
        """A participant does not come back for a while."""
        self.tell(f"{participant} is down")
        self.down.add(participant)
        self._lose(participant)
        blocked: list[Happening] = []
        for saga in self.sagas.values():
            outside = {path: sent for path, (sent, _) in saga.outside.commands.items()}
            outside |= saga.outside.resolves
            for path, sent in outside.items():
                if sent.to == participant:
                    blocked.append((saga.id, s.Blocked(path, "down", "it is")))
        if blocked:
            self.commit(*blocked)

    def bring_up(self, participant: str) -> None:
        """It is back, and what was parked for it goes on."""
        self.tell(f"{participant} is back")
        self.down.discard(participant)
        for id, path, kind in self.incidents():
            saga = self.sagas.get(id)
            visit = saga.live.visits.get(path) if saga is not None else None
            if saga is None or visit is None or visit.sent is None or saga.live.suspended:
                continue
            if kind == "down" and visit.sent.to == participant:
                self.commit((id, s.Retry("it is back", path)))

    def _lose(self, participant: str) -> None:
        """What it was doing, was to do, and has said of it."""
        self.participants.crash(participant)
        self.mail[:] = [message for message in self.mail if message.sent.to != participant]
        self.replies[:] = [reply for reply in self.replies if not self._is_from(reply, participant)]

    def _is_from(self, reply: Happening, participant: str) -> bool:
        answers = isinstance(reply[1], s.Completed | s.Refused | s.Failed | s.Resolved)
        return answers and self.sender(reply) == participant

    def sender(self, reply: Happening) -> str:
        """Return the participant that the visit of a reply is with; "" when it is over."""
        visit = self.sagas[reply[0]].live.visits.get(getattr(reply[1], "path", ""))
        return visit.sent.to if visit is not None and visit.sent is not None else ""

    # --- time and events ----------------------------------------------------------------------------

    def timers(self) -> list[tuple[int, str, str]]:
        """Return all timers: when they are due, saga and name, in due order."""
        return sorted(
            (due, saga.id, name) for saga in self.alive() for name, due in saga.outside.timers.items()
        )

    def due(self) -> list[Happening]:
        """Return the timers that are due, in due order."""
        return [(id, s.TimerFired(*name.split("|"))) for due, id, name in self.timers() if due <= self.now]

    def publish(self, type: str) -> list[Happening]:
        """Somebody publishes an event; it is offered to whoever waits for it."""
        event_id = f"event-{len(self.log) + 1}"
        self.log.append((event_id, type))
        self.tell(f"{event_id} {type} is published")
        event = Raw(f'"{event_id}"'.encode())
        return [
            (saga.id, s.EventArrived(path, event_id, event))
            for saga in self.alive()
            for path, (waited, _) in saga.outside.waits.items()
            if waited == type
        ]
