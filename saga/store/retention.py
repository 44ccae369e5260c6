"""Which sagas nobody needs any more: found by whoever reads a store, deleted by its owner.

Rules
1. A saga goes with all that it has called, when all of them have ended before a given time. A called one stays as long
   as its caller: a caller that is undone has it undone, and a caller that is started anew must not find it.
2. It stays as long as an event that it has published itself is in the log: a new saga of the same id would publish an
   event of the same id, which would be dropped.
3. Called ones are deleted before their callers, so that what is cut off in the middle leaves none without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from saga.store.inspection import ContextReader
from saga.store.reading import StoreReader

__all__ = ["Over", "old_events", "old_sends", "over"]

ROOTS_AT_ONCE: Final = 500
"""Sagas that are looked at in one go."""

SAGAS_AT_ONCE: Final = 200
ROWS_AT_ONCE: Final = 2_000
"""Sagas, and rows of their journals, that are deleted in one commit, if not one saga alone has more."""


class Over(NamedTuple):
    """A saga that nobody needs any more."""

    no: int
    id: str
    rows: int
    """Of its journal."""


Read = Callable[[Callable[[StoreReader], Any]], Any]
"""Calls a function with a reader of the store, and returns what it returns."""


def over(read: Read, before_ms: int, log_begins: int = 0) -> Iterator[list[Over]]:
    """Yield the sagas that can go, in groups for one commit each; delete a group before the next is asked for, or none.

    `log_begins`: the events below this number are taken for gone.
    """
    after: int | None = 0
    group: list[Over] = []
    while after is not None:
        page = partial(_page, before_ms=before_ms, after=after, log_begins=log_begins)
        found, after = read(page)
        for each in found:
            rows = sum(one.rows for one in group) + each.rows
            if group and (len(group) == SAGAS_AT_ONCE or rows > ROWS_AT_ONCE):
                yield group
                group = []
            group.append(each)
    if group:
        yield group


def _page(reader: StoreReader, before_ms: int, after: int, log_begins: int) -> tuple[list[Over], int | None]:
    """Return the sagas of one page that can go, called ones first; and the number to go on behind, None at the end."""
    with reader.moment():
        rows = reader._rows(
            "SELECT no, id, ifnull(causation, '') = id, ended_ms FROM sagas WHERE no > ? ORDER BY no LIMIT ?",
            (after, ROOTS_AT_ONCE),
        )
        callers = {caller_of(id) for _, id, is_called, _ in rows if is_called}
        there = _there(reader, callers)
        roots = {
            id: no
            for no, id, is_called, ended_ms in rows
            if ended_ms is not None and ended_ms < before_ms and not (is_called and caller_of(id) in there)
        }
        families: dict[str, dict[str, tuple[int, int | None]]] = {
            id: {id: (no, 0)} for id, no in roots.items()
        }
        for root, no, id, ended_ms in _called(reader, list(roots)):
            if caller_of(id) in families[root]:  # else it has another caller, whose id begins like this one
                families[root][id] = (no, ended_ms)
        for root in _told(reader, list(roots), log_begins):
            del families[root]
        gone = {
            no: id
            for family in families.values()
            if all(ended_ms is not None and ended_ms < before_ms for _, ended_ms in family.values())
            for id, (no, _) in family.items()
        }
        sizes = _sizes(reader, list(gone))
    found = [Over(no, gone[no], sizes.get(no, 0)) for no in sorted(gone, reverse=True)]
    return found, rows[-1][0] if len(rows) == ROOTS_AT_ONCE else None


def caller_of(saga_id: str) -> str:
    """Return the id of the saga that has called one of this id: it is that of the command."""
    return saga_id.rpartition(":")[0]


def _there(reader: StoreReader, ids: set[str]) -> set[str]:
    statement = "SELECT id FROM sagas WHERE id IN (SELECT value FROM json_each(?))"
    return {id for (id,) in reader._rows(statement, (_json(sorted(ids)),))}


def _called(reader: StoreReader, roots: Sequence[str]) -> list[tuple[str, int, str, int | None]]:
    """Return (id of the root, number, id, end) of all called sagas whose ids begin like a root's; callers first."""
    return reader._rows(
        "SELECT v.value, s.no, s.id, s.ended_ms FROM json_each(?) AS v CROSS JOIN sagas AS s"
        " ON s.id > v.value || ':' AND s.id < v.value || ';' WHERE s.causation = s.id ORDER BY s.no",
        (_json(roots),),
    )


def _told(reader: StoreReader, roots: Sequence[str], log_begins: int) -> set[str]:
    """Return those of these sagas of which (or of what they have called) an event is in the log."""
    rows = reader._rows(
        "SELECT v.value FROM json_each(?) AS v WHERE EXISTS (SELECT 1 FROM events AS e"
        " WHERE e.id > v.value || ':' AND e.id < v.value || ';' AND e.no >= ? AND e.source LIKE 'saga %')",
        (_json(roots), log_begins),
    )
    return {root for (root,) in rows}


def _sizes(reader: StoreReader, nos: Sequence[int]) -> dict[int, int]:
    statement = (
        "SELECT saga_no, max(seq) FROM journal WHERE saga_no IN (SELECT value FROM json_each(?)) GROUP BY 1"
    )
    return dict(reader._rows(statement, (_json(nos),)))


def old_events(reader: StoreReader, before_ms: int) -> tuple[int, int]:
    """Return how many events are older than this and needed by nobody, as far as saga.db knows, and the first number
    above them."""
    live = reader._rows("SELECT min(first_event_no) FROM sagas WHERE ended_ms IS NULL")[0][0]
    needed = min([live if live is not None else reader.store().event_no, *reader.listeners().values()])
    statement = "SELECT count(*), ifnull(max(no), 0) + 1 FROM events WHERE no <= ? AND at_ms < ?"
    count, begins = reader._rows(statement, (needed, before_ms))[0]
    return count, begins


def old_sends(context: ContextReader, before_ms: int) -> int:
    """Return how many commands that the application has sent this context itself were answered before this time."""
    statement = "SELECT count(*) FROM _saga_inbox WHERE number IS NULL AND at_ms < ?"
    count: int = context._rows(statement, (before_ms,))[0][0]
    return count


def _json(values: Sequence[object]) -> str:
    return msgspec.json.encode(list(values)).decode()
