"""What waits to be started, and when there is room for it (docs/adr/0008).

A start that cannot be stored as it stands (another saga has its id) is refused as a whole: all of a request, or none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from saga.coordination import requests as q
from saga.coordination.announcing import Announcer
from saga.coordination.definitions import Definitions
from saga.coordination.guard import describe
from saga.coordination.ledger import Ledger, input_digest
from saga.errors import SagaConflict, StoreFailed
from saga.log import Log
from saga.store import SagaRow, SagaStore

__all__ = ["Intake"]

log = Log("saga.coordinator")

PLENTY = 512
"""Active sagas that keep every participant busy."""

SWEEP_FROM = 256
"""Requests that wait before those are looked for that were withdrawn."""

PATIENCE = 64
"""Batches that a start waits for room at most while answers are taken: some tenths of a second."""


class Intake:
    """Requests in the order they came. `max_active`: sagas with commands outside, at most."""

    def __init__(
        self,
        store: SagaStore,
        definitions: Definitions,
        ledger: Ledger,
        announcer: Announcer,
        max_active: int,
    ) -> None:
        self._store, self._definitions, self._ledger = store, definitions, ledger
        self._announcer = announcer
        self._max_active = max_active
        self._waiting: deque[q.StartSagas] = deque()
        self._most = SWEEP_FROM
        self._batches_since_start = 0

    def add(self, request: q.StartSagas) -> None:
        """Let a request wait for room.

        Those that were withdrawn are swept out now and then: as long as there is no room nobody else would, and who
        is refused asks again.
        """
        self._waiting.append(request)
        if len(self._waiting) > self._most:
            self._waiting = deque(each for each in self._waiting if each.is_open)
            self._most = max(SWEEP_FROM, 2 * len(self._waiting))

    def has_room(self, active: int) -> bool:
        """Return whether something waits that could be started now."""
        return bool(self._waiting) and active < self._max_active

    def admit(self, active: Callable[[], int], *, answers: bool) -> list[Callable[[], None]]:
        """Start what waits, as long as there is room; return what is to be done once that is on disk.

        When sagas are active in plenty and answers keep coming, those come first: what is begun is finished before
        more is begun, which costs nobody anything and keeps memory small; but nobody waits for long.
        """
        replies: list[Callable[[], None]] = []
        while self.has_room(active()):
            if answers and active() >= PLENTY and self._batches_since_start < PATIENCE:
                self._batches_since_start += 1
                break
            self._batches_since_start = 0
            request = self._waiting.popleft()
            if request.claim():
                reply = self._begin(request)
                if reply is not None:
                    replies.append(reply)
        return replies

    def _begin(self, request: q.StartSagas) -> Callable[[], None] | None:
        there = self._store.find_many([start.id for start in request.starts])
        try:
            fresh = self._check(request.starts, there)
        except SagaConflict as error:
            request.reply.set_exception(error)
            return None
        begun = self._start_all(request, fresh)
        if begun is None:
            return None
        completions = [self._announcer.completions.of(start.id) for start in request.starts]
        for completion in completions:
            completion.followed = True
            if completion.saga_id not in there:
                completion.unpark()  # one of this id may have been given up before it was stored
        known = [completion for completion in completions if completion.saga_id in there]

        def reply() -> None:
            given_up = self._ledger.given_up
            if given_up and not given_up.isdisjoint(begun):
                request.reply.set_exception(StoreFailed("the machine", "a start was given up, see the log"))
                return
            for completion in known:
                self._announcer.look_up(completion)
            request.reply.set_result(completions)

        return reply

    def _start_all(self, request: q.StartSagas, fresh: list[q.Start]) -> list[int] | None:
        """Start these, all or none; return their numbers, None when the machine failed, which is a bug of ours."""
        begun = []
        try:
            for start in fresh:
                begun.append(self._ledger.start(start).no)
        except Exception as error:
            log.error("start_failed", reason=describe(error))
            for start in fresh:
                self._ledger.discard_start(start.id)
            request.reply.set_exception(
                StoreFailed("the machine", f"a start failed: {describe(error, trace=False)}")
            )
            return None
        return begun

    def _check(self, starts: list[q.Start], there: dict[str, SagaRow]) -> list[q.Start]:
        """Return those that are to be started. Raises SagaConflict when an id belongs to something else."""
        fresh: dict[str, q.Start] = {}
        for start in starts:
            row = there.get(start.id)
            here = self._ledger.started_here(start.id)
            if row is not None:
                recorded = (self._definitions.known(row.definition_no).graph.name, row.input_digest)
            elif here is not None:
                recorded = _identity(here[1])
            elif start.id in fresh:
                recorded = _identity(fresh[start.id])
            else:
                fresh[start.id] = start
                continue
            _compare(start, recorded)
        return list(fresh.values())


def _identity(start: q.Start) -> tuple[str, bytes]:
    return start.definition.graph.name, input_digest(bytes(start.input))


def _compare(start: q.Start, recorded: tuple[str, bytes]) -> None:
    """Raise SagaConflict unless the saga that has this id is the same."""
    given = _identity(start)
    if recorded != given:
        same = recorded[0] == given[0]
        raise SagaConflict(
            start.id,
            f"{recorded[0]} with {'another' if same else 'its'} input",
            f"{given[0]} with {'this' if same else 'its'} input",
        )
