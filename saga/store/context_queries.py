"""What a context's driver asks of its file: the inbox, the outbox, the positions of listeners and what they failed on.

Where many things are looked up at once, they are given as one JSON array: one statement, whatever their
number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec

from saga.store.context_rows import OUTBOX_COLUMNS, RETRY_READ, InboxRow, OutboxRow, RetryRow

__all__ = ["ContextQueries"]

IDS_AT_ONCE = 500
"""How many ids one look-up takes."""


class ContextQueries:
    """The questions; `ContextStore` is what they are asked. Each raises StoreFailed or CorruptStore when it
    cannot.
    """

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    def answers(self, command_ids: Iterable[str]) -> dict[str, InboxRow]:
        """Return command id → how it ended, for those commands that have an inbox row (a tombstone is one,
        too).
        """
        statement = (
            "SELECT command_id, number, outcome, CAST(answer AS BLOB), code, reason, at_ms FROM _saga_inbox"
            " WHERE command_id IN (SELECT value FROM json_each(?))"
        )
        found: dict[str, InboxRow] = {}
        iterator = iter(command_ids)
        while some := list(islice(iterator, IDS_AT_ONCE)):
            for row in self._read(statement, (msgspec.json.encode(some).decode(),)):
                found[row[0]] = InboxRow._make(row)
        return found

    def outbox_after(self, no: int, limit: int = 1_000_000) -> list[OutboxRow]:
        """Return the published events with an outbox number above `no`, in order, at most `limit`."""
        statement = (
            f"SELECT {OUTBOX_COLUMNS.replace('payload', 'CAST(payload AS BLOB)')} FROM _saga_outbox"
            " WHERE no > ? ORDER BY no LIMIT ?"
        )
        return [OutboxRow._make(row) for row in self._read(statement, (no, limit))]

    def positions(self) -> dict[str, int]:
        """Return event type → number of the last event that was taken."""
        return dict(self._read("SELECT event_type, position FROM _saga_positions"))

    def due_retries(self, now_ms: int, types: Iterable[str], limit: int) -> list[RetryRow]:
        """Return the events of these types that are to be tried again now, by event number, at most `limit`."""
        statement = (
            f"SELECT {RETRY_READ} FROM _saga_retries WHERE due_ms <= ?"
            " AND event_type IN (SELECT value FROM json_each(?)) ORDER BY event_no, event_type LIMIT ?"
        )
        return [RetryRow._make(row) for row in self._read(statement, (now_ms, _json(types), limit))]

    def retries_of(self, event_nos: Iterable[int]) -> list[RetryRow]:
        """Return the deliveries of these events that have failed, by event number and type."""
        statement = (
            f"SELECT {RETRY_READ} FROM _saga_retries WHERE event_no IN (SELECT value FROM json_each(?))"
            " ORDER BY event_no, event_type"
        )
        return [RetryRow._make(row) for row in self._read(statement, (_json(event_nos),))]

    def next_retry(self, types: Iterable[str]) -> int | None:
        """Return when an event of these types is to be tried again next, in UTC ms; None for never."""
        statement = (
            "SELECT due_ms FROM _saga_retries WHERE due_ms IS NOT NULL"
            " AND event_type IN (SELECT value FROM json_each(?)) ORDER BY due_ms LIMIT 1"
        )
        rows = self._read(statement, (_json(types),))
        return rows[0][0] if rows else None

    def attempts(self, event_no: int, event_type: str) -> int:
        """Return how often a listener has failed on this event, 0 when that is settled, or never was."""
        statement = "SELECT attempt FROM _saga_retries WHERE event_no = ? AND event_type = ?"
        rows = self._read(statement, (event_no, event_type))
        return rows[0][0] if rows else 0


def _json(values: Iterable[object]) -> str:
    return msgspec.json.encode(list(values)).decode()
