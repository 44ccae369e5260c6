"""For the controls: protections of the runtime that are taken away. Without one, an invariant must fail."""

from __future__ import annotations

from collections.abc import Callable

from reliability.crash import shop
from reliability.crash.job import tell
from reliability.crash.shopping import Work
from saga import Saga, StoreFailed, seams
from saga.store import Batch, ContextStore, SagaStore
from saga.store.context_transaction import ContextTransaction

__all__ = ["PROTECTIONS"]


def forget_the_inbox() -> None:
    """Take away what makes effects happen once: the look into the inbox, and the rows in it."""
    ContextStore.answers = lambda self, command_ids: {}  # type: ignore[method-assign]
    begin = ContextStore.begin

    def begin_and_forget(self: ContextTransaction) -> None:
        begin(self)
        self._guard.ours = True
        self._execute(self._guard.mark("DELETE FROM _saga_inbox"))
        self._guard.ours = False

    ContextStore.begin = begin_and_forget  # type: ignore[method-assign]


def acknowledge_too_early() -> None:
    """Tell of a start before it is on disk."""
    start = Work.start

    def tell_and_start(self: Work, saga: type[Saga[shop.Order]], *ids: str) -> None:
        for id in ids:
            tell(f"acked {id}")
        start(self, saga, *ids)

    Work.start = tell_and_start  # type: ignore[method-assign]


def move_on_before_the_run() -> None:
    """Write that a schedule has moved on in a commit of its own, before the run that it has moved on from."""
    commit = SagaStore.commit

    def in_two(self: SagaStore, batch: Batch) -> int:
        if batch.schedules and batch.new_sagas:
            moves = Batch()
            moves.high_ms, moves.schedules, batch.schedules = batch.high_ms, batch.schedules, {}
            commit(self, moves)
            seams.seam("schedule.moved")
        return commit(self, batch)

    SagaStore.commit = in_two  # type: ignore[method-assign]


def take_failures_for_success() -> None:
    """Go on after a write that has failed as if it had not."""
    commit = SagaStore.commit

    def go_on(self: SagaStore, batch: Batch) -> int:
        try:
            return commit(self, batch)
        except StoreFailed:
            self.commit_no += 1
            return self.commit_no

    SagaStore.commit = go_on  # type: ignore[method-assign]


PROTECTIONS: dict[str, Callable[[], None]] = {
    "schedule": move_on_before_the_run,
    "inbox": forget_the_inbox,
    "acknowledgement": acknowledge_too_early,
    "failure": take_failures_for_success,
}
