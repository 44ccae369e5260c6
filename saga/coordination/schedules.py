"""Recurring starts: kept in saga.db, started when they are due, each run once.

Rules
1. A run and the move to the next one are in one commit. The id of a run names its time, so that even a commit that is
   written in pieces does not start it twice.
2. A schedule that cannot start its saga keeps its place and says why (`problem`): it is looked at again when the store
   is opened, or the schedule is given again. It holds up nobody.
3. A run does not wait for room as starts of the application do (see `intake`), but only some are started in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import msgspec
from msgspec import Raw

from saga.codec import codec_for
from saga.coordination import requests as q
from saga.coordination.cron import MISSED, OVERLAP, Recurrence, Runs, runs_due
from saga.coordination.definitions import Definitions
from saga.coordination.guard import describe
from saga.coordination.instances import Instance
from saga.coordination.ledger import Ledger
from saga.errors import BadSchedule, SagaError, ScheduleConflict, UsageError
from saga.flow.definition import Definition
from saga.log import Log
from saga.schedules import DUE_AT, SCHEDULE, due_text, run_id
from saga.seams import seam
from saga.store import SagaStore, ScheduleRow, schedule_digest

__all__ = ["Schedules", "new_row"]

log = Log("saga.schedules")

RUNS_AT_ONCE = 64
"""Runs that are started in one batch; the rest follows in the next, so that messages get their turn."""

ARGUMENTS = ("saga", "input_type", "input", "tags", "cron", "time_zone", "missed", "overlap")
"""The columns that a person has said."""


def new_row(
    definition: Definition,
    name: str,
    input: bytes,
    tags: Mapping[str, str],
    cron: str,
    time_zone: str,
    missed: str,
    overlap: str,
) -> ScheduleRow:
    """Return the row of a schedule that was never due. Raises BadSchedule for a policy or tags that make no sense."""
    for argument, value, known in (("missed", missed, MISSED), ("overlap", overlap, OVERLAP)):
        if value not in known:
            raise BadSchedule(argument, value, f"write one of {', '.join(map(repr, known))}")
    for key in (SCHEDULE, DUE_AT):
        if key in tags:
            raise BadSchedule(
                "tags", dict(tags), f"{key!r} is given to each run by its schedule; use another key"
            )
    says = (
        name,
        definition.graph.name,
        codec_for(definition.input).name,
        input,
        msgspec.json.encode(dict(sorted(tags.items()))),
        " ".join(cron.split()),
        time_zone,
        missed,
        overlap,
    )
    return ScheduleRow(*says, schedule_digest(says), 0, None, None, 0, None)


class Schedules:
    """All recurring starts of a store. `find` returns the saga of a number."""

    def __init__(
        self,
        store: SagaStore,
        definitions: Definitions,
        ledger: Ledger,
        find: Callable[[int], Instance | None],
    ) -> None:
        self._store, self._definitions, self._ledger, self._find = store, definitions, ledger, find
        self._rows = {row.name: row for row in store.schedules()}
        self._recurrences: dict[str, Recurrence] = {}
        """Of the schedules that have no problem."""

    def next_due(self) -> int | None:
        """Return when the next run is due, in UTC ms, or None."""
        due = [row.next_ms for row in self._rows.values() if row.problem is None]
        return min((each for each in due if each is not None), default=None)

    def examine(self) -> None:
        """Find out which schedules cannot start their saga here; once, before any is due."""
        for row in list(self._rows.values()):
            problem = self._problem(row)
            if problem is not None:
                log.error("schedule_held", schedule=row.name, reason=problem)
            if problem != row.problem:
                self._keep(row._replace(problem=problem))

    def _problem(self, row: ScheduleRow) -> str | None:
        """Return why a schedule cannot start its saga, or None when it can."""
        if row.digest != schedule_digest(row[:9]):
            return "what is stored does not fit its digest; schedule it again"
        definition = self._definitions.newest(row.saga)
        if definition is None:
            return f"{row.saga} is not known to this runtime; add its class to Runtime(sagas=[...])"
        codec = codec_for(definition.input)
        if codec.name != row.input_type:
            version = definition.graph.version
            return (
                f"its input is a {row.input_type}, and {row.saga} version {version} takes a {codec.name}; "
                f"schedule it with replace=True"
            )
        try:
            codec.decode(row.input)
            self._recurrences[row.name] = Recurrence(row.cron, row.time_zone)
        except SagaError as error:
            return str(error)
        return None

    def _keep(self, row: ScheduleRow) -> None:
        self._rows[row.name] = self._ledger.batch.schedules[row.name] = row

    # --- what the application asks ----------------------------------------------------------------

    def take(self, request: q.SetSchedule | q.DropSchedule) -> Callable[[], None]:
        """Do what is asked; return what is to be done once that is on disk."""
        if isinstance(request, q.DropSchedule):
            return self._drop(request)
        try:
            row = self._set(request)
        except UsageError as error:
            refusal = error
            return lambda: request.reply.set_exception(refusal)
        return lambda: request.reply.set_result(row)

    def _drop(self, request: q.DropSchedule) -> Callable[[], None]:
        there = self._rows.pop(request.name, None)
        self._recurrences.pop(request.name, None)
        if there is not None:
            self._ledger.batch.schedules[request.name] = None
        return lambda: request.reply.set_result(there is not None)

    def _set(self, request: q.SetSchedule) -> ScheduleRow:
        row, there = request.row, self._rows.get(request.row.name)
        if there is not None and there.digest == row.digest:
            if there.problem is None:
                return there
            row = row._replace(since_ms=there.since_ms, next_ms=there.next_ms)  # it goes on where it was held
        elif there is not None and not request.replace:
            raise ScheduleConflict(row.name, _differences(there, row))
        if row.next_ms is None:
            row = self._first(row, request.recurrence)
        if there is not None:
            row = row._replace(last_ms=there.last_ms, runs=there.runs)
        self._recurrences[row.name] = request.recurrence
        self._keep(row)
        return row

    def _first(self, row: ScheduleRow, recurrence: Recurrence) -> ScheduleRow:
        now = self._ledger.now
        first = recurrence.next_after(now)
        if first is None:
            raise BadSchedule("cron", row.cron, "there is no such time within the next fifty years")
        return row._replace(since_ms=now, next_ms=first)

    # --- runs -------------------------------------------------------------------------------------

    def fire(self, *, was_down: bool) -> bool:
        """Start the runs that are due, the longest due schedule first; return whether there are more.

        `was_down`: what is due fell due while nobody was there.
        """
        now, left = self._ledger.now, RUNS_AT_ONCE
        for due_ms, name in self._due(now):
            row = self._rows[name]
            try:
                runs = runs_due(
                    self._recurrences[name], due_ms, now, row.missed, was_down=was_down, at_most=left
                )
            except Exception as error:  # a bug, of ours or of cronsim
                self._hold(row, f"when it is due cannot be told: {describe(error)}")
                continue
            if not runs.due_ms:
                log.info("schedule_missed", schedule=name, due_at=due_text(due_ms))
            self._run(row, runs)
            left -= len(runs.due_ms)
            if left <= 0:
                break
        return bool(self._due(now))

    def _due(self, now: int) -> list[tuple[int, str]]:
        return sorted(
            (row.next_ms, row.name)
            for row in self._rows.values()
            if row.problem is None and row.next_ms is not None and row.next_ms <= now
        )

    def _run(self, row: ScheduleRow, runs: Runs) -> None:
        for due_ms, next_ms in pairwise([*runs.due_ms, runs.next_ms]):
            assert due_ms is not None
            try:
                started = self._start(row, due_ms)
            except Exception as error:  # its input cannot be read any more, or the machine has failed
                self._ledger.discard_start(run_id(row.name, due_ms))
                self._hold(
                    row._replace(next_ms=due_ms), f"a run cannot be started: {describe(error, trace=False)}"
                )
                return
            if started:
                row = row._replace(last_ms=due_ms, runs=row.runs + 1)
            row = row._replace(next_ms=next_ms)
        seam("schedule.runs-started")
        self._keep(row._replace(next_ms=runs.next_ms))

    def _hold(self, row: ScheduleRow, problem: str) -> None:
        log.error("schedule_held", schedule=row.name, reason=problem)
        self._keep(row._replace(problem=problem))

    def _start(self, row: ScheduleRow, due_ms: int) -> bool:
        """Start a run; False when it is not to be, or was started before."""
        saga_id = run_id(row.name, due_ms)
        if self._ledger.started_here(saga_id) or self._store.find(saga_id):
            log.warning("schedule_run_is_there", schedule=row.name, saga_id=saga_id)
            return False
        if row.overlap == "skip" and self._is_going_on(row):
            log.info("schedule_overlaps", schedule=row.name, saga_id=saga_id)
            return False
        definition = self._definitions.newest(row.saga)
        assert definition is not None
        tags = msgspec.json.decode(row.tags, type=dict[str, str])
        tags |= {SCHEDULE: row.name, DUE_AT: due_text(due_ms)}
        value = codec_for(definition.input).decode(
            row.input
        )  # of its own: an author may change what is in it
        cause = f"schedule:{row.name}"
        self._ledger.start(q.Start(definition, saga_id, Raw(row.input), value, tags, 0, causation=cause))
        return True

    def _is_going_on(self, row: ScheduleRow) -> bool:
        """Return whether the last run has not ended; what has happened in this batch counts."""
        if row.last_ms is None:
            return False
        last_id = run_id(row.name, row.last_ms)
        here = self._ledger.started_here(last_id)
        if here is not None:
            return here[0].state.ended is None
        stored = self._store.find(last_id)
        if stored is None or stored.ended_ms is not None:
            return False
        instance = self._find(stored.no)
        return instance is None or instance.state.ended is None


def _differences(one: ScheduleRow, other: ScheduleRow) -> list[str]:
    """Return the arguments in which two schedules differ."""
    return [name for name in ARGUMENTS if getattr(one, name) != getattr(other, name)]
