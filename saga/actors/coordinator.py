"""The coordinator's actor: drains its mailbox into batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saga.actors.mailbox import Mailbox
from saga.actors.worker import Crash, Worker
from saga.coordination.coordinator import Coordinator
from saga.seams import seam
from saga.store import SagaStore

__all__ = ["CoordinatorActor"]


class CoordinatorActor(Worker):
    """Owns saga.db. `make` opens it and builds the coordinator, in this actor's thread."""

    def __init__(
        self,
        mailbox: Mailbox,
        crashed: Callable[[Crash], None],
        make: Callable[[], tuple[SagaStore, Coordinator]],
    ) -> None:
        super().__init__("coordinator", mailbox, crashed)
        self._make = make
        self._store: SagaStore | None = None
        self._coordinator: Coordinator | None = None

    def open(self) -> SagaStore:
        """Return the store, for what can be read of it from elsewhere: its id, epoch and numbers."""
        self._store, self._coordinator = self._make()
        return self._store

    def work(self, messages: list[Any]) -> None:
        """One batch, one commit."""
        if messages:
            assert self._coordinator is not None
            self._coordinator.handle(messages)

    def close(self) -> None:
        """Take what is in the mailbox, so that nothing that was answered is asked again, and close.

        When the runtime has failed the mailbox is shut, and the run counts as cut off.
        """
        assert self._store is not None
        assert self._coordinator is not None
        while messages := self.mailbox.take(self.most):
            self.work(messages)
        seam("closing.mailbox-empty")
        if not self.mailbox.shut:
            self._coordinator.settle()
        seam("closing.settled")
        self._store.close(clean=not self.mailbox.shut)

    def abandon(self) -> None:
        """See `Worker`."""
        if self._store is not None:
            self._store.abandon()
