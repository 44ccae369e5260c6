"""Calling the author's code: nothing it does, `SystemExit` included, gets past here.

What does get past is the end of the process, so what is called is noted where that leaves a trace: see `Busy`.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from time import monotonic

from saga.store import Cell, Running

__all__ = ["Busy", "Watch", "describe"]

LONGEST = 8_192
"""Characters kept of an error's text."""

NOWHERE: Cell = ([0], 0)
"""A cell that nobody reads."""


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
    """What one thread, always the same, is busy with: so that a call that hangs can be seen from outside, and one
    that ends the process from its next run (see `store.running`)."""

    __slots__ = ("_cells", "_index", "cell", "since", "thread", "trace", "what")

    def __init__(self, trace: Callable[[], str] | None = None, cell: Cell = NOWHERE) -> None:
        """`trace` tells where the call is, if that is not simply where its thread is; `cell` is where it is noted."""
        self.trace = trace
        self.cell = cell
        self._cells, self._index = cell
        self.what: str = ""
        self.since: float = 0.0
        self.thread: int = 0

    def begin(self, what: str, number: int = 0) -> None:
        """The thread that calls this starts doing `what`; `number` says it to the next run, see `store.Cell`."""
        self._cells[self._index] = number
        if not self.thread:
            self.thread = threading.get_ident()
        self.since = monotonic()
        self.what = what

    def end(self) -> None:
        """It is done."""
        self.what = ""
        self._cells[self._index] = 0

    def stack(self) -> str:
        """Return where it is now."""
        trace = "" if self.trace is None else self.trace()
        if trace:
            return trace
        frame = sys._current_frames().get(self.thread)
        return "".join(traceback.format_stack(frame)) if frame is not None else "(the thread is gone)"


class Watch:
    """Everything that is watched: who is busy with what, and for how long."""

    running: Running | None = None
    """Where it is noted for the next run; None: nowhere."""

    def __init__(self) -> None:
        self._watched: dict[Busy, tuple[str, float]] = {}
        self._reported: dict[Busy, float] = {}

    def add(self, name: str, limit_s: float, trace: Callable[[], str] | None = None) -> Busy:
        """Return a new `Busy`; being busy for longer than `limit_s` seconds is worth a report."""
        cell = None if self.running is None else self.running.take(name)
        busy = Busy(trace, cell or NOWHERE)
        self._watched[busy] = (name, limit_s)
        return busy

    def remove(self, busy: Busy) -> None:
        """Watch this one no longer."""
        name, _ = self._watched.pop(busy, ("", 0.0))
        self._reported.pop(busy, None)
        if name and self.running is not None and busy.cell is not NOWHERE:
            self.running.give_back(name, busy.cell)

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
