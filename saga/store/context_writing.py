"""The statements that write to the engine's tables in the file of a context. Each carries the token of its
guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saga.store.authorizer import Guard
from saga.store.bulk import MAYBE, NOTHING, Bulk, Inserts, flat
from saga.store.context_rows import OUTBOX_COLUMNS, RETRY_COLUMNS, InboxTuple
from saga.store.digest import row_digest

__all__ = ["Statements"]


def _flat_inbox(rows: Sequence[InboxTuple]) -> list[Any]:
    values: list[Any] = []
    for command_id, number, outcome, answer, code, reason, at_ms in rows:
        text = None if answer is None else answer.decode()
        values += (command_id, NOTHING if number is None else number, outcome)
        values += (NOTHING if text is None else text, NOTHING if code is None else code)
        values += (NOTHING if reason is None else reason, at_ms)
        values.append(row_digest(command_id, number, outcome, text, code, reason, at_ms))
    return values


def _flat_outbox(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    return flat([_with_digest(*row[:4], row[4].decode(), *row[5:]) for row in rows])


def _with_digest(*row: Any) -> tuple[Any, ...]:
    return (*row, row_digest(*row))


def _flat_retries(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    texts = [(*row[:8], row[8].decode()) for row in rows]
    return flat([(*row, row_digest(*row[:3], *row[4:])) for row in texts])  # it may be due again by itself


def _flat_positions(rows: Sequence[tuple[str, int]]) -> list[Any]:
    return [value for type_, no in rows for value in (type_, no, no, row_digest(type_, no))]


class Statements:
    """Our writing statements, with the token of one connection."""

    def __init__(self, guard: Guard) -> None:
        mark = guard.mark
        self.begin = mark("BEGIN IMMEDIATE")
        self.commit = mark("COMMIT")
        self.rollback = mark("ROLLBACK")
        self.savepoint = mark("SAVEPOINT _saga_command")
        self.undo = mark("ROLLBACK TO _saga_command")
        self.release = mark("RELEASE _saga_command")
        self.inbox = Inserts(
            "INSERT INTO _saga_inbox (command_id, number, outcome, answer, code, reason, at_ms, row_digest)",
            f"(?,{MAYBE},?,{MAYBE},{MAYBE},{MAYBE},?,?)",
            mark(""),
            flatten=_flat_inbox,
        )
        self.sent = Inserts("INSERT INTO _saga_sent (command_id, type)", "(?,?)", mark(""), sizes=(8, 1))
        self.outbox = Inserts(
            f"INSERT INTO _saga_outbox ({OUTBOX_COLUMNS}, row_digest)",
            f"(?,?,?,{MAYBE},?,?,?,{MAYBE},?)",
            mark(""),
            flatten=_flat_outbox,
        )
        self.positions = Inserts(
            "INSERT INTO _saga_positions (event_type, began, position, row_digest)",
            "(?,?,?,?)",
            mark("ON CONFLICT DO UPDATE SET position = excluded.position, row_digest = excluded.row_digest"),
            flatten=_flat_positions,
            sizes=(8, 1),
        )
        self.retries_over = Bulk(
            "DELETE FROM _saga_retries WHERE",
            "(event_no = ? AND event_type = ?)",
            mark(""),
            between=" OR ",
            sizes=(8, 1),
        )
        self.retries = Inserts(
            f"INSERT INTO _saga_retries ({RETRY_COLUMNS}, row_digest)",
            f"(?,?,?,{MAYBE},?,?,?,?,?,?)",
            mark(
                "ON CONFLICT DO UPDATE SET attempt = excluded.attempt, due_ms = excluded.due_ms,"
                " reason = excluded.reason, failed_ms = excluded.failed_ms, row_digest = excluded.row_digest"
            ),
            flatten=_flat_retries,
            sizes=(8, 1),
        )
        self.retry_now = mark("UPDATE _saga_retries SET due_ms = ? WHERE ? IS NULL OR event_type = ?")
        self.forget = mark("DELETE FROM _saga_outbox WHERE no <= ?")
        self.prune = mark(
            "DELETE FROM _saga_inbox WHERE command_id IN"
            " (SELECT command_id FROM _saga_inbox WHERE number < ? ORDER BY number LIMIT ?)"
        )
        # A command's id is that of its saga, a colon, and a path, which has none; the semicolon comes next after it.
        self.forget_sagas = mark(
            "DELETE FROM _saga_inbox WHERE command_id IN (SELECT i.command_id FROM json_each(?) AS v"
            " CROSS JOIN _saga_inbox AS i ON i.command_id > v.value || ':' AND i.command_id < v.value || ';'"
            " WHERE i.number IS NOT NULL AND instr(substr(i.command_id, length(v.value) + 2), ':') = 0)"
        )
        self.forget_sent = mark("DELETE FROM _saga_sent WHERE command_id IN (SELECT value FROM json_each(?))")
        self.forget_answers = mark(
            "DELETE FROM _saga_inbox WHERE command_id IN (SELECT value FROM json_each(?))"
        )
        self.file = mark(
            "UPDATE _saga_file SET commit_no = ?, coordinator_commit_no = max(coordinator_commit_no, ?),"
            " floor = max(floor, ?), outbox_no = ?"
        )
