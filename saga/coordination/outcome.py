"""How a saga ended, and the meeting point of the thread that knows it and those who wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from weakref import ref

import msgspec

from saga.errors import SagaParked
from saga.machine import Status

__all__ = ["Completion", "Completions", "Outcome", "Refusal"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a saga was undone: `code` for programs (`cancelled`, `timeout`, `failed`, or the author's own),
    `reason` for people.
    """

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a saga ended. A refusal is not an exception: look at `status`.

    - `id`: of the saga;
    - `status`: `COMPLETED` or `COMPENSATED`;
    - `answer`: the value of the last `@answer` reached when it completed, else None;
    - `refusal`: why it was undone, None when it completed.
    """

    id: str
    status: Status
    answer: Any = None
    refusal: Refusal | None = None

    @property
    def completed(self) -> bool:
        """Whether everything was done (and not undone)."""
        return self.status is Status.COMPLETED


Result = Outcome | BaseException
Waiter = Callable[[Result], None]

SWEEP_FROM = 1_000
"""References that are kept before those are looked for whose completion is gone."""

_lock = threading.Lock()  # one for all: it is held for a few instructions only


class Completion(msgspec.Struct, weakref=True, eq=False):
    """Where one saga's end is announced. Set by the coordinator's thread, waited for by any number of others."""

    saga_id: str
    outcome: Result | None = None
    parked: SagaParked | None = None
    followed: bool = False
    """Whether the coordinator has announced what it knew, and will announce what comes."""
    _waiters: list[Waiter] = []

    def add(self, waiter: Waiter) -> Result | None:
        """Return what is known; when nothing is, call `waiter` with it later, once, from another thread."""
        with _lock:
            result = self.outcome or self.parked
            if result is None:
                self._waiters.append(waiter)
            return result

    def remove(self, waiter: Waiter) -> None:
        """Forget a waiter that has given up."""
        with _lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def end(self, result: Result) -> None:
        """Announce the end (or the error that ended the runtime); the first one counts."""
        with _lock:
            if self.outcome is not None:
                return
            self.outcome = result
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter(result)

    def park(self, error: SagaParked) -> None:
        """Announce that a person is needed; the saga may go on later."""
        with _lock:
            if self.outcome is not None:
                return
            self.parked = error
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter(error)

    def miss(self, error: BaseException) -> None:
        """Tell those who wait now, and nobody later: there may be such a saga one day."""
        with _lock:
            self.followed = False
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter(error)

    def unpark(self) -> None:
        """The saga goes on."""
        self.parked = None


class Completions:
    """The completions somebody holds on to, by saga id; the others are not kept.

    References to those that are gone are swept out now and then. A WeakValueDictionary would drop each at once, in
    Python, which is more work for every saga than to find its completion.
    """

    def __init__(self) -> None:
        self._known: dict[str, ref[Completion]] = {}
        self._most = SWEEP_FROM
        self._guard = threading.Lock()

    def of(self, saga_id: str) -> Completion:
        """Return the completion of a saga, the same one for everybody who asks."""
        with self._guard:
            completion = self.find(saga_id)
            if completion is None:
                completion = Completion(saga_id)
                self._known[saga_id] = ref(completion)
                if len(self._known) > self._most:
                    self._known = {id: known for id, known in self._known.items() if known() is not None}
                    self._most = max(SWEEP_FROM, 2 * len(self._known))
            return completion

    def find(self, saga_id: str) -> Completion | None:
        """Return the completion if anybody holds one."""
        known = self._known.get(saga_id)
        return None if known is None else known()

    def forget(self, saga_ids: Iterable[str]) -> None:
        """These sagas are gone: who asks for one from now on means another one of this id."""
        with self._guard:
            for saga_id in saga_ids:
                self._known.pop(saga_id, None)

    def fail_all(self, error: BaseException) -> None:
        """Tell everybody that nothing more will come."""
        with self._guard:
            completions = [known() for known in self._known.values()]
        for completion in completions:
            if completion is not None:
                completion.end(error)
