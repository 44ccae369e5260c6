"""What ends the process? What was running when it died is suspected, tried alone, and parked (docs/adr/0010).

Rules
1. What was being carried out when a run was cut off is a suspect (the store counts at how many such stops) until
   it is carried out to its end, whatever that is. After one stop nothing special happens to it.
2. After two it is on trial: at the end of a recovery it is carried out while nothing else is sent to any
   participant. The innocent are acquitted by that, and whoever ends the process then was alone.
3. After three at which it was alone, it is not carried out any more: a command is parked, an event is set
   aside for its listener, a saga whose function it was is parked where it calls one. After `LAST` stops so is what
   never was alone, so that no process dies for ever.
4. Trials are over when they have taken as long as a call may hang. Then everything goes on.
5. What is parked or set aside is no suspect any more: a person's retry gives it a new chance.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from saga.coordination.envelopes import Answer, RetryEvent
from saga.coordination.evaluation import Author
from saga.coordination.guard import Busy
from saga.flow.definition import Definition, Function
from saga.log import Log
from saga.machine import stimuli as s
from saga.machine.state import Phase
from saga.machine.turn import Stuck
from saga.seams import seam
from saga.store import COORDINATOR, SuspectKey, SuspectRow

if TYPE_CHECKING:
    from saga.coordination.coordinator import Coordinator
    from saga.coordination.evaluation import Routing
    from saga.coordination.ledger import Effects

__all__ = ["SuspectAuthor", "Suspects"]

log = Log("saga.recovery")

TRIED = 2
"""Stops after which something is carried out alone."""

PARKED = 3
"""Stops at which it was alone, after which it is not carried out any more; of a saga's function, stops of any kind."""

LAST = 10
"""Stops after which it is not carried out any more, whatever else was running."""

MARGIN_S = 10.0
"""How much longer than a call may hang one trial may take: so that `on_hang="exit"` comes before its end."""


class Suspects:
    """All suspects of a store. Used from the coordinator's thread, but for `listening`."""

    def __init__(
        self, coordinator: Coordinator, rows: Iterable[SuspectRow], epoch: int, limit_s: float
    ) -> None:
        """`epoch` is that of the store, `limit_s` how long a call may hang."""
        self._coordinator = coordinator
        self._rows = {row.key: row for row in rows}
        self._epoch = epoch
        self._limit_s = limit_s
        self._places: dict[tuple[int, str], SuspectKey] = {}
        """Where commands are: saga number and path of the visit."""
        self._over: list[SuspectKey] = []
        """Not suspected any more, which is still to be written."""
        self._queue: list[SuspectRow] = []
        self._on_trial: SuspectRow | None = None
        self._begun = self._until = 0.0

    def __bool__(self) -> bool:
        """Whether there is anything to look after at all; mostly not."""
        return bool(self._rows or self._over)

    @property
    def on_trial(self) -> bool:
        """Whether something is carried out alone now. May be asked from any thread."""
        return self._on_trial is not None

    # --- who is one -------------------------------------------------------------------------------

    def locate(self, participant: str, number: int, saga_no: int, path: str) -> None:
        """The command of this number is that of this visit, and is not over."""
        key = (participant, "command", number)
        if key in self._rows:
            self._places[saga_no, path] = key

    def located(self) -> None:
        """All commands that are not over were told: the others are no suspects any more, nor are sagas that ended."""
        there = set(self._places.values())
        for key in list(self._rows):
            _, kind, no = key
            if kind == "command" and key not in there:
                self._forget(key)
            elif kind == "saga":
                instance = self._coordinator.ledger.cache.get(no)
                if instance is None or instance.state.ended is not None:
                    self._forget(key)

    def answered(self, answers: Iterable[Answer]) -> None:
        """A participant has answered these."""
        for answer in answers:
            key = self._places.get((answer.saga_no, answer.path))
            if key is not None and not answer.outcome.startswith("resolved-"):  # it was carried out
                self._acquit(key)

    def heard(self, context: str, event_nos: Iterable[int]) -> None:
        """The listener of a context is done with these events, in whichever way."""
        for no in event_nos:
            self._acquit((context, "event", no))

    def settle(self, effects: Effects) -> None:
        """Complete the batch at hand, of which these are the effects: commands that are over are no suspects."""
        for _, _, (participant, number) in effects.over:
            self._forget((participant, "command", number))
        over, self._over = self._over, []
        self._coordinator.ledger.batch.suspects += over

    def _acquit(self, key: SuspectKey) -> None:
        row = self._rows.get(key)
        if row is None:
            return
        log.info("suspect_acquitted", participant=row.participant, kind=row.kind, no=row.no, stops=row.stops)
        self._forget(key)
        if self._on_trial is not None and self._on_trial.key == key:
            self._coordinator.after_commit(self._next)

    def _let_go(self, key: SuspectKey) -> None:
        self._rows.pop(key, None)

    def _forget(self, key: SuspectKey) -> None:
        if self._rows.pop(key, None) is not None:
            self._over.append(key)

    # --- what becomes of the guilty ---------------------------------------------------------------

    def park(self) -> None:
        """Park the commands that have ended the process; in the batch at hand, before anything is sent again."""
        for (saga_no, path), key in list(self._places.items()):
            row = self._rows.get(key)
            instance = self._coordinator.ledger.cache.get(saga_no)
            if row is None or not _is_guilty(row) or instance is None:
                continue
            visit, state = instance.state.visits.get(path), instance.state
            if visit is None or visit.phase is not Phase.OPEN or path in state.answered:
                continue  # it will not be sent as it is
            log.error(
                "suspect_parked", saga_id=state.id, path=path, participant=row.participant, stops=row.stops
            )
            self._coordinator.block(instance, s.Blocked(path, "poison", _reason(row, "this command")))
            self._forget(key)

    def listening(self, context: str) -> dict[int, str]:
        """Return the events that a context's listener was busy with → why they are set aside, or "" if they are not.

        From the context's thread.
        """
        return {
            row.no: _reason(row, "the listener") if _is_guilty(row) else ""
            for row in list(self._rows.values())
            if row.kind == "event" and row.participant == context
        }

    def author(self, definition: Definition, routing: Routing, busy: Busy, no: int) -> Author:
        """Return the author's side of the saga of this number."""
        if (COORDINATOR, "saga", no) in self._rows:
            return SuspectAuthor(definition, routing, busy, no, suspects=self)
        return Author(definition, routing, busy, no)

    def before_function(self, saga_no: int) -> None:
        """A function of a suspected saga is about to be called. Raises Stuck when it is not to be."""
        key = (COORDINATOR, "saga", saga_no)
        row = self._rows.get(key)
        if row is None or row.stops < PARKED:
            return  # functions return at once: whose was there three times is guilty, whatever else was running
        if key not in self._over:
            log.error("suspect_parked", saga_no=saga_no, participant=COORDINATOR, stops=row.stops)
            self._over.append(key)
            self._coordinator.after_commit(
                lambda: self._let_go(key)
            )  # until then none of its functions is called
        raise Stuck("poison", _reason(row, "a function of this saga"))

    def after_function(self, saga_no: int) -> None:
        """It has come back."""
        self._forget((COORDINATOR, "saga", saga_no))

    # --- trials -----------------------------------------------------------------------------------

    def try_them(self) -> None:
        """Carry out one by one whatever was seen twice; then, or if there is nothing, let everything go on.

        Called between commits. The order is another one at each start: so nothing that takes long, or dies, keeps
        another one from its trial for ever.
        """
        queue = [row for row in self._rows.values() if row.stops >= TRIED and not _is_guilty(row)]
        turn = self._epoch % len(queue) if queue else 0
        self._queue = queue[turn:] + queue[:turn]
        self._begun = time.monotonic()
        self._next()

    def _next(self) -> None:
        self._on_trial = None
        while self._queue and time.monotonic() < self._begun + self._limit_s:
            row = self._queue.pop(0)
            if row.key in self._rows and self._send(row):
                self._on_trial = row
                seam("suspects.on-trial")
                self._until = time.monotonic() + self._limit_s + MARGIN_S
                log.warning(
                    "suspect_on_trial", participant=row.participant, kind=row.kind, no=row.no, stops=row.stops
                )
                return
        self._coordinator.release()

    def _send(self, row: SuspectRow) -> bool:
        """Send a suspect to its participant; False when there is nothing to be sent, or nobody to send it to."""
        coordinator = self._coordinator
        lane = coordinator.dispatcher.lanes.get(row.participant)
        if lane is None or lane.down is not None:
            return False
        if row.kind == "event":  # one that was failed on before is tried again, a new one comes with the log
            lane.port.post(RetryEvent(row.no))
            return True
        for (saga_no, path), key in self._places.items():
            instance = coordinator.ledger.cache.get(saga_no) if key == row.key else None
            if instance is not None and path in instance.pending.commands:
                return coordinator.dispatcher.send_again(instance, path, row.participant)
        return False

    def feed(self) -> tuple[str, int] | None:
        """Return the listener that may get events now, and up to which; None: nobody may."""
        row = self._on_trial
        return None if row is None or row.kind != "event" else (row.participant, row.no)

    def lost(self, participant: str) -> None:
        """A participant has lost what was with it: what is on trial there is sent again. Between commits."""
        row = self._on_trial
        if row is not None and row.participant == participant:
            self._queue.insert(0, row)
            self._next()

    def lowered(self, participant: str) -> None:
        """A participant will not do anything any more. Between commits."""
        if self._on_trial is not None and self._on_trial.participant == participant:
            self._next()

    def look(self) -> None:
        """Time has passed: let the others go on when what is on trial takes too long."""
        if self._on_trial is not None and time.monotonic() > self._until:
            self._coordinator.after_commit(self._next)


class SuspectAuthor(Author, gc=False, eq=False):
    """The author's side of a saga one of whose functions was running when the process ended."""

    suspects: Any = None
    """See `Suspects`."""

    def _run(self, function: Function, *arguments: object) -> Any:
        self.suspects.before_function(self.no)
        try:
            return super()._run(function, *arguments)
        finally:
            self.suspects.after_function(self.no)


def _is_guilty(row: SuspectRow) -> bool:
    return row.stops >= LAST or row.alone >= PARKED


def _reason(row: SuspectRow, what: str) -> str:
    alone = f", at {row.alone} of them with nothing else running" if row.alone else ""
    return (
        f"{row.participant} was carrying out {what} at {row.stops} ends of the process that were no close{alone};"
        " it is not carried out again until a person says so"
    )
