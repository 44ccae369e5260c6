"""Calling the author's code: nothing it does, `SystemExit` included, gets past here."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from time import monotonic

__all__ = ["Busy", "Watch", "describe"]

LONGEST = 8_192
"""Characters kept of an error's text."""


def describe(error: BaseException, *, trace: bool = True) -> str:
    """Return the text of an error: its traceback from the author's code on, or one line; never raises, never long."""
    try:
        one_line = "".join(traceback.format_exception_only(error)).strip()
    except BaseException:  # a hostile __str__
        one_line = f"{type(error).__name__} (its text cannot be read)"
    if not trace:
        return one_line[:LONGEST]
    try:
        frames = "".join(traceback.format_tb(error.__traceback__)[1:])
    except BaseException:
        frames = ""
    return (frames[-(LONGEST - 1_000) :] + one_line[:1_000]).strip()


class Busy:
    """What one thread, always the same, is busy with: so that a call that hangs can be seen from outside."""

    __slots__ = ("since", "thread", "trace", "what")

    def __init__(self, trace: Callable[[], str] | None = None) -> None:
        """`trace` tells where the call is, if that is not simply where its thread is."""
        self.trace = trace
        self.what: str = ""
        self.since: float = 0.0
        self.thread: int = 0

    def begin(self, what: str) -> None:
        """The thread that calls this starts doing `what`."""
        if not self.thread:
            self.thread = threading.get_ident()
        self.since = monotonic()
        self.what = what

    def end(self) -> None:
        """It is done."""
        self.what = ""

    def stack(self) -> str:
        """Return where it is now."""
        trace = "" if self.trace is None else self.trace()
        if trace:
            return trace
        frame = sys._current_frames().get(self.thread)
        return "".join(traceback.format_stack(frame)) if frame is not None else "(the thread is gone)"


class Watch:
    """Everything that is watched: who is busy with what, and for how long."""

    def __init__(self) -> None:
        self._watched: dict[Busy, tuple[str, float]] = {}
        self._reported: dict[Busy, float] = {}

    def add(self, name: str, limit_s: float, trace: Callable[[], str] | None = None) -> Busy:
        """Return a new `Busy`; being busy for longer than `limit_s` seconds is worth a report."""
        busy = Busy(trace)
        self._watched[busy] = (name, limit_s)
        return busy

    def remove(self, busy: Busy) -> None:
        """Watch this one no longer."""
        self._watched.pop(busy, None)
        self._reported.pop(busy, None)

    def overdue(self) -> list[tuple[str, str, float, str]]:
        """Return who is busy too long and was not reported for it: name, what, seconds, stack."""
        now = monotonic()
        found = []
        for busy, (name, limit_s) in list(self._watched.items()):
            what, since = busy.what, busy.since
            if what and now - since > limit_s and self._reported.get(busy) != since:
                self._reported[busy] = since
                found.append((name, what, now - since, busy.stack()))
        return found
