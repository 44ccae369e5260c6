"""The chain of digests over the journal of one saga: a changed, missing or swapped row does not fit its
successor.

Each row's digest covers the digest of the row before it and everything the row says. A row whose records
were erased keeps its digest, and the chain goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from struct import Struct

__all__ = ["DIGEST_SIZE", "FIRST", "chain", "digest_of", "schedule_digest"]

DIGEST_SIZE = 16
"""Bytes of a digest. It guards against accidents, not against someone who can write the file."""

_fresh = blake2b(digest_size=DIGEST_SIZE).copy
"""Returns a hash that has seen nothing yet; a copy is made in half of the time of a new one with its options."""

_HEADER = Struct(f">{DIGEST_SIZE}s5q").pack
"""Digest of the row before, four numbers, length of the cause. Writing the numbers as digits takes longer."""

FIRST = bytes(DIGEST_SIZE)
"""What the first row of a saga is chained to."""


def chain(
    previous: bytes, saga_no: int, seq: int, at_ms: int, cause: str | None, encoding: int, records: bytes
) -> bytes:
    """Return the digest of a journal row. `previous` is that of the row before, `FIRST` for the first.

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


def schedule_digest(columns: Iterable[str | bytes]) -> bytes:
    """Return the digest of what a schedule says: its columns from `name` to `overlap`, each after its length."""
    texts = [column.encode() if isinstance(column, str) else column for column in columns]
    return digest_of(b"".join(b"%d|%b" % (len(text), text) for text in texts))
