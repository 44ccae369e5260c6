"""Where everything stands, read from the files beside all that goes on."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

from saga.arguments import checked_count, checked_id, checked_statuses, known_id
from saga.coordination.evaluation import key_text
from saga.errors import SagaError, UnknownSaga, UsageError
from saga.event_log import Delivery, LoggedEvent, event_type_of
from saga.flow.saga import Saga
from saga.history import HistoryEntry, read_history
from saga.machine import Status
from saga.messages import Event
from saga.participants import Context
from saga.runtime.wired import Wired, context_name
from saga.store import OverviewRow, StoreReader
from saga.story import Trace, gather, tell

__all__ = ["Looking"]


class Looking(Wired):
    """Reads sagas, events, deliveries and stories."""

    def history(self, id: str) -> list[HistoryEntry]:
        """Return everything that happened to a saga, in order. Raises UnknownSaga."""

        def read(reader: StoreReader) -> list[HistoryEntry]:
            row = reader.saga(known_id(id))
            if row is None:
                raise UnknownSaga(id)
            return [*read_history(reader.journal(row.no))]

        return self._read(read)

    def find(self, id: str) -> OverviewRow:
        """Return where a saga stands: its status, times, refusal and tags. Raises UnknownSaga.

        Like `history` and `list` it reads the file for a moment; from asyncio, use `asyncio.to_thread`.
        """

        def read(reader: StoreReader) -> OverviewRow:
            for row in reader.overview(id=known_id(id), limit=1):
                return row
            raise UnknownSaga(id)

        return self._read(read)

    def list(
        self,
        *,
        saga: type[Saga[Any]] | str | None = None,
        status: Status | str | Sequence[Status | str] | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int = 100,
        after: int | None = None,
    ) -> list[OverviewRow]:
        """Return sagas, the newest first, at most `limit`.

        - `saga`: the class or its name; `status`: one or several; `tags`: all of these must be there;
        - `after`: the `no` of the last row of the page before.
        """
        name = self._definitions.of(saga).graph.name if isinstance(saga, type) else saga
        statuses = None if status is None else checked_statuses(status)
        return self._read(
            lambda reader: reader.overview(saga=name, status=statuses, tags=tags, limit=limit, after=after)
        )

    def events(
        self,
        *,
        type: type[Event] | str | None = None,
        key: object = None,
        correlation: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> builtins.list[LoggedEvent]:
        """Return events of the log, the oldest first, at most `limit`.

        - `type`: of this class, or stored name (`GoodsFetched/1`); `key`: with this key, as the event has it;
        - `correlation`: of the story of this root saga, `send` or `publish`;
        - `after`: the `no` of the last row of the page before.

        Events that nobody needs any more are let go of after a while. Raises UsageError for arguments that make no
        sense.
        """
        name = None if type is None else event_type_of(type)
        wanted = None if type is None or isinstance(type, str) else type
        text = None if key is None else _key(key)
        if correlation is not None and not isinstance(correlation, str):
            raise UsageError(f"correlation={correlation!r:.80}: give an id, as a string")
        after, limit = checked_count("after", after, 0), checked_count("limit", limit, 1)
        rows = self._read(
            lambda reader: reader.events(
                type=name, key=text, correlation=correlation, after=after, limit=limit
            )
        )
        return [self._event_classes.logged(row, wanted) for row in rows]

    def deliveries(
        self,
        context: type[Context] | str | None = None,
        *,
        set_aside: bool | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> builtins.list[Delivery]:
        """Return the events that listeners have failed on, the oldest event first.

        - `context`: of this one only; `set_aside`: those that are set aside (True), or will be tried again (False);
        - `after`: the `event_no` of the last row of the page before; `limit`: how many, at most, and then those of
          the last event that are left, so that no page ends within an event.

        Raises UsageError for arguments that make no sense, or a context that this store does not have.
        """
        after, limit = checked_count("after", after, 0), checked_count("limit", limit, 1)
        only = None if context is None else context_name(context)
        found = self._read_contexts(
            lambda reader: reader.retries(set_aside=set_aside, after=after, limit=limit), only
        )
        rows = sorted(
            ((row, name) for name, rows in found.items() for row in rows),
            key=lambda each: (each[0].event_no, each[1]),
        )
        last = rows[limit - 1][0].event_no if len(rows) >= limit else None
        return [
            self._event_classes.delivery(name, row)
            for row, name in rows
            if last is None or row.event_no <= last
        ]

    def trace(self, id: str) -> Trace:
        """Return the whole story that `id` belongs to: who commanded, who answered, who published, who listened.

        `id`: of a saga (a child saga, too), an event, a command, a `send` or a `publish`. What was let go of (old
        events, old answers of contexts) is not in it. Raises UnknownId when nothing has this id (any more).
        """
        return tell(gather(checked_id(id), _Sources(self)))


class _Sources:
    """What a story is gathered from, read as this runtime reads."""

    def __init__(self, runtime: Wired) -> None:
        self.of_sagas, self.of_contexts = runtime._read, runtime._read_contexts


def _key(key: object) -> str:
    try:
        return key_text(key)
    except SagaError as error:
        raise UsageError(f"key={key!r:.80} cannot be the key of an event: {error}") from error
