"""What a context publishes, from `Context.publish` to the coordinator, which puts it into the event log.

Rules
1. An event is numbered when it is published, and written by the commit of whoever has published it.
2. The coordinator takes the outbox by number: told a later one first, it would think that it has the others. So what
   an earlier life has left goes before all that is new.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw

from saga.codec import codec_for
from saga.coordination.envelopes import OutboxTaken, Published
from saga.coordination.evaluation import key_text
from saga.coordination.guard import Busy, is_a
from saga.coordination.transaction import Transaction
from saga.errors import UsageError
from saga.messages import Event, key_field
from saga.participants import Context
from saga.store import ContextStore

__all__ = ["Outbox"]


class Outbox:
    """The outbox of one context."""

    def __init__(self, context: Context, store: ContextStore, busy: Busy, now_ms: Callable[[], int]) -> None:
        """`now_ms`: see `ContextWorld`."""
        self._context, self._store = context, store
        self._busy, self._now_ms = busy, now_ms
        self._told = False
        """Whether the coordinator was told what an earlier life of this context has left."""
        self.transaction = Transaction()
        """The one at hand: `publish` is called by user code, which knows of none."""

    def publish(self, event: Event) -> None:
        """`Context.publish`, while a handler or listener runs."""
        if not self._busy.what:
            raise RuntimeError(f"{type(self._context).__name__}.publish was called outside of a handler")
        if not is_a(event, Event):
            raise UsageError(f"publish takes an Event, not a {type(event).__name__}")
        codec = codec_for(type(event))
        data, twin = codec.roundtrip(event)
        field = key_field(type(event))
        key = None if field is None else key_text(getattr(twin, field))
        outbox = self.transaction.changes.outbox
        number = self._store.outbox_no + len(outbox) + 1
        correlation, causation = self.transaction.cause
        outbox.append(
            (
                f"{self._store.name}:{number}",
                codec.name,
                key,
                data,
                self._now_ms(),
                correlation,
                causation,
            )
        )

    def new(self, transaction: Transaction) -> list[Published]:
        """Return the events of this transaction, which is committed; the first time, behind those that were left."""
        if not self._told:
            return self.everything()
        outbox = transaction.changes.outbox
        first = self._store.outbox_no - len(outbox) + 1
        return [
            Published(first + i, id, type, key, Raw(data), at, correlation, causation or "")
            for i, (id, type, key, data, at, correlation, causation) in enumerate(outbox)
        ]

    def everything(self) -> list[Published]:
        """Return all events that are in it, for the coordinator to be told."""
        self._told = True
        rows = self._store.outbox_after(0)
        return [Published(*row[:4], Raw(row.payload), *row[5:7], row.causation or "") for row in rows]

    def taken(self, message: OutboxTaken, transaction: Transaction) -> None:
        """The coordinator has put them into the log up to this number: they are let go of."""
        changes = transaction.changes
        changes.relayed_no = max(changes.relayed_no, message.no)
