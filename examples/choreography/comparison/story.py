"""What can be told about one order afterwards, from the store alone.

This is the one place where an order's story is read: when `saga trace` is there, its output belongs here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from saga.history import read_history
from saga.store import StoreReader

__all__ = ["Entry", "events_of", "history_of"]

Entry = tuple[datetime, str]
"""When, and what."""

MOST = 10_000
"""Events that are read at a time."""


def events_of(store: Path, order_id: str) -> Iterator[Entry]:
    """Yield the events that one order has led to, in the order of the log. They share its correlation id."""
    with StoreReader.open(store) as reader:
        events = reader.events(limit=MOST)
    types = {event.id: event.type for event in events}
    for event in events:
        if event.correlation == f"send:{order_id}":
            because = types.get(event.causation or "")
            why = f", because of {because}" if because else ""
            yield datetime.fromtimestamp(event.at_ms / 1000, UTC), f"{event.source}: {event.type}{why}"


def history_of(store: Path, order_id: str) -> Iterator[Entry]:
    """Yield the history of the saga that one order has led to; nothing when there was none."""
    with closing(sqlite3.connect(f"{(store / 'saga.db').resolve().as_uri()}?mode=ro", uri=True)) as db:
        found = db.execute(
            "SELECT id FROM sagas_overview WHERE correlation = ?", [f"send:{order_id}"]
        ).fetchall()
    with StoreReader.open(store) as reader:
        for (saga_id,) in found:
            row = reader.saga(saga_id)
            assert row is not None
            for entry in read_history(reader.journal(row.no)):
                yield entry.at, entry.text
