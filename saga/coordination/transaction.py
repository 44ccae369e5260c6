"""What one batch of a context gathers: what is written beside user code's own writes, and what follows the commit.

Rules
1. There is one `Transaction` for each batch. Whoever carries out a message of it gets it with the message, and keeps
   nothing of it: when the commit fails, all of it is lost, and the messages come again with another one.
2. Whatever leaves the context (answers, news, replies) waits in it for the commit.
3. User code runs in a savepoint, and begins with nothing. What it let out takes back what it wrote and published, and
   nothing else (`take_back`).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from saga.coordination.envelopes import Answer, Notify
from saga.store import ContextChanges, ContextStore, InboxRow

__all__ = ["Transaction", "take_back"]


class Transaction(msgspec.Struct, eq=False):
    """The transaction at hand."""

    known: dict[str, InboxRow] = msgspec.field(default_factory=dict)
    """What the inbox has of the commands that are in this batch, and what it gets of them."""
    until: float = 0.0
    """When it ends, whatever is left; by the monotonic clock."""
    changes: ContextChanges = msgspec.field(default_factory=ContextChanges)
    answers: list[Answer] = msgspec.field(default_factory=list)
    read_to: int = 0
    """Events of the log were taken up to this number, 0: none."""
    cause: tuple[str, str] = ("", "")
    """Correlation and causation of what is published now."""
    after: list[Callable[[], None]] = msgspec.field(default_factory=list)
    """What is done once it is on disk."""
    again: list[Notify] = msgspec.field(default_factory=list)
    """Deliveries that are tried again then, behind everything that waits."""


def take_back(error: BaseException, store: ContextStore, transaction: Transaction, published: int) -> None:
    """Take back what user code wrote, and published beyond this many events, since it has let out an error.

    Raises what the error says about the disk, if it does (see `ContextStore.outage`), and TransactionLost.
    """
    outage = store.outage(error)
    if outage is not None:
        raise outage from error
    store.explain(error)
    del transaction.changes.outbox[published:]
    store.undo()
