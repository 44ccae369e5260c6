"""The chain of digests over the journal of one saga: a changed, missing or swapped row does not fit its
successor.

Each row's digest covers the digest of the row before it and everything the row says. A row whose records
were erased keeps its digest, and the chain goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

__all__ = ["DIGEST_SIZE", "FIRST", "chain", "digest_of", "schedule_digest"]

DIGEST_SIZE = 16
"""Bytes of a digest. It guards against accidents, not against someone who can write the file."""

_fresh = blake2b(digest_size=DIGEST_SIZE).copy
"""Returns a hash that has seen nothing yet; a copy is made in half of the time of a new one with its options."""

FIRST = bytes(DIGEST_SIZE)
"""What the first row of a saga is chained to."""


def chain(
    previous: bytes, saga_no: int, seq: int, at_ms: int, cause: str | None, encoding: int, records: bytes
) -> bytes:
    """Return the digest of a journal row. `previous` is that of the row before, `FIRST` for the first.

    Numbers end with a bar, and the cause is preceded by its length in bytes ("-" for none), so that no two
    different rows give the same bytes.
    """
    if cause is None:
        framed = b"%b%d|%d|%d|%d|-|%b" % (previous, saga_no, seq, at_ms, encoding, records)
    else:
        text = cause.encode()
        framed = b"%b%d|%d|%d|%d|%d|%b%b" % (
            previous,
            saga_no,
            seq,
            at_ms,
            encoding,
            len(text),
            text,
            records,
        )
    return digest_of(framed)


def digest_of(data: bytes) -> bytes:
    """Return the digest of `data`."""
    digest = _fresh()
    digest.update(data)
    return digest.digest()


def schedule_digest(columns: Iterable[str | bytes]) -> bytes:
    """Return the digest of what a schedule says: its columns from `name` to `overlap`, each after its length."""
    texts = [column.encode() if isinstance(column, str) else column for column in columns]
    return digest_of(b"".join(b"%d|%b" % (len(text), text) for text in texts))
