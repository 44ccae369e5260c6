"""A story as a tree: below each thing stands what it has led to.

    a saga            its commands, the events it has taken, where it turned back and how it ended
    a command         the answer of its participant; the events published on it; the sagas that it has called
    an event          who has listened, and what these have published; the sagas that it has woken or started

What stands beside each other is in the order of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from saga.history import HistoryEntry, read_history
from saga.machine import command_id
from saga.store import EventRow, InboxRow
from saga.store.inspection import StoredSaga
from saga.story.gathering import Story
from saga.times import utc

__all__ = ["Trace", "TraceEntry", "tell"]

What = Literal["saga", "command", "answer", "event", "listener", "taken", "note"]


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One line of a story.

    - `depth`: how far below the beginning; what an entry has led to follows it, one deeper;
    - `at`: when, UTC; None for a listener, which leaves no note of the time;
    - `what`: `saga`, `command`, `answer`, `event`, `listener`, `taken` (a saga goes on with an event), `note`;
    - `who`: who did it: the id of a saga, the name of a participant, or `application`;
    - `text`: the entry as a sentence;
    - `id`, `cause`: of the saga, command or event, and of what led to it; else None;
    - `type`: of the command or event; `outcome`: what became of it, such as `done`, `refused`, `COMPLETED`.
    """

    depth: int
    at: datetime | None
    what: What
    who: str
    text: str
    id: str | None = None
    cause: str | None = None
    type: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """The whole story of one correlation id: entries from first to last, each followed by what it has led to."""

    correlation: str
    entries: list[TraceEntry]
    truncated: bool
    """Whether there was more than a story may hold."""


@dataclass
class _Node:
    """One entry, and what it has led to."""

    at_ms: int | None
    what: What
    who: str
    text: str
    id: str | None = None
    cause: str | None = None
    type: str | None = None
    outcome: str | None = None
    rank: int = 0
    """Among what happened in the same millisecond: sagas before answers, answers before events."""
    below: list[_Node] = field(default_factory=list)


def tell(story: Story) -> Trace:
    """Return the story as entries in order."""
    teller = _Teller(story)
    teller.sagas()
    teller.sent()
    teller.events()
    teller.listeners()
    entries = [entry for node in teller.roots() for entry in _entries(node)]
    return Trace(story.correlation, entries, story.truncated)


def _entries(root: _Node) -> Iterator[TraceEntry]:
    stack = [(0, root)]  # a chain of events may be longer than Python's own stack
    while stack:
        depth, node = stack.pop()
        at = None if node.at_ms is None else utc(node.at_ms)
        yield TraceEntry(
            depth, at, node.what, node.who, node.text, node.id, node.cause, node.type, node.outcome
        )
        below = sorted(node.below, key=_place)
        stack += [(depth + 1, each) for each in reversed(below)]


def _place(node: _Node) -> tuple[int, int]:
    return (node.at_ms or 0, node.rank)


class _Teller:
    """Makes the nodes, and finds for each what led to it."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._sagas: dict[str, _Node] = {}
        self._commands: dict[str, _Node] = {}
        self._events: dict[str, _Node] = {}
        """Each by its id; a saga that was called has the id of the command that called it."""
        self._heard: dict[tuple[str, str], _Node] = {}
        """Event id and context → the node of its listener."""
        self._after_events: list[tuple[str, _Node]] = []
        """What is to be put below an event, if it is in the story."""
        self._loose: list[_Node] = []
        """What is to be put below its cause, when everything is known."""

    def roots(self) -> list[_Node]:
        """Put everything below what has led to it; return what has no cause here."""
        roots = []
        for node in self._loose:
            above = self._cause(node)
            if above is None:
                roots.append(node)
            else:
                above.below.append(node)
        return sorted(roots, key=_place)

    def _cause(self, node: _Node) -> _Node | None:
        cause = node.cause
        if not cause:
            return None
        if node.what == "event" and (cause, node.who) in self._heard:
            return self._heard[cause, node.who]
        of_saga = node.what == "event" and node.who in self._sagas
        for known in () if of_saga else (self._commands, self._events):
            if cause in known:
                return known[cause]
        for saga_id in (cause, cause.rpartition(":")[0]):  # itself, or something in it that is no command
            above = self._sagas.get(saga_id)
            if above is not None and above is not node:
                return above
        return None

    # --- sagas ------------------------------------------------------------------------------------

    def sagas(self) -> None:
        """The sagas, with what their journals tell."""
        for stored in self._story.sagas:
            row = stored.row
            name, version = self._story.names.get(row.definition_no, ("?", 0))
            text = f"{row.id}: {name} version {version} starts"
            node = _Node(
                row.started_ms, "saga", row.id, text, row.id, row.causation, name, row.status, rank=-1
            )
            self._sagas[row.id] = node
            self._loose.append(node)
            self._foreign_cause(node)
            self._journal(stored, node)

    def _foreign_cause(self, node: _Node) -> None:
        """The event that a saga of this story was started by, when it belongs to another one."""
        event = self._story.others.get(node.cause or "")
        if event is not None:
            node.text += f", by {event.type} from {event.source}: {_elsewhere(event)}"

    def _journal(self, stored: StoredSaga, saga: _Node) -> None:
        commands: dict[str, _Node] = {}
        for entry in read_history(stored.journal):
            node = self._told(entry, stored.row.id, commands)
            if node is not None:
                above = commands.get(entry.path, saga) if node.what == "answer" else saga
                above.below.append(node)
        for path, command in commands.items():
            if not command.below:
                self._carried_out(command_id(stored.row.id, path), command)

    def _told(self, entry: HistoryEntry, saga_id: str, commands: dict[str, _Node]) -> _Node | None:
        """Return what an entry of a journal adds to the story, if anything."""
        ms = round(entry.at.timestamp() * 1000)
        data, path = entry.data, entry.path
        if entry.what in ("command-sent", "undo-sent"):
            id, text = command_id(saga_id, path), f"{path}: {data['type']} to {data['to']}"
            commands[path] = node = _Node(ms, "command", saga_id, text, id, entry.cause, data["type"])
            self._commands[id] = node
            return node
        if entry.what == "event-published":
            id = command_id(saga_id, path)
            self._events[id] = node = _published(ms, id, saga_id, data["type"], data.get("key"), saga_id)
            return node
        if path in commands and (outcome := _OUTCOMES.get(entry.what)) is not None:
            node = commands[path]
            who = _participant(node)
            if outcome != "attempt failed":
                node.outcome = outcome
            return _Node(
                ms, "answer", who, _answer(who, outcome, entry, data), cause=node.id, outcome=outcome
            )
        if entry.what == "event-taken":
            return self._taken(ms, saga_id, path, str(data.get("event_id", "")))
        if entry.what in _NOTES:
            outcome = data.get("status") if entry.what == "ended" else None
            return _Node(ms, "note", saga_id, entry.text, outcome=outcome)
        return None

    def _taken(self, ms: int, saga_id: str, path: str, event_id: str) -> _Node:
        """A saga goes on with an event: said in the saga here, and below the event when that is in the story."""
        other = self._story.others.get(event_id)
        text = f"{path}: event {event_id}"
        if other is not None:
            text = f"{path}: {other.type} from {other.source}; {_elsewhere(other)}"
        node = _Node(ms, "taken", saga_id, text, cause=event_id)
        below = _Node(ms, "taken", saga_id, f"{saga_id} goes on at {path}", rank=2)
        self._after_events.append((event_id, below))
        return node

    def _carried_out(self, id: str, command: _Node) -> None:
        """A command without an answer in the journal: what its context has stored of it, if it has."""
        for context, told in self._story.contexts.items():
            row = told.answers.get(id)
            if row is not None and row.outcome != "tombstone":
                command.below.append(_stored_answer(context, row, id, "; the answer is on its way"))
                return
        if command.outcome is None:
            command.outcome = "open"

    # --- commands of the application, events, listeners -------------------------------------------

    def sent(self) -> None:
        """The command that the application has sent."""
        sent = self._story.sent
        if sent is None:
            return
        id = sent.row.command_id
        text = f"application: {sent.type} to {sent.context}"
        node = _Node(sent.row.at_ms, "command", "application", text, id, None, sent.type, sent.row.outcome)
        node.below.append(_stored_answer(sent.context, sent.row, id, ""))
        self._commands[id] = node
        self._loose.append(node)

    def events(self) -> None:
        """The events, in the log and on the way to it."""
        for event in self._story.events:
            self._event(event.id, event.at_ms, event.source, event.type, event.key, event.causation, "")
        for context, row in self._story.waiting():
            later = ", not yet in the log"
            self._event(row.event_id, row.at_ms, context, row.type, row.key, row.causation, later)
        for event_id, below in self._after_events:
            if event_id in self._events:
                self._events[event_id].below.append(below)

    def _event(
        self, id: str, at_ms: int, source: str, type: str, key: str | None, causation: str | None, more: str
    ) -> None:
        if id in self._events:  # a saga has published it, and its journal says when
            return
        who = "application" if source == "runtime" else source
        self._events[id] = node = _published(at_ms, id, who, type, key, causation)
        node.text += more
        self._loose.append(node)

    def listeners(self) -> None:
        """Who was given an event, and what became of that. It follows from how far each listener has come."""
        by_type: dict[str, list[EventRow]] = {}
        for event in self._story.events:
            by_type.setdefault(event.type, []).append(event)
        for context, told in self._story.contexts.items():
            failed = {(row.event_no, row.event_type): row for row in told.failed}
            for listener in told.listeners:
                for event in by_type.get(listener.event_type, ()):
                    if event.no <= listener.began:
                        continue  # from before it came
                    retry = failed.get((event.no, event.type))
                    if retry is not None:
                        times = f"{retry.attempt} time{'' if retry.attempt == 1 else 's'}"
                        reason = retry.reason.strip().splitlines()[-1:] or [""]
                        outcome = "set aside" if retry.due_ms is None else "failed"
                        text = f"{context} has failed on it {times}: {reason[0].strip()}"
                        text += (
                            "; set aside"
                            if retry.due_ms is None
                            else f"; again at {str(utc(retry.due_ms))[:19]}"
                        )
                    elif event.no <= listener.position:
                        outcome, text = "done", f"{context} has listened"
                    else:
                        outcome, text = "open", f"{context} is still to get it"
                    node = _Node(None, "listener", context, text, cause=event.id, outcome=outcome)
                    self._heard[event.id, context] = node
                    self._events[event.id].below.append(node)


_OUTCOMES = {
    "step-completed": "done",
    "undo-completed": "done",
    "step-refused": "refused",
    "step-failed": "failed",
    "attempt-failed": "attempt failed",
    "step-dropped": "never done",
    "step-skipped": "skipped",
    "undo-skipped": "skipped",
}
"""What a record means for the command of its path."""

_NOTES = frozenset(
    {
        "ended",
        "scope-failed",
        "wait-begun",
        "wait-expired",
        "sleep-begun",
        "task-opened",
        "task-done",
        "reminded",
        "reversed",
        "parked",
        "suspended",
        "resumed",
        "acted",
        "ignored",
        "terminated",
    }
)
"""Records without a message that a story would be hard to follow without."""


def _published(at_ms: int, id: str, who: str, type: str, key: str | None, cause: str | None) -> _Node:
    text = f"{who} publishes {type}{'' if key is None else f' of {key}'}"
    return _Node(at_ms, "event", who, text, id, cause, type, rank=0 if cause == who else 1)


def _participant(command: _Node) -> str:
    return command.text.rpartition(" to ")[2]


def _answer(who: str, outcome: str, entry: HistoryEntry, data: dict[str, Any]) -> str:
    if outcome == "done":
        via = {"resolve": ", as an inquiry found", "hand": ", by hand"}.get(data.get("via", ""), "")
        return f"{who}: done{via}"
    said = entry.text.removeprefix(f"{entry.path}: ").removeprefix(f"{entry.path} ")
    return f"{who}: {said}"


def _stored_answer(context: str, row: InboxRow, id: str, more: str) -> _Node:
    said = "done" if row.outcome == "done" else f"refused: {row.reason} [{row.code}]"
    return _Node(row.at_ms, "answer", context, f"{context}: {said}{more}", cause=id, outcome=row.outcome)


def _elsewhere(event: EventRow) -> str:
    """Return where the story of an event is told that is not of this one."""
    return f"its own story is that of {event.correlation}"
