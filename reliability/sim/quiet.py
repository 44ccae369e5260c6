"""For processes that play: no log, and texts of errors in one line, which is quick and names no files."""

from __future__ import annotations

import gc
import logging
from typing import Any

import structlog

from saga.coordination import context, evaluation, gateway, guard, handling, listening

__all__ = ["quieten"]

BUGS = frozenset(
    {"start_failed", "saga_not_parked", "journal_unfitting", "caller_not_found", "schedule_held"}
)
"""Lines that the runtime logs when it survives a fault of its own."""


def quieten() -> None:
    """Change this process for good; nobody else's tests may run in it."""
    structlog.configure(
        processors=[_no_bug],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        cache_logger_on_first_use=True,
    )
    describe = guard.describe
    for module in (context, evaluation, gateway, handling, listening):
        module.describe = lambda error, trace=False: describe(error, trace=False)  # type: ignore[attr-defined]
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _no_bug(logger: Any, name: str, event: Any) -> Any:
    if event["event"] in BUGS:
        raise AssertionError(f"the log says {event}")
    raise structlog.DropEvent
