"""The chain of digests over the journal of one saga: a changed, missing or swapped row does not fit its
successor. And the digests of single rows in other tables, of what is told there and nowhere else.

Each row's digest covers the digest of the row before it and everything the row says. A row whose records
were erased keeps its digest, and the chain goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from struct import Struct

import msgspec

__all__ = ["DIGEST_SIZE", "FIRST", "ROWS", "chain", "digest_of", "row_digest", "schedule_digest"]

DIGEST_SIZE = 16
"""Bytes of a digest. It guards against accidents, not against someone who can write the file."""

_fresh = blake2b(digest_size=DIGEST_SIZE).copy
"""Returns a hash that has seen nothing yet; a copy is made in half of the time of a new one with its options."""

_HEADER = Struct(f">{DIGEST_SIZE}s5q").pack
"""Digest of the row before, four numbers, length of the cause. Writing the numbers as digits takes longer."""

_encode = msgspec.json.Encoder(enc_hook=repr).encode
"""What cannot be stored at all is refused by SQLite, in better words."""

FIRST = bytes(DIGEST_SIZE)
"""What the first row of a saga is chained to."""


def chain(
    previous: bytes, saga_no: int, seq: int, at_ms: int, cause: str | None, encoding: int, records: bytes
) -> bytes:
    """Return the digest of a journal row. `previous` is that of the row before, `FIRST` for the first; `records`: as
    they are stored, behind their form if they have one.

    Numbers have a length of their own, and so has the cause, in bytes (-1 for none), so that no two different rows give
    the same bytes.
    """
    if cause is None:
        return digest_of(_HEADER(previous, saga_no, seq, at_ms, encoding, -1) + records)
    text = cause.encode()
    return digest_of(_HEADER(previous, saga_no, seq, at_ms, encoding, len(text)) + text + records)


def digest_of(data: bytes) -> bytes:
    """Return the digest of `data`."""
    digest = _fresh()
    digest.update(data)
    return digest.digest()


ROWS: dict[str, tuple[str, ...]] = {
    "sagas": ("no", "id", "definition_no", "first_event_no"),
    "events": ("no", "id", "type", "key", "payload", "at_ms", "source", "correlation", "causation"),
    "participants": ("name", "kind", "next_number", "commit_no", "outbox_no"),
    "listeners": ("context", "event_type", "position"),
    "schedules": ("name", "since_ms", "next_ms", "last_ms", "runs", "problem"),
    "_saga_inbox": ("command_id", "number", "outcome", "answer", "code", "reason", "at_ms"),
    "_saga_outbox": ("no", "event_id", "type", "key", "payload", "at_ms", "correlation", "causation"),
    "_saga_positions": ("event_type", "position"),
    "_saga_retries": (
        "event_no",
        "event_type",
        "attempt",
        "reason",
        "failed_ms",
        "event_id",
        "correlation",
        "payload",
    ),
}
"""Table → columns that its `row_digest` covers: those that no journal tells of, or not yet. What is not there can be
found from what is, or does no harm: when a delivery is tried again, since when a listener has listened."""


def row_digest(*values: str | int | None) -> bytearray:
    """Return the digest of a row: of these values as a JSON array, which tells them apart. Made to be bound."""
    return bytearray(digest_of(_encode(values)))


def schedule_digest(columns: Iterable[str | bytes]) -> bytes:
    """Return the digest of what a schedule says: its columns from `name` to `overlap`, each after its length."""
    texts = [column.encode() if isinstance(column, str) else column for column in columns]
    return digest_of(b"".join(b"%d|%b" % (len(text), text) for text in texts))
