"""Sagas are started: at once, later, together, or again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Raw

from saga.arguments import MOST_ID, checked_id, checked_tags, checked_text, known_id, milliseconds
from saga.codec import codec_for
from saga.coordination import requests as q
from saga.coordination.cron import Missed, Overlap, Recurrence
from saga.coordination.schedules import new_row
from saga.errors import BadSchedule
from saga.flow.saga import Saga
from saga.handle import Handle, refuse_in_actor
from saga.ids import new_id
from saga.line import Reply
from saga.runtime.wired import Wired
from saga.schedules import Schedule, read_schedules, run_id, schedule_of
from saga.store import ScheduleRow

__all__ = ["Start", "Starting"]

I = TypeVar("I")  # noqa: E741 - I as in input


@dataclass(frozen=True, slots=True)
class Start(Generic[I]):
    """One saga to be started by `Runtime.start_many`; the arguments are those of `Runtime.start`."""

    saga: type[Saga[I]]
    input: I
    id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None


class Starting(Wired):
    """Starts sagas, and hands out handles."""

    def start(
        self,
        saga: type[Saga[I]],
        input: I,
        *,
        id: str | None = None,
        tags: Mapping[str, str] | None = None,
        at: datetime | None = None,
        timeout: float = 30.0,
    ) -> Handle:
        """Start a saga; return when that is on disk.

        - `id`: names it for ever; a second start with the same saga and input gives the same handle. None: a new one;
        - `tags`: to find it by, strings to strings;
        - `at`: when its flow begins (aware datetime), None: at once;
        - `timeout`: seconds to wait for room when too many sagas are active.

        Raises SagaConflict (the id is taken), NotEncodable (the input), Overloaded, RuntimeClosed, StoreFailed.
        """
        return self.start_many([Start(saga, input, id, tags or {}, at)], timeout=timeout)[0]

    def start_many(self, starts: Iterable[Start[Any]], *, timeout: float = 30.0) -> list[Handle]:
        """Start many sagas in one commit, all or none; return their handles in the same order. Raises as `start`."""
        self._open_crew()
        request = self._start_request(starts)
        completions = self._line.ask(request, request.reply, timeout)
        return self._line.handles(completions)

    async def start_async(
        self,
        saga: type[Saga[I]],
        input: I,
        *,
        id: str | None = None,
        tags: Mapping[str, str] | None = None,
        at: datetime | None = None,
        timeout: float = 30.0,
    ) -> Handle:
        """`start` for asyncio: does not block the loop."""
        return (await self.start_many_async([Start(saga, input, id, tags or {}, at)], timeout=timeout))[0]

    async def start_many_async(self, starts: Iterable[Start[Any]], *, timeout: float = 30.0) -> list[Handle]:
        """`start_many` for asyncio: does not block the loop."""
        self._open_crew()
        request = self._start_request(starts)
        completions = await self._line.ask_async(request, request.reply, timeout)
        return self._line.handles(completions)

    def handle(self, id: str) -> Handle:
        """Return a handle of a saga that was started before; waiting for one that is not there raises UnknownSaga."""
        crew = self._open_crew()
        return self._line.handle(crew.completions.of(known_id(id)))

    def _start_request(self, starts: Iterable[Start[Any]]) -> q.StartSagas:
        refuse_in_actor("start")
        return q.StartSagas([self._start_of(start) for start in starts], Reply())

    def _start_of(self, start: Start[Any]) -> q.Start:
        definition = self._definitions.of(start.saga)
        data, twin = codec_for(definition.input).roundtrip(start.input)
        saga_id = new_id() if start.id is None else checked_id(start.id)
        return q.Start(definition, saga_id, Raw(data), twin, checked_tags(start.tags), milliseconds(start.at))

    def schedule(
        self,
        name: str,
        saga: type[Saga[I]],
        input: I,
        *,
        cron: str,
        time_zone: str = "UTC",
        missed: Missed = "once",
        overlap: Overlap = "allow",
        tags: Mapping[str, str] | None = None,
        replace: bool = False,
        timeout: float = 30.0,
    ) -> Schedule:
        """Start a saga again and again, with the same input; return when that is on disk. See docs/schedules.md.

        - `name`: of the schedule. A run has the id `NAME@2026-11-26T02:00:00Z`, the time it was due, in UTC, and the
          tags `schedule` and `due_at` beside those of `tags`;
        - `saga`: the newest version that is given to the runtime, also when that is another one later;
        - `cron`: five fields, in `time_zone` (a name such as "Europe/Berlin"); needs `saga-actors[cron]`;
        - `missed`: for runs that fell due while nobody was there: "once" starts one for all of them, "all" each (of
          more than 1,000 the latest), "skip" none;
        - `overlap`: when the run before has not ended: "allow" starts the next one as well, "skip" leaves it out.

        Given again, it changes nothing; with other arguments it takes the old one's place if `replace` is set, and
        counts from now. Raises ScheduleConflict when it is not, BadSchedule, NotInstalled (cronsim), NotEncodable (the
        input), RuntimeClosed, StoreFailed.
        """
        self._open_crew()
        refuse_in_actor("schedule")
        definition = self._definitions.of(saga)
        newest = self._definitions.newest(definition.graph.name)
        if newest is not None and newest is not definition:
            what = f"runs are of the newest version in this runtime, which is {newest.graph.version}; schedule that"
            raise BadSchedule("saga", f"{definition.graph.name} version {definition.graph.version}", what)
        recurrence = Recurrence(cron, time_zone)
        cron, time_zone = checked_text("cron", cron), checked_text("time_zone", time_zone)
        data, _ = codec_for(definition.input).roundtrip(input)
        name = checked_id(name, MOST_ID - len(run_id("", 0)), "name")
        row = new_row(definition, name, data, checked_tags(tags or {}), cron, time_zone, missed, overlap)
        reply: Reply[ScheduleRow] = Reply()
        return schedule_of(self._line.ask(q.SetSchedule(row, recurrence, replace, reply), reply, timeout))

    def unschedule(self, name: str, *, timeout: float = 30.0) -> bool:
        """Start no more runs of a schedule; return whether there was one, when that is on disk.

        Runs that have begun go on. Raises RuntimeClosed, StoreFailed.
        """
        refuse_in_actor("unschedule")
        reply: Reply[bool] = Reply()
        return self._line.ask(q.DropSchedule(checked_text("name", name), reply), reply, timeout)

    def schedules(self) -> list[Schedule]:
        """Return all schedules, by name."""
        return self._read(read_schedules)
