"""Letting go of what is over and old: sagas with their journals, events, and what contexts remember of commands.

Rules
1. First events, then sagas, some at a time; what contexts remember of the commands of a saga is forgotten before the
   saga is. So a saga of the same id can begin anew, and nothing old is taken for its own.
2. Each step is a small commit of one file. Cut off between two, all that is there is whole, and the next time goes on.
3. Whoever owns the files writes to them: a runtime by messages to its coordinator and contexts, in between what else
   they do; `Offline` on a store that nobody runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

from saga.coordination.listeners import KnownListeners
from saga.errors import UsageError
from saga.seams import seam
from saga.store import (
    PRUNED_AT_ONCE,
    ContextChanges,
    ContextStore,
    OwnerLock,
    SagaStore,
    StoreFiles,
    StoreReader,
    StoreState,
    data_files,
)
from saga.store.inspection import ContextReader
from saga.store.retention import Over, old_events, old_sends, over

__all__ = ["AwayContexts", "Hands", "Offline", "Pruned", "checked_age", "let_go", "look"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was let go of, or would be."""

    sagas: int
    rows: int
    """Of their journals."""
    events: int
    sends: int
    """Commands that the application has sent to contexts itself."""


class Hands(Protocol):
    """Who may write to the files of a store."""

    def read(self, look: Callable[[StoreReader], T]) -> T:
        """Return what `look` returns, which is called with a reader of saga.db."""

    def contexts(self) -> Sequence[str]:
        """Return the names of all contexts that have a file."""

    def let_go(self, sagas: list[tuple[int, str]] | None, before_ms: int) -> int:
        """See `requests.LetGo`."""

    def forget(self, context: str, saga_ids: list[str], before_ms: int, after: str) -> tuple[int, str | None]:
        """See `envelopes.Forget`."""


def checked_age(older_than: object) -> int:
    """Return an age in ms. Raises UsageError for what is none."""
    if not isinstance(older_than, timedelta) or older_than < timedelta(0):
        raise UsageError(f"older_than={older_than!r:.80}: give a timedelta, such as timedelta(days=30)")
    return older_than // timedelta(milliseconds=1)


def let_go(hands: Hands, before_ms: int) -> Pruned:
    """Let go of everything that ended before this time and that nobody needs."""
    events = 0
    while (count := hands.let_go(None, before_ms)) > 0:
        events += count
        if count < PRUNED_AT_ONCE:
            break
    sagas = rows = 0
    for group in over(hands.read, before_ms):
        for context in hands.contexts():
            hands.forget(context, [each.id for each in group], before_ms, "")
        seam("prune.answers-forgotten")
        sagas += hands.let_go([(each.no, each.id) for each in group], before_ms)
        rows += sum(each.rows for each in group)
        seam("prune.sagas-let-go")
    return Pruned(
        sagas, rows, events, sum(_let_go_of_sent(hands, each, before_ms) for each in hands.contexts())
    )


def _let_go_of_sent(hands: Hands, context: str, before_ms: int) -> int:
    total, after = 0, ""
    while True:
        count, go_on = hands.forget(context, [], before_ms, after)
        total += count
        if go_on is None:
            return total
        after = go_on


def look(files: StoreFiles, before_ms: int) -> Pruned:
    """Return what would be let go of now; changes nothing, beside a running process or not."""
    with StoreReader.open(files.directory) as reader:
        events, log_begins = old_events(reader, before_ms)
        groups: list[Over] = [
            each for group in over(lambda read: read(reader), before_ms, log_begins) for each in group
        ]
        sends = 0
        for name in reader.contexts():
            with ContextReader.open(files, name) as context:
                sends += old_sends(context, before_ms)
    return Pruned(len(groups), sum(each.rows for each in groups), events, sends)


class AwayContexts:
    """The files of contexts whose classes are not here, opened as their owner when they are needed, for what the engine
    keeps in them. Use it as a context manager, and in one thread."""

    def __init__(self, files: StoreFiles, epoch_before: int) -> None:
        """`epoch_before`: of the last run, if this is none; a context that was part of it is taken along."""
        self._files, self._epoch_before = files, epoch_before
        self._open: dict[str, ContextStore] = {}

    def __enter__(self) -> AwayContexts:
        return self

    def __exit__(self, *_: object) -> None:
        for store in self._open.values():
            store.close()

    def forget(self, name: str, saga_ids: list[str], before_ms: int, after: str) -> tuple[int, str | None]:
        """Do what `envelopes.Forget` says, in a commit of its own."""
        store = self._store(name)
        store.begin()
        count, go_on = (
            (store.forget_sagas(saga_ids), None) if saga_ids else store.forget_sent(before_ms, after)
        )
        if count:
            store.commit(ContextChanges())
        else:
            store.rollback()
        return (0, None) if saga_ids else (count, go_on)

    def _store(self, name: str) -> ContextStore:
        if name not in self._open:
            with StoreReader.open(self._files.directory) as reader:
                facts, epoch = reader.store(), reader.context(name).epoch
                _, _, acknowledged, outbox_no = reader.participants().get(name, ("context", 1, 0, 0))
            epoch = facts.epoch if epoch == self._epoch_before else epoch
            state = StoreState(facts.store_id, epoch, facts.commit_no, acknowledged, outbox_no)
            self._open[name] = ContextStore.open(self._files, name, state)
        return self._open[name]


class Offline:
    """A store that nobody runs, opened to let go of what is over. Use it as a context manager, under its lock."""

    def __init__(self, files: StoreFiles, lock: OwnerLock) -> None:
        self._files = files
        with StoreReader.open(files.directory) as reader:
            facts = reader.store()
        self.now_ms = int(time.time() * 1000) if facts.clock is None else facts.high_ms
        """The time of the store."""
        # Opened at its own time: at another one, all timers up to that would be due.
        self._store = SagaStore.open(files, lock, facts.high_ms)
        self._away = AwayContexts(files, facts.epoch)
        self._listeners = KnownListeners(self._store.listeners(), self._store.first_event)

    def __enter__(self) -> Offline:
        return self

    def __exit__(self, *error: object) -> None:
        self._away.__exit__(*error)
        self._store.close(clean=self._store.ended_cleanly)

    def read(self, look: Callable[[StoreReader], T]) -> T:
        """See `Hands`."""
        return look(StoreReader.over(self._store.connection))

    def contexts(self) -> Sequence[str]:
        """See `Hands`."""
        return [name for name in data_files(self._files) if name != "saga"]

    def let_go(self, sagas: list[tuple[int, str]] | None, before_ms: int) -> int:
        """See `Hands`."""
        store = self._store
        if sagas is not None:
            return store.prune_sagas([no for no, _ in sagas], before_ms)
        store.begin_pruning(before_ms)
        last, first = store.next_event_no - 1, store.first_event_needed()
        moved = self._listeners.moved({}, last)
        needed = min(self._listeners.lowest(last), last if first is None else first)
        return store.prune_events(needed + 1, moved, before_ms)

    def forget(self, context: str, saga_ids: list[str], before_ms: int, after: str) -> tuple[int, str | None]:
        """See `Hands`."""
        return self._away.forget(context, saga_ids, before_ms, after)
