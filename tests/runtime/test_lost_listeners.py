"""A listener that loses its transaction: the event counts as taken, and is tried again from the context's own file."""

from __future__ import annotations

from collections import deque

import pytest

from saga import Context
from saga.coordination.context import ContextDriver
from saga.coordination.envelopes import Answers
from saga.coordination.guard import Busy
from saga.store import ContextChanges, ContextStore, DiskFull, StoreFiles, StoreState

from .test_outbox import Coordinator, Rung, World, ring


class Fragile(Context):
    @Rung.listener
    def break_it(self, event: Rung) -> None:
        self.db.execute("CREATE TABLE once (n INTEGER PRIMARY KEY)")
        for _ in range(2):
            self.db.execute("INSERT OR ROLLBACK INTO once VALUES (1)")


class Full(World):
    """A disk on which there is no space until somebody waits for it."""

    def __init__(self) -> None:
        self.waits: list[int] = []

    def pause(self, attempt: int) -> bool:
        self.waits.append(attempt)
        return True


def test_a_disk_that_is_full_when_that_is_noted_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ContextStore.open(StoreFiles.at(":memory:"), "fragile", StoreState("0" * 36, 1, 0, 0, 0))
    world, coordinator = Full(), Coordinator()
    driver = ContextDriver(Fragile(), store, coordinator, world, Busy())
    driver.open_positions(0)
    commit = store.commit

    def commit_when_there_is_space(changes: ContextChanges) -> range:
        if changes.retries and len(world.waits) < 2:
            store.rollback()
            raise DiskFull(store.path)
        return commit(changes)

    monkeypatch.setattr(store, "commit", commit_when_there_is_space)
    driver.handle(deque([ring(1)]))
    assert world.waits == [1, 2]
    assert store.attempts(1, "Rung/1") == 1
    assert [each.read_to for each in coordinator.heard if isinstance(each, Answers)] == [1]
    store.close()


def test_the_relay_hears_that_it_was_taken_so_that_more_are_sent() -> None:
    store = ContextStore.open(StoreFiles.at(":memory:"), "fragile", StoreState("0" * 36, 1, 0, 0, 0))
    coordinator = Coordinator()
    driver = ContextDriver(Fragile(), store, coordinator, World(), Busy())
    driver.open_positions(0)
    driver.handle(deque([ring(1)]))
    assert store.attempts(1, "Rung/1") == 1
    assert [each.read_to for each in coordinator.heard if isinstance(each, Answers)] == [1]
    store.close()
