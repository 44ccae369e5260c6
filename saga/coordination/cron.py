"""When a schedule is due: cron expressions in a time zone, and what becomes of the times that were missed.

Rules
1. What an expression means is what `cronsim` says, which follows Debian's cron, also where clocks are changed: a time
   that there is not comes at the first minute that there is, a time that there is twice comes once, the first time.
   This holds for fixed times, in five fields. With a star for minutes or hours, or with seconds, the wall counts: what
   there is not is left out, what there is twice comes twice.
2. Times go in and come out as UTC ms. The same question has the same answer, whoever asks, from wherever he counts.
3. Nothing here knows what is stored, or what is started.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

from saga.errors import BadSchedule, NotInstalled

if TYPE_CHECKING:
    from cronsim import CronSim

__all__ = ["MISSED", "MOST_MISSED", "OVERLAP", "Missed", "Overlap", "Recurrence", "Runs", "runs_due"]

Missed = Literal["skip", "once", "all"]
Overlap = Literal["allow", "skip"]
MISSED: tuple[Missed, ...] = ("skip", "once", "all")
OVERLAP: tuple[Overlap, ...] = ("allow", "skip")

MOST_MISSED = 1_000
"""Runs that are made up for with "all", at most: the latest ones."""

LONGEST = 200
"""Characters of an expression or a zone; more is a mistake."""


class Recurrence:
    """The times that a cron expression means in a time zone."""

    def __init__(self, cron: str, time_zone: str) -> None:
        """Read both. Raises BadSchedule when one makes no sense, NotInstalled when `cronsim` is not there."""
        self._expression = cron
        self._zone = _zone(time_zone)
        self._read = _reader()
        if not isinstance(cron, str) or len(cron) > LONGEST:
            raise BadSchedule("cron", cron, _FIELDS)
        try:
            self._read(cron, datetime(2026, 1, 1, tzinfo=UTC))
        except Exception as error:  # its own error, and an assertion for what it has not thought of
            raise BadSchedule(
                "cron", cron, f"{str(error).lower() or 'it makes no sense'}; {_FIELDS}"
            ) from None

    def next_after(self, ms: int) -> int | None:
        """Return the first time after this one, None when none comes within fifty years."""
        return next(self._after(ms), None)

    def latest(self, after_ms: int, until_ms: int, count: int) -> list[int]:
        """Return the last `count` times of those after `after_ms` and not after `until_ms`, in order.

        Counts forward only, from a moment that is found by halving, so that a year of seconds is not gone through.
        """

        def few(second: int) -> bool:
            return len(list(islice(self._between(second * 1_000, until_ms), count + 1))) <= count

        if few(after_ms // 1_000):
            return list(self._between(after_ms, until_ms))
        start = bisect_left(range(until_ms // 1_000), True, lo=after_ms // 1_000, key=few)
        return list(self._between(start * 1_000, until_ms))

    def _between(self, after_ms: int, until_ms: int) -> Iterator[int]:
        for time_ms in self._after(after_ms):
            if time_ms > until_ms:
                return
            yield time_ms

    def _after(self, ms: int) -> Iterator[int]:
        """Yield the times after this one. In an hour that there is twice, cronsim may go back to the first of them."""
        last = ms
        try:
            for time in self._read(self._expression, datetime.fromtimestamp(ms / 1_000, self._zone)):
                time_ms = int(time.timestamp()) * 1_000
                if time_ms > last:
                    last = time_ms
                    yield time_ms
        except (OverflowError, ValueError, OSError):  # the year 10,000
            return


_FIELDS = (
    "write five fields (minute, hour, day, month, weekday), such as '0 3 * * *'; six begin with the second"
)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # which needs no database of zones
    try:
        if len(name) <= LONGEST:
            return ZoneInfo(name)
    except Exception:  # not found, a directory, a path that leads out, no text at all
        pass
    what = (
        "there is no such zone; write a name such as 'Europe/Berlin', or 'UTC' (on Windows, install tzdata)"
    )
    raise BadSchedule("time_zone", name, what)


def _reader() -> type[CronSim]:
    try:
        from cronsim import CronSim
    except ImportError:
        raise NotInstalled("cron expressions need the package cronsim", "saga-actors[cron]") from None
    return CronSim


class Runs(NamedTuple):
    """Which runs are to be started now, and when the next one is due (None: never again)."""

    due_ms: list[int]
    next_ms: int | None


def runs_due(
    recurrence: Recurrence, due_ms: int, now_ms: int, missed: str, *, was_down: bool, at_most: int
) -> Runs:
    """Return the runs of a schedule whose next one was due at `due_ms`, at most `at_most`; the rest stays due.

    A run was missed when it fell due while nobody was there (`was_down`), or when a later one is due as well. With
    "all" each is made up for, oldest first, of more than `MOST_MISSED` the latest. With "once" there is one run for
    all, the latest, and with "skip" there is none. The latest run of a process that was there is never a missed one.
    """
    if due_ms > now_ms:
        return Runs([], due_ms)
    if missed == "all":
        # what was due stays due, whatever zone and expression say by now
        found = [due_ms, *recurrence.latest(due_ms, now_ms, MOST_MISSED)][-MOST_MISSED:]
        if len(found) > at_most:
            return Runs(found[:at_most], found[at_most])
    elif missed == "skip" and was_down:
        found = []
    else:
        found = [due_ms, *recurrence.latest(due_ms, now_ms, 1)][-1:]
    return Runs(found, recurrence.next_after(now_ms))
