"""The event log and its deliveries as the application sees them: rows with their events as objects.

An event is given as an instance of its class where the runtime knows that; else, and when it was stored in a shape
that the class has no more, as plain JSON values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from saga.codec import codec_for
from saga.errors import SagaError, UsageError
from saga.messages import Event, type_name
from saga.store import EventRow, RetryRow
from saga.times import utc

__all__ = ["Delivery", "EventClasses", "LoggedEvent", "event_type_of"]


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event of the log.

    - `no`: its place in the log, which is the order in which all listeners get it;
    - `id`; `type`: its stored name, such as `GoodsFetched/1`; `key`: what waiting sagas are matched by, as text, or
      None; `event`: the event itself, or plain JSON values;
    - `at`: when it came into the log, UTC; `source`: the context that published it, or `runtime`;
    - `correlation`: id of the root saga, `send` or `publish` that all this belongs to; `causation`: id of the command
      or event that was being handled when it was published, or None.
    """

    no: int
    id: str
    type: str
    key: str | None
    event: Any
    at: datetime
    source: str
    correlation: str
    causation: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that a listener has failed on.

    - `context`: whose listener; `event_no`, `event_id`, `event_type`, `event`, `correlation`: as in `LoggedEvent`;
    - `attempts`: how often it has failed, the last time at `failed_at`, and `reason`: what it has raised then;
    - `next_at`: when it is tried again; None: it is set aside, until `Runtime.retry_deliveries`.
    """

    context: str
    event_no: int
    event_id: str
    event_type: str
    event: Any
    correlation: str
    attempts: int
    failed_at: datetime
    next_at: datetime | None
    reason: str

    @property
    def set_aside(self) -> bool:
        """Whether it is not tried again by itself."""
        return self.next_at is None


class EventClasses:
    """The event classes that a runtime knows, by their stored names."""

    def __init__(self, classes: Iterable[type[Any]]) -> None:
        self._classes: Mapping[str, type[Any]] = {type_name(cls): cls for cls in classes}

    def read(self, type: str, payload: bytes, wanted: type[Any] | None = None) -> Any:
        """Return the event that `payload` is, as `wanted` or the class that is known; else as plain JSON values."""
        cls = wanted or self._classes.get(type)
        if cls is not None:
            try:
                return codec_for(cls).decode(payload)
            except SagaError:  # of a shape that the class had once
                pass
        return msgspec.json.decode(payload)

    def logged(self, row: EventRow, wanted: type[Any] | None = None) -> LoggedEvent:
        """Return a row of the log with its event."""
        event = self.read(row.type, row.payload, wanted)
        at = utc(row.at_ms)
        return LoggedEvent(
            row.no, row.id, row.type, row.key, event, at, row.source, row.correlation, row.causation
        )

    def delivery(self, context: str, row: RetryRow) -> Delivery:
        """Return a delivery that has failed, with its event."""
        return Delivery(
            context,
            row.event_no,
            row.event_id,
            row.event_type,
            self.read(row.event_type, row.payload),
            row.correlation,
            row.attempt,
            utc(row.failed_ms),
            None if row.due_ms is None else utc(row.due_ms),
            row.reason,
        )


_TYPE = re.compile(r"[A-Za-z_][\w.\-]*/[1-9][0-9]*")


def event_type_of(event: type[Event] | str) -> str:
    """Return the stored name of an event type, given as that or as its class. Raises UsageError for anything else."""
    if isinstance(event, type) and issubclass(event, Event) and event is not Event:
        return type_name(event)
    if isinstance(event, str) and _TYPE.fullmatch(event):
        return event
    raise UsageError(
        f"{event!r:.80} is no event type: give its class, or its stored name, such as 'GoodsFetched/1'"
    )
