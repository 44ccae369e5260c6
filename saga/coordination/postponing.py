"""A commit that there is no space for is tried again, with the same rows, until there is or the runtime is closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from saga.log import Log
from saga.store import TryAgain

__all__ = ["patiently"]

T = TypeVar("T")


def patiently(commit: Callable[[], T], pause: Callable[[int], bool], log: Log) -> T:
    """Return what `commit` returns; while it raises TryAgain, wait by `pause` (see `Surroundings`) and call it again.

    Raises what else it raises, and its TryAgain when the runtime is being closed.
    """
    attempt = 0
    while True:
        try:
            return commit()
        except TryAgain as error:
            attempt += 1
            log.error("commit_postponed", path=error.path, reason=error.what, attempt=attempt)
            if not pause(attempt):
                raise
