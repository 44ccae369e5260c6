"""Times as they are stored, and as Python knows them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["utc"]


def utc(ms: int) -> datetime:
    """Return a time in UTC ms. Raises OverflowError, ValueError or OSError beyond the years that a datetime has."""
    return datetime.fromtimestamp(ms / 1000, UTC)
