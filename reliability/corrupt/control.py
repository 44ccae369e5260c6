"""For the control: what is found with nothing but SQLite's own checks, without digests, replays and cross-checks."""

from __future__ import annotations

from typing import Any

from saga.store import context_store, integrity, queries, rows
from saga.verification.checking import Check

__all__ = ["trust_everything"]


class _Fitting:
    """A digest that fits whatever it is compared with."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def trust_everything() -> None:
    """Take every row for what was written, and every file for the latest one of its store."""

    def fits(*_: Any) -> _Fitting:
        return _Fitting()

    for module, name in ((queries, "chain"), (integrity, "schedule_digest"), (rows, "row_digest")):
        setattr(module, name, fits)
    for look in ("check_links", "check_rows"):
        setattr(integrity, look, lambda reader: iter(()))
    for look in ("sagas", "outboxes_and_positions", "unknown_commands"):
        setattr(Check, look, lambda *_, **__: iter(()))
    context_store.ContextStore._check = lambda self, row, state: None  # type: ignore[method-assign]
