"""The world around one saga: a store, a clock, messages, and an author whose functions raise now and then.

Rules
1. The world is driven by the difference of `pending` between two commits, and by nothing else of the machine.
2. A commit holds what some stimuli led to. A crash before it loses all of that; a crash after it loses what
   is not on disk: messages, running calls, what gateways know. Outside is then rebuilt from `pending`.
3. Messages to contexts and from them come late, in any order, several times (`runs`). Those to a gateway come
   once, and in order for each command: it has no inbox to tell copies apart, a queue in memory does that.
4. After each commit replay must lead to the same state, and everything in `invariants` is checked.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from msgspec import Raw

from saga.machine import (
    NotPossible,
    Pending,
    Record,
    State,
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
from saga.machine import stimuli as s
from saga.machine.state import Done, Item, Sent

from .graphs import Blocks, graph, participants
from .invariants import check_state, hold
from .participants import ID, Message, Participants, Rules

__all__ = ["World"]


class World:
    """One saga and the world around it. `rng` decides everything; where it says 0 things go well."""

    def __init__(self, rng: Random, flow: tuple[Blocks, ...], rules: Rules) -> None:
        self.rng, self.flow, self.rules = rng, flow, rules
        self.graph = graph(*flow)
        self.to = participants(*flow)
        self.now = 1000
        self.story: list[str] = []
        """What happened, for people."""
        # on disk
        self.rows: list[bytes] = []
        self.written: list[Record] = []
        """The rows, decoded."""
        self.shadow: State | None = None
        """What replaying the rows, one by one, leads to."""
        self.log: list[tuple[str, str]] = []
        """Events: id and type."""
        # in memory
        self.state: State | None = None
        self.outside = Pending()
        self.mail: list[Message] = []
        self.replies: list[Stimulus] = []
        self.participants = Participants(rng, rules, self.replies.append)
        self.delivered: set[str] = set()
        """Ids of commands that were sent since the last crash."""
        self.recovered = False
        self.down: set[str] = set()
        # of the author
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
    def live(self) -> State:
        assert self.state is not None
        return self.state

    @property
    def over(self) -> bool:
        return self.state is not None and self.state.ended is not None

    # --- the author (machine.Evaluate) ----------------------------------------------------------------

    def command(self, element: str, item: Item | None) -> Sent:
        self._call(element)
        return self._make(element, self.to[element], "")

    def undo(self, function: str, done: Done) -> Sent:
        self._call(function)
        return self._make(function, self.to.get(done.element, "context-1"), command_id(ID, done.path))

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
        return Raw(f'"{element}"'.encode())

    def subject(self, element: str, item: Item | None) -> Raw:
        self._call(element)
        return Raw(b"null")

    def event(self, element: str, item: Item | None) -> tuple[str, str | None, Raw]:
        self._call(element)
        return f"{element}/1", "key", Raw(b"{}")

    def items(self, element: str, item: Item | None) -> list[Raw]:
        self._call(element)
        return [Raw(str(n).encode()) for n in range(self.below(4))]

    def _call(self, function: str) -> None:
        if self.chance(self.trouble):
            raise Stuck("function", f"{function} raised")

    def _make(self, function: str, to: str, of: str) -> Sent:
        self.numbers[to] += 1
        return Sent(f"{function}/1", Raw(f'"{of}"'.encode()), to, self.numbers[to])

    # --- commits ----------------------------------------------------------------------------------

    def commit(self, *stimuli: Stimulus) -> None:
        """Let these things happen in one commit, and carry out what follows. A crash may come around it."""
        rows: list[bytes] = []
        for stimulus in stimuli:
            self._happen(stimulus, rows)
        self._find_early_events(rows)
        if self.rows and self.chance(25):
            self._crash_before_the_commit()
            return
        self.rows += rows
        self._carry_out()
        self._check(rows)
        if len(stimuli) == 1:
            self._timer_is_over(stimuli[0])
        if self.chance(40):
            self.crash()

    def _happen(self, stimulus: Stimulus, rows: list[bytes]) -> None:
        try:
            self.state, records = decide(self.graph, self.state, stimulus, self.now, self)
        except NotPossible as why:
            self.tell(f"  {stimulus} is not possible: {why}")
            new = [record for row in rows for record in decode_records(row)]
            hold(replay([*self.written, *new]) == self.state, "was not possible, and changed the saga")
            return
        if records:
            rows.append(encode_records(records))
            self.tell(f"  {stimulus}", *(f"    {record}" for record in records))

    def _find_early_events(self, rows: list[bytes]) -> None:
        """A saga that comes to a wait finds the events that were there before."""
        for path, (event, _) in list(pending(self.live).waits.items()):
            for event_id, type in self.log:
                if type == event and event_id not in self.live.used_events and path in self.live.visits:
                    self._happen(s.EventArrived(path, event_id, Raw(b"{}")), rows)

    def _carry_out(self) -> None:
        """What changed between two commits is what leaves."""
        before, after = self.outside, pending(self.live)
        self.outside = after
        for path, (sent, attempt) in after.commands.items():
            known = before.commands.get(path)
            if known is None or known[1] != attempt:
                self._send(Message("command", path, sent, fresh=attempt == 1 and not self.recovered))
        for path, sent in after.resolves.items():
            if before.inquiries.get(path) != after.inquiries[path]:
                never = not self.recovered and command_id(ID, path) not in self.delivered
                self._send(Message("inquiry", path, sent, fresh=never))

    def _send(self, message: Message) -> None:
        if message.sent.to in self.down:
            self.replies.append(s.Blocked(message.path, "down", f"{message.sent.to} is down"))
            return
        if message.kind == "command":
            self.delivered.add(message.id)
        self.mail.append(message)

    def _check(self, rows: list[bytes]) -> None:
        for row in rows:
            for record in decode_records(row):
                self.written.append(record)
                self.shadow = evolve(self.shadow, record)
        hold(self.shadow == self.state, "replay leads to another state")
        check_state(self.live, self.outside)
        self._everything_pending_is_under_way()

    def _everything_pending_is_under_way(self) -> None:
        """Each command and inquiry outside is with somebody who will answer, or its answer is on its way."""
        under_way = {message.path for message in (*self.mail, *self.participants.calls)}
        under_way |= {getattr(reply, "path", "") for reply in self.replies}
        for path in (*self.outside.commands, *self.outside.resolves):
            hold(path in under_way, f"nobody works on {path}, which is pending")

    def _timer_is_over(self, stimulus: Stimulus) -> None:
        """I11: a timer that has fired is over, or it would fire again for ever."""
        if isinstance(stimulus, s.TimerFired) and not self.live.suspended:
            due = self.outside.timers.get(f"{stimulus.path}|{stimulus.timer}")
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
        self.state = replay(self.written)
        hold(self.state == self.shadow, "replaying everything is not replaying row by row")
        self.outside = Pending()
        self._carry_out()
        for path, incident in self.outside.incidents.items():
            if incident.kind in ("down", "no-handler"):
                self.replies.append(s.Retry("it is there again", path))

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
        for path, (sent, _) in self.outside.commands.items():
            if sent.to == participant:
                self._send(Message("command", path, sent, fresh=False))
        for path, sent in self.outside.resolves.items():
            if sent.to == participant:
                self._send(Message("inquiry", path, sent, fresh=False))

    def take_down(self, participant: str) -> None:
        """A participant does not come back for a while."""
        self.tell(f"{participant} is down")
        self.down.add(participant)
        self._lose(participant)
        outside = {path: sent for path, (sent, _) in self.outside.commands.items()} | dict(
            self.outside.resolves
        )
        blocked = [
            s.Blocked(path, "down", "it is") for path, sent in outside.items() if sent.to == participant
        ]
        if blocked:
            self.commit(*blocked)

    def bring_up(self, participant: str) -> None:
        """It is back, and what was parked for it goes on."""
        self.tell(f"{participant} is back")
        self.down.discard(participant)
        if self.live.suspended:
            return
        for path, incident in list(self.outside.incidents.items()):
            sent = self.live.visits[path].sent
            if incident.kind == "down" and sent is not None and sent.to == participant:
                self.commit(s.Retry("it is back", path))

    def _lose(self, participant: str) -> None:
        """What it was doing, was to do, and has said of it."""
        self.participants.crash(participant)
        self.mail[:] = [message for message in self.mail if message.sent.to != participant]
        self.replies[:] = [reply for reply in self.replies if not self._is_from(reply, participant)]

    def _is_from(self, reply: Stimulus, participant: str) -> bool:
        answers = isinstance(reply, s.Completed | s.Refused | s.Failed | s.Resolved)
        return answers and self.sender(reply) == participant

    def sender(self, reply: Stimulus) -> str:
        """Return the participant that the visit of a reply is with; "" when it is over."""
        visit = self.live.visits.get(getattr(reply, "path", ""))
        return visit.sent.to if visit is not None and visit.sent is not None else ""

    # --- time and events ----------------------------------------------------------------------------

    def due(self) -> list[Stimulus]:
        """Return the timers that are due, in due order."""
        due = sorted((due, name) for name, due in self.outside.timers.items() if due <= self.now)
        return [s.TimerFired(*name.split("|")) for _, name in due]

    def publish(self, type: str) -> list[Stimulus]:
        """Somebody publishes an event; it is offered to whoever waits for it."""
        event_id = f"event-{len(self.log) + 1}"
        self.log.append((event_id, type))
        self.tell(f"{event_id} {type} is published")
        waiting = [path for path, (event, _) in self.outside.waits.items() if event == type]
        return [s.EventArrived(path, event_id, Raw(b"{}")) for path in waiting]
