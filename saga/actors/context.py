"""A context's actor: opens the context's file in its own thread, drains its mailbox into transactions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from saga.actors.mailbox import Mailbox
from saga.actors.worker import Crash, Worker
from saga.coordination.context import ContextDriver, ContextWorld
from saga.coordination.envelopes import Answers, Port
from saga.coordination.guard import Busy
from saga.participants import Context
from saga.store import ContextStore, StoreFiles, StoreState

__all__ = ["ContextActor", "ContextOpened"]


class ContextOpened(NamedTuple):
    """What became of opening a context's file."""

    positions: dict[str, int]
    commit_no: int


class ContextActor(Worker):
    """Owns one context's file."""

    def __init__(
        self,
        name: str,
        mailbox: Mailbox,
        crashed: Callable[[Crash], None],
        *,
        make: Callable[[], Context],
        files: StoreFiles,
        state: Callable[[], tuple[StoreState, int, dict[int, str]]],
        coordinator: Port,
        world: ContextWorld,
        busy: Busy,
        again: bool = False,
    ) -> None:
        """`make` makes the author's context; `state` tells what saga.db says now, the last event number, and the
        events that are suspected of having ended the process;
        `again`: the actor before this one has died."""
        super().__init__(name, mailbox, crashed)
        self._make, self._files, self._state = make, files, state
        self._coordinator, self._world, self._busy = coordinator, world, busy
        self._again = again
        self._store: ContextStore | None = None
        self._driver: ContextDriver | None = None

    def open(self) -> ContextOpened:
        """Open the file and build the driver."""
        self._busy.thread = 0  # of the actor before
        context = self._make()
        state, last_event_no, suspects = self._state()
        self._store = ContextStore.open(self._files, self._name, state, type(context).migrations)
        self._driver = ContextDriver(
            context, self._store, self._coordinator, self._world, self._busy, suspects
        )
        positions = self._driver.open_positions(last_event_no)
        opened = ContextOpened(positions, self._store.commit_no)
        if self._again:
            self._driver.tell_outbox()
        return opened

    def work(self, messages: list[Any]) -> None:
        """Batch by batch. What is not done when it dies is there for its successor."""
        assert self._driver is not None
        left = deque(messages)
        try:
            self._driver.handle(left)
        except BaseException:
            self.mailbox.put_back(left)
            raise

    def close(self) -> None:
        """Close the file. What is in the mailbox is in the journal, too, and comes again.

        The coordinator, which closes last, hears of the last commit, also when that was one that nobody else needs to
        know of: an older file in its place is noticed then.
        """
        if self._store is not None:
            self._coordinator.post(Answers(self._name, [], [], self._store.commit_no, 0))
            self._store.close()

    def abandon(self) -> None:
        """See `Worker`."""
        if self._store is not None:
            self._store.abandon()
