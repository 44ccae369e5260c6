"""Calling the author's code: nothing it does, `SystemExit` included, gets past here.

What does get past is the end of the process, so what is called is noted where that leaves a trace: see `Busy`. And a
fork that comes back from there has our threads' work in its hands, and none of our threads: it ends (`leave_fork`).
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from time import monotonic

from saga.messages import RESERVED_CODES, Rejected
from saga.store import Cell, Running

__all__ = ["Busy", "Watch", "describe", "is_a", "leave_fork", "readable", "refusal_of", "words_of"]

LONGEST = 8_192
"""Characters kept of an error's text."""

MOST_FRAMES = 40
"""Frames of a traceback that are looked at."""

NOWHERE: Cell = ([0], 0)
"""A cell that nobody reads."""

FORK_EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h."""

_is_fork = False
"""Whether this process is a fork; whoever opens a runtime in it is at home all the same."""


def _note_fork() -> None:
    global _is_fork
    _is_fork = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def leave_fork(pid: int, what: str) -> None:
    """End this process if it is a fork of the one with this number, made by the author's code that has just come back.

    Its connections are those of its parent, and nobody would ever end it.
    """
    if _is_fork and os.getpid() != pid:
        sys.stderr.write(f"saga: a fork came back from {what}, and ends here; end it there with os._exit\n")
        sys.stderr.flush()
        os._exit(FORK_EXIT_CODE)


def describe(error: BaseException, *, trace: bool = True) -> str:
    """Return the text of an error: its traceback from the author's code on, or one line; never raises, never long."""
    try:
        one_line = "".join(traceback.format_exception_only(error)).strip()
    except BaseException:  # a hostile __str__
        one_line = f"{_NAME.__get__(type(error))} (its text cannot be read)"
    if not trace:
        return readable(one_line)
    try:
        frames = _frames(error)
    except BaseException:
        frames = ""
    return readable(frames[-(LONGEST - 1_000) :] + one_line[:1_000]).strip()


def _frames(error: BaseException) -> str:
    """Return where the author's code was, the innermost frames only: a recursion without an end has a thousand."""
    frames = traceback.format_tb(error.__traceback__, limit=-MOST_FRAMES)
    return "".join(frames if len(frames) == MOST_FRAMES else frames[1:])


_NAME = type.__dict__["__name__"]
"""Reads the name of any class, whatever its metaclass does against that."""


def readable(text: str) -> str:
    """Return a text of the author's as one that can be stored: without lone surrogates, which UTF-8 does not have (an
    OSError about a file has them, when its name is no UTF-8), and not longer than `LONGEST`."""
    return text[:LONGEST].encode("utf-8", "backslashreplace").decode()


def words_of(error: BaseException) -> str:
    """Return what an error says, without its kind; never raises, never long."""
    try:
        return readable(str(error))
    except BaseException:
        return describe(error, trace=False)


def is_a(value: object, *classes: type) -> bool:
    """Return whether a value is of one of these classes, whatever it says itself: `isinstance` would ask it."""
    return issubclass(type(value), classes)


def refusal_of(value: object) -> tuple[str, str] | None:
    """Return reason and code of what was raised or returned, if that is a refusal with both; never raises."""
    if not is_a(value, Rejected):
        return None
    try:
        reason, code = value.reason, value.code  # type: ignore[attr-defined]
    except BaseException:
        return None
    if not is_a(reason, str) or not is_a(code, str) or not code or code in RESERVED_CODES:
        return None
    return readable(str.__str__(reason)), readable(str.__str__(code))


class Busy:
    """What one thread, always the same, is busy with: so that a call that hangs can be seen from outside, and one
    that ends the process from its next run (see `store.running`)."""

    __slots__ = ("_cells", "_index", "_pid", "cell", "since", "thread", "trace", "what")

    def __init__(self, trace: Callable[[], str] | None = None, cell: Cell = NOWHERE) -> None:
        """`trace` tells where the call is, if that is not simply where its thread is; `cell` is where it is noted."""
        self.trace = trace
        self.cell = cell
        self._cells, self._index = cell
        self._pid = os.getpid()
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
        if _is_fork:
            leave_fork(self._pid, self.what)
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
