"""What is stored under one correlation id.

The files move on between two looks. The contexts are looked at before saga.db: what has left an outbox meanwhile is
in the log then, and what is in both is taken once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from saga.errors import UnknownId
from saga.store import EventRow, InboxRow, OutboxRow, RetryRow, StoreFiles, StoreReader
from saga.store.inspection import ContextReader, ListenerRow, StoredSaga, event_of, sagas_of, stored_sagas

__all__ = ["Sources", "StoredSources", "Story", "gather"]

T = TypeVar("T")

MOST_SAGAS, MOST_EVENTS = 1_000, 10_000
"""What one story tells, at most."""

SEND, PUBLISH = "send:", "runtime:"
"""What the ids of commands and events from outside begin with, though their sender need not know."""


class Sources(Protocol):
    """Where a store is read."""

    def of_sagas(self, read: Callable[[StoreReader], T]) -> T:
        """Return what `read` finds in saga.db."""

    def of_contexts(self, read: Callable[[ContextReader], T]) -> dict[str, T]:
        """Return context → what `read` finds in its file."""


class StoredSources:
    """A store on disk, whether it is in use or not."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader

    def of_sagas(self, read: Callable[[StoreReader], T]) -> T:
        """See `Sources`."""
        return read(self._reader)

    def of_contexts(self, read: Callable[[ContextReader], T]) -> dict[str, T]:
        """See `Sources`."""
        files: StoreFiles = self._reader.files
        found = {}
        for name in self._reader.contexts():
            with ContextReader.open(files, name) as context:
                found[name] = read(context)
        return found


class Sent(NamedTuple):
    """A command that the application has sent to a context."""

    context: str
    type: str
    row: InboxRow


class Told(NamedTuple):
    """What one context knows of a story."""

    answers: dict[str, InboxRow]
    """Command id → how it ended."""
    sent: tuple[str, InboxRow] | None
    outbox: list[OutboxRow]
    listeners: list[ListenerRow]
    failed: list[RetryRow]


@dataclass
class Story:
    """Everything that is stored under one correlation id."""

    correlation: str
    sagas: list[StoredSaga] = field(default_factory=list)
    names: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Number of a definition → name and version."""
    events: list[EventRow] = field(default_factory=list)
    others: dict[str, EventRow] = field(default_factory=dict)
    """Events of other stories that sagas of this one have taken or were started by, by id."""
    contexts: dict[str, Told] = field(default_factory=dict)
    truncated: bool = False
    """There is more than is told."""

    @property
    def sent(self) -> Sent | None:
        """The command of the application that all this has begun with, if it was one."""
        for name, told in self.contexts.items():
            if told.sent is not None:
                return Sent(name, *told.sent)
        return None

    def waiting(self) -> list[tuple[str, OutboxRow]]:
        """Return (context, event) of those that are in an outbox and not yet in the log."""
        logged = {event.id for event in self.events}
        return [
            (name, row)
            for name, told in self.contexts.items()
            for row in told.outbox
            if row.event_id not in logged
        ]


def gather(id: str, sources: Sources) -> Story:
    """Return the story that `id` belongs to: the id of a saga, an event, a command, or of a `send` or `publish`.

    Raises UnknownId when there is nothing of this id (any more).
    """
    correlation = sources.of_sagas(lambda reader: _in_sagas(reader, id)) or _in_contexts(sources, id)
    if correlation is None:
        raise UnknownId(id)
    story = Story(correlation)
    ids = sources.of_sagas(lambda reader: _saga_ids(reader, correlation))
    story.contexts = sources.of_contexts(lambda context: _told(context, correlation, ids))
    sources.of_sagas(lambda reader: _fill(reader, story))
    return story


def _in_sagas(reader: StoreReader, id: str) -> str | None:
    """Return the correlation of what has this id in saga.db."""
    with reader.moment():
        saga = reader.saga(id)
        if saga is not None:
            return saga.correlation
        for event_id in (id, PUBLISH + id):
            event = event_of(reader, event_id)
            if event is not None:
                return event.correlation
        for correlation in (id, SEND + id, PUBLISH + id):
            if sagas_of(reader, correlation, 1) or reader.events(correlation=correlation, limit=1):
                return correlation
        saga = reader.saga(id.rpartition(":")[0])  # of a command: `order-42:take_payment.1`
        return None if saga is None else saga.correlation


def _in_contexts(sources: Sources, id: str) -> str | None:
    """Return the correlation of what only the file of a context knows: a send, or an event not yet in the log."""

    def look(context: ContextReader) -> str | None:
        for command_id in (id, SEND + id):
            if context.sent(command_id) is not None:
                return command_id
        return context.correlation_of(id)

    return next((found for found in sources.of_contexts(look).values() if found is not None), None)


def _saga_ids(reader: StoreReader, correlation: str) -> list[str]:
    with reader.moment():
        nos = sagas_of(reader, correlation, MOST_SAGAS)
        return [stored.row.id for stored in stored_sagas(reader, nos)]


def _told(context: ContextReader, correlation: str, saga_ids: list[str]) -> Told:
    with context.moment():
        return Told(
            context.answers_of(saga_ids),
            context.sent(correlation),
            context.published(correlation=correlation, limit=MOST_EVENTS),
            context.listeners(),
            context.failed(correlation=correlation, limit=MOST_EVENTS),
        )


def _fill(reader: StoreReader, story: Story) -> None:
    """Add what is in saga.db."""
    with reader.moment():
        nos = sagas_of(reader, story.correlation, MOST_SAGAS + 1)
        story.events = reader.events(correlation=story.correlation, limit=MOST_EVENTS + 1)
        story.truncated = len(nos) > MOST_SAGAS or len(story.events) > MOST_EVENTS
        del story.events[MOST_EVENTS:]
        story.sagas = stored_sagas(reader, nos[:MOST_SAGAS])
        story.names = {row.no: (row.name, row.version) for row in reader.definitions()}
        known = {event.id for event in story.events}
        for cause in {row.cause for saga in story.sagas for row in saga.journal if row.cause} - known:
            event = event_of(reader, cause)
            if event is not None:
                story.others[cause] = event
