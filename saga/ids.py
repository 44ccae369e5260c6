"""New ids for what an application gives none: sagas, commands, events."""

from __future__ import annotations

import secrets
import time

__all__ = ["new_id"]


def new_id() -> str:
    """Return a new id, 32 hexadecimal digits. It begins with the time, so that those of one hour stand together in an
    index: with random ones, each would write to a page of its own, the more of them the larger the store is."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
