"""Schedules: recurring starts of sagas, as an application lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from saga.store import ScheduleRow, StoreReader
from saga.times import utc

__all__ = ["DUE_AT", "SCHEDULE", "Schedule", "due_text", "read_schedules", "run_id", "schedule_of"]

SCHEDULE, DUE_AT = "schedule", "due_at"
"""The tags of a run: the name of its schedule, and when it was due."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Recurring starts of a saga; see `Runtime.schedule`.

    - `name`, `saga`: of the schedule, and of the definition; `tags`: those of every run, beside its own two;
    - `cron`, `time_zone`, `missed`, `overlap`: as they were given; `since`: when that was;
    - `next_at`: when the next run is due, None: never again; `last_at`, `last_id`: when the last run that was started
      was due, and its id, None: there was none yet; `runs`: how many were started. All times in UTC;
    - `problem`: why no run can be started, None: it can.
    """

    name: str
    saga: str
    input_type: str
    tags: dict[str, str]
    cron: str
    time_zone: str
    missed: str
    overlap: str
    since: datetime
    next_at: datetime | None
    last_at: datetime | None
    last_id: str | None
    runs: int
    problem: str | None


def run_id(name: str, due_ms: int) -> str:
    """Return the id of the run of a schedule that is due at this time: it is started once, whatever happens."""
    return f"{name}@{due_text(due_ms)}"


def due_text(due_ms: int) -> str:
    """Return a time of a schedule as `2026-11-26T02:00:00Z`, which `datetime.fromisoformat` reads."""
    return utc(due_ms).isoformat(timespec="seconds").replace("+00:00", "Z")


def read_schedules(reader: StoreReader) -> list[Schedule]:
    """Return all schedules, by name."""
    return [schedule_of(row) for row in reader.schedules()]


def schedule_of(row: ScheduleRow) -> Schedule:
    """Return a schedule as an application sees it."""
    last = row.last_ms
    return Schedule(
        row.name,
        row.saga,
        row.input_type,
        msgspec.json.decode(row.tags, type=dict[str, str]),
        row.cron,
        row.time_zone,
        row.missed,
        row.overlap,
        utc(row.since_ms),
        None if row.next_ms is None else utc(row.next_ms),
        None if last is None else utc(last),
        None if last is None else run_id(row.name, last),
        row.runs,
        row.problem,
    )
