"""Clocks: what time it is, and how long until it will be later.

Rules
1. All times are UTC milliseconds since 1970. A runtime never lets time go back: see `coordination.ledger`.
2. A clock does not wait. The timekeeper asks how many seconds of the real world are left, and waits itself.
3. A clock may be the application's own. One that fails stops nobody's work: it stands still until it works again.
4. `SystemClock` for real use, `ScaledClock` for demonstrations, `VirtualClock` for tests, which move it by hand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from saga.errors import UsageError
from saga.log import Log

__all__ = ["Clock", "ScaledClock", "SteadyClock", "SystemClock", "VirtualClock"]

log = Log("saga.clock")

LOOK_AGAIN_S = 1.0
"""When to ask again a clock that could not say how long it takes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _ms(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; write it with tzinfo=UTC")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


class Clock(Protocol):
    """What a runtime needs of a clock."""

    def now_ms(self) -> int:
        """Return the time, UTC ms."""

    def seconds_until(self, due_ms: int) -> float | None:
        """Return the real seconds until this time, 0 or less when it is past; None when it does not come by itself."""

    def on_move(self, callback: Callable[[], None]) -> None:
        """Have `callback` called whenever time has been moved by hand."""

    def resume(self, stored: str | None, high_ms: int) -> str | None:
        """Go on from what a store says: `stored` is what this returned last time, `high_ms` the latest time in it.

        Returns what is to be stored, None for nothing. Raises UsageError when the store was run with another clock.
        """


class SteadyClock:
    """A clock that may fail, as a runtime uses it: it stands still meanwhile. May be asked from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: int | None = None
        self._failed = False
        self.on_move, self.resume = clock.on_move, clock.resume

    def now_ms(self) -> int:
        """Return the time, the latest known when the clock fails. The first time what it raises is raised, and
        UsageError when it tells no time."""
        latest = self._latest
        try:
            now = self._clock.now_ms()
            if type(now) is not int or now < 0:
                raise UsageError(
                    f"the clock says it is {now!r:.80}; now_ms() returns whole milliseconds since 1970"
                )
        except BaseException as error:
            if latest is None:
                raise
            self._report(error)
            return latest
        self._failed = False
        self._latest = now
        return now

    def seconds_until(self, due_ms: int) -> float | None:
        """See `Clock`; when it fails, ask again in a second."""
        try:
            left = self._clock.seconds_until(due_ms)
            return None if left is None else max(-1.0, min(float(left), 1e9))
        except BaseException as error:
            self._report(error)
            return LOOK_AGAIN_S

    def _report(self, error: BaseException) -> None:
        """Say so once until it works again: it is asked many times a second."""
        if not self._failed:
            self._failed = True
            log.error("clock_failed", kind=_name_of(type(error)))


_name_of = type.__dict__["__name__"].__get__
"""Returns the name of a class; asked for as an attribute, it may be whatever the author's metaclass does."""


class SystemClock:
    """The clock of this machine."""

    def now_ms(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1_000_000

    def seconds_until(self, due_ms: int) -> float | None:
        """See `Clock`."""
        return (due_ms - self.now_ms()) / 1000

    def on_move(self, callback: Callable[[], None]) -> None:
        """Nobody moves it by hand."""

    def resume(self, stored: str | None, high_ms: int) -> str | None:
        """See `Clock`."""
        if stored is not None:
            raise UsageError(
                f"this store was run with a scaled clock ({stored}), its time is not that of the system; "
                f"open it with Runtime(..., clock=ScaledClock(factor=...)), or use another directory"
            )
        return None


class _Origin(msgspec.Struct, frozen=True):
    """Where a scaled clock began: its own time, the real time then, and how much faster it runs."""

    factor: float
    scaled_ms: int
    real_ms: int


class ScaledClock:
    """A clock that runs `factor` times as fast, for demonstrations: days pass in seconds.

    `start`: its time when the store is made (aware datetime, default now). Origin and factor are kept in the store, so
    after a restart it is as late as if it had gone on all the time. With another factor it goes on from there.
    """

    def __init__(self, factor: float, start: datetime | None = None) -> None:
        if not factor > 0:
            raise ValueError(f"factor {factor!r}: a clock runs forward, write a number above 0")
        now = time.time_ns() // 1_000_000
        self._origin = _Origin(factor, now if start is None else _ms(start), now)

    def now_ms(self) -> int:
        """See `Clock`."""
        return self._at(time.time_ns() // 1_000_000)

    def _at(self, real_ms: int) -> int:
        origin = self._origin
        return origin.scaled_ms + int((real_ms - origin.real_ms) * origin.factor)

    def seconds_until(self, due_ms: int) -> float | None:
        """See `Clock`."""
        return (due_ms - self.now_ms()) / 1000 / self._origin.factor

    def on_move(self, callback: Callable[[], None]) -> None:
        """Nobody moves it by hand."""

    def resume(self, stored: str | None, high_ms: int) -> str | None:
        """See `Clock`."""
        factor, real = self._origin.factor, time.time_ns() // 1_000_000
        if stored is None:
            self._origin = _Origin(factor, self._origin.scaled_ms, real)
        else:
            self._origin = msgspec.json.decode(stored, type=_Origin)
            if self._origin.factor != factor:
                self._origin = _Origin(factor, max(self._at(real), high_ms), real)
        return msgspec.json.encode(self._origin).decode()


class VirtualClock:
    """A clock that stands still until it is moved; for tests. It may be moved from any thread."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = _ms(start)
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def now_ms(self) -> int:
        """See `Clock`."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Let time pass. ValueError when it would go back."""
        if by < timedelta(0):
            raise ValueError(f"time does not go back: advance({by!r})")
        with self._lock:
            self._now += by // timedelta(milliseconds=1)
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def seconds_until(self, due_ms: int) -> float | None:
        """See `Clock`."""
        return 0.0 if due_ms <= self._now else None

    def on_move(self, callback: Callable[[], None]) -> None:
        """See `Clock`."""
        with self._lock:
            self._callbacks.append(callback)

    def resume(self, stored: str | None, high_ms: int) -> str | None:
        """Go on from the latest time in the store, if that is later."""
        with self._lock:
            self._now = max(self._now, high_ms)
        return None
