"""Commands on their way to participants: who gets what, when, and under which number.

Rules
1. Nothing is sent before it is journaled. What was sent and not answered is sent again when its participant restarts.
2. Credit: at most max(64, 2 * concurrency) commands are with a participant; the others wait here as two numbers
   each, their content in the journal. Compensations and inquiries need no credit. A gateway that has answered all it
   has before it gets more is given up to 256: there are fewer commits then, and nobody waits behind them for long.
3. Commands to one participant are numbered without gaps in time: the lowest number still open travels along, and
   everything below it is over for ever.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from saga.coordination.envelopes import UNSET, Answer, Deliver, Inquire, Port
from saga.coordination.instances import Instance
from saga.machine.pending import command_id
from saga.machine.state import Sent, Visit
from saga.messages import Command, type_name
from saga.seams import seam

__all__ = ["CREDIT", "QUICK_CREDIT", "Dispatcher", "Lane"]

CREDIT = 64
"""Commands that may be with one participant at the same time, at least. Enough to fill a batch."""

QUICK_CREDIT = 256
"""As many for a gateway that is quick. A context takes them all into one transaction, and the others wait for that."""


@dataclass(slots=True)
class Lane:
    """The way to one participant."""

    name: str
    kind: str
    """`context` or `gateway`."""
    port: Port
    credit: int = CREDIT
    """Commands that may be with it now."""
    most: int = CREDIT
    """As many at the same time if it is quick."""
    next_number: int = 1
    types: frozenset[str] = frozenset()
    """The commands it handles, by the names of their types."""
    first_number: int = 0
    """The lowest number of this life of the process: commands below it may have been given before it began."""
    given: set[tuple[int, str]] = field(default_factory=set)
    """Commands (saga number, path) that the participant was given in this life, and that are not over."""
    outside: set[tuple[int, str]] = field(default_factory=set)
    """Commands (saga number, path) that are with the participant and need credit."""
    waiting: deque[tuple[int, str]] = field(default_factory=deque)
    """Commands that wait for credit."""
    numbers: list[int] = field(default_factory=list)
    """A heap of the numbers that were open at some time; see `over`."""
    over: set[int] = field(default_factory=set)
    """Numbers in the heap that are over."""
    out: list[object] = field(default_factory=list)
    """Messages to be posted when the batch is done."""
    down: str | None = None
    """Why the participant does not work, if it does not."""
    least: int = field(init=False)
    """The credit that it has in any case."""

    def __post_init__(self) -> None:
        self.least = self.credit

    def adapt(self) -> None:
        """Commands wait for it: let it have more when it has nothing left, and less when half of it is left."""
        if not self.outside:
            self.credit = min(2 * self.credit, self.most)
        elif len(self.outside) > self.credit // 2:
            self.credit = max(self.credit // 2, self.least)

    @property
    def floor(self) -> int:
        """The lowest number that is still open."""
        while self.numbers and self.numbers[0] in self.over:
            self.over.discard(heapq.heappop(self.numbers))
        return self.numbers[0] if self.numbers else self.next_number


class Dispatcher:
    """The ways to all participants. It is the coordinator's routing table, too."""

    def __init__(
        self, find: Callable[[int], Instance | None], prepare: Callable[[list[int]], None] = lambda nos: None
    ) -> None:
        """`find` returns the saga of this number, from memory or by replay; `prepare` is told which ones it will be
        asked for."""
        self.lanes: dict[str, Lane] = {}
        self.commit_no = 0
        """The number of a commit of saga.db that is on disk; whoever commits sets it."""
        self._routes: dict[type, str] = {}
        self._sagas: set[str] = set()
        self._find = find
        self._prepare = prepare

    def add(self, lane: Lane, commands: Iterable[type[Command[object]]]) -> None:
        """Add a participant and the commands it handles."""
        lane.first_number = lane.next_number
        self.lanes[lane.name] = lane
        for command in commands:
            self._routes[command] = lane.name
            lane.types |= {type_name(command)}

    def add_saga(self, destination: str, command: type | None) -> None:
        """Add a saga that may be called, and the command that it answers, if it answers one."""
        self._sagas.add(destination)
        if command is not None:
            self._routes[command] = destination

    def route(self, command: type) -> str | None:
        """See `evaluation.Routing`. A participant that is down still gets what it will do when it is back."""
        return self._routes.get(command)

    def next_number(self, participant: str) -> int:
        """See `evaluation.Routing`."""
        lane = self.lanes[participant]
        number = lane.next_number
        lane.next_number = number + 1
        lane.numbers.append(number)  # still a heap: none in it is higher
        return number

    def open_number(self, lane: Lane, number: int) -> None:
        """This number is open (again, after a restart)."""
        heapq.heappush(lane.numbers, number)
        lane.next_number = max(lane.next_number, number + 1)

    def close(self, commands: Iterable[tuple[Instance, str, tuple[str, int]]]) -> None:
        """These commands (saga, path, participant and number) are over: nothing will ever be asked about them again."""
        for instance, path, (participant, number) in commands:
            lane = self.lanes.get(participant)
            if lane is None:
                continue
            key = (instance.no, path)
            lane.outside.discard(key)
            lane.given.discard(key)
            numbers = lane.numbers
            if numbers and numbers[0] == number:  # mostly the oldest is answered first
                heapq.heappop(numbers)
            else:
                lane.over.add(number)

    def missing(self, visit: Visit) -> tuple[str, str] | None:
        """Return why the command of a visit, or the inquiry about it, cannot be delivered: kind of incident and
        reason; None when it can."""
        sent = visit.sent
        assert sent is not None
        if sent.is_call:
            what = f"{sent.to} is not known to this runtime; add its class to Runtime(sagas=[...])"
            return None if sent.to in self._sagas else ("no-handler", what)
        lane = self.lanes.get(sent.to)
        if lane is None:
            return "no-handler", f"no participant {sent.to!r}, which handles {sent.type}"
        if lane.down is not None:
            return "down", lane.down
        if not visit.inquired and sent.type not in lane.types:
            return "no-handler", f"no handler for {sent.type} in {sent.to!r}, which it was sent to"
        return None

    def send(self, instance: Instance, path: str, participant: str) -> bool:
        """Send the open command of a visit, or let it wait for credit; False when its participant is not there."""
        lane = self.lanes.get(participant)
        visit = instance.state.visits[path]
        if lane is None or lane.down is not None or visit.sent.type not in lane.types:  # type: ignore[union-attr]
            return False
        if visit.undoes is None:
            key = (instance.no, path)
            if len(lane.outside) >= lane.credit:
                lane.waiting.append(key)
                return True
            lane.outside.add(key)
        self._post(lane, instance, visit)
        return True

    def answered(self, participant: str, answers: Iterable[Answer]) -> None:
        """The participant has answered these: it may get others."""
        outside = self.lanes[participant].outside
        for answer in answers:
            outside.discard((answer.saga_no, answer.path))

    def inquire(self, instance: Instance, path: str, participant: str) -> bool:
        """Ask what became of the command of a visit; False when its participant is not there."""
        lane = self.lanes.get(participant)
        if lane is None or lane.down is not None:
            return False
        visit = instance.state.visits[path]
        sent = visit.sent
        assert sent is not None
        key = (instance.no, path)
        repeated = visit.attempt > 1 or sent.number < lane.first_number
        delivered = repeated or key in lane.given
        lane.outside.discard(key)
        lane.out.append(
            Inquire(
                command_id(instance.state.id, path),
                instance.no,
                path,
                sent.number,
                delivered,
                repeated,
                lane.floor,
            )
        )
        return True

    def flush(self) -> None:
        """Post what this batch led to, and give out the credit that has become free."""
        for lane in self.lanes.values():
            if lane.waiting:
                lane.adapt()
            if lane.waiting and len(lane.outside) < lane.credit and lane.down is None:
                free = lane.credit - len(lane.outside)
                self._prepare([saga_no for saga_no, _ in islice(lane.waiting, free)])
            while lane.waiting and len(lane.outside) < lane.credit and lane.down is None:
                saga_no, path = lane.waiting.popleft()
                instance = self._find(saga_no)
                if (
                    instance is None
                    or path not in instance.pending.commands
                    or (saga_no, path) in lane.outside
                ):
                    continue  # it is over, inquired, or was sent meanwhile
                lane.outside.add((saga_no, path))
                self._post(lane, instance, instance.state.visits[path])
            if lane.out:
                out, lane.out = lane.out, []
                lane.port.post_many(out)
                seam("dispatch.lane-posted")

    def may_be_outside(self, instance: Instance, path: str, participant: str) -> bool:
        """Return whether the command may have been given to the participant: only one that waits for credit has not."""
        lane = self.lanes[participant]
        sent = instance.state.visits[path].sent
        return (instance.no, path) in lane.given or (sent is not None and sent.number < lane.first_number)

    def send_again(self, instance: Instance, path: str, participant: str) -> bool:
        """The participant may have lost the command: send it again; False when it is not there."""
        lane = self.lanes.get(participant)
        if lane is not None:
            lane.outside.discard((instance.no, path))
        return self.send(instance, path, participant)

    def line_up(self, saga_no: int, forward: Mapping[str, Sent]) -> bool:
        """Let these open commands of a saga wait for credit, if all of them must; else do nothing, and return False.

        The saga need not be in memory for that: it is looked at when there is credit.
        """
        lanes = [self.lanes.get(sent.to) for sent in forward.values()]
        keys = [(saga_no, path) for path in forward]
        for lane, key, sent in zip(lanes, keys, forward.values(), strict=True):
            if lane is None or lane.down is not None or sent.type not in lane.types:
                return False
            if len(lane.outside) < lane.credit or key in lane.outside:
                return False
        for lane, key in zip(lanes, keys, strict=True):
            assert lane is not None
            lane.waiting.append(key)
        return True

    def _post(self, lane: Lane, instance: Instance, visit: Visit) -> None:
        state, sent, path = instance.state, visit.sent, visit.path
        assert sent is not None
        lane.given.add((instance.no, path))
        lane.out.append(
            Deliver(
                command_id(state.id, path),
                instance.no,
                path,
                sent.type,
                sent.command,
                instance.author.take_twin(sent, UNSET),
                sent.number,
                lane.floor,
                visit.attempt,
                state.correlation,
                state.id,
                self.commit_no,
            )
        )
