"""What a store holds, whatever its bytes: table by table as it lies there, and what it has come to after a run."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from reliability.shop.business import CONTEXT_NAMES
from reliability.shop.pages import DATABASES
from saga.machine import decode_records
from saga.store import JournalRow
from saga.store.queries import JOURNAL_COLUMNS

__all__ = ["AUTHORS", "Outcome", "Tables", "outcome", "tables"]

Tables = dict[str, str]
"""`database.table` → digest of its rows; a database that is not there has none."""

Outcome = dict[str, Any]
"""What has come of a run, in words that are the same whenever it comes to the same."""

AUTHORS = frozenset({"stock.shelf", "bank.accounts", *(f"{name}.effects" for name in CONTEXT_NAMES)})
"""Tables that are not ours: SQLite has no digests of rows, and their authors' statements make none."""

PASSING = frozenset({"at", "due", "remind", "retry_at", "number", "event_id"})
"""Facts in records that depend on the order in which things happen to come."""


def tables(place: Path) -> Tables:
    """Return what lies in the files, as far as SQLite can read it. Raises sqlite3.Error, UnicodeDecodeError."""
    found = {}
    for name in DATABASES:
        if not (place / f"{name}.db").exists():
            continue
        uri = f"{(place / name).absolute().as_uri()}.db?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.text_factory = bytes
            schema = connection.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2"
            ).fetchall()
            found[f"{name}."] = _digest(iter(schema))
            for kind, table, _, _ in schema:
                if kind == b"table":
                    text = table.decode()
                    found[f"{name}.{text}"] = _digest(
                        connection.execute(f'SELECT * FROM "{text}" NOT INDEXED ORDER BY 1, 2')
                    )
    return found


def _digest(rows: Iterator[Any]) -> str:
    digest = blake2b(digest_size=8)
    for row in rows:
        digest.update(repr(row).encode())
    return digest.hexdigest()


def outcome(store: Path) -> Outcome:
    """Return what a run has come to: how sagas ended, what happened to each, effects, events, what is owned."""
    found: Outcome = {}
    with closing(_opened(store, "saga")) as connection:
        execute = connection.execute
        found["sagas"] = {
            id: rest
            for id, *rest in execute(
                "SELECT s.id, d.name, s.status, s.refusal_code, s.refusal_reason, s.correlation,"
                " (SELECT group_concat(key || '=' || value) FROM (SELECT * FROM tags t WHERE t.saga_no = s.no"
                "  ORDER BY key)) FROM sagas s JOIN definitions d ON d.no = s.definition_no ORDER BY s.id"
            )
        }
        found["journals"] = dict[str, Counter[str]]()
        ids = dict(execute("SELECT no, id FROM sagas").fetchall())
        for row in map(JournalRow._make, execute(f"SELECT {JOURNAL_COLUMNS} FROM journal ORDER BY no")):
            if row.saga_no in ids:
                journal = found["journals"].setdefault(ids[row.saga_no], Counter())
                journal.update(map(_said, decode_records(row.records or b"")))
        events = "SELECT type, key, payload, source FROM events"
        found["events"] = sorted(map(repr, execute(events)))
        found["schedules"] = sorted(
            map(repr, execute("SELECT name, saga, input, cron, runs, next_ms FROM schedules"))
        )
    for name in CONTEXT_NAMES:
        with closing(_opened(store, name)) as connection:
            execute = connection.execute
            found[f"{name}.answers"] = sorted(
                map(repr, execute("SELECT command_id, outcome, answer, code, reason FROM _saga_inbox"))
            )
            found[f"{name}.set aside"] = sorted(
                map(repr, execute("SELECT event_type, payload FROM _saga_retries"))
            )
            found[f"{name}.effects"] = sorted(map(repr, execute("SELECT saga, what FROM effects")))
            for table in {"stock": ["shelf"], "bank": ["accounts"]}.get(name, []):
                found[f"{name}.{table}"] = sorted(map(repr, execute(f"SELECT * FROM {table}")))
    return found


def _opened(store: Path, name: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{(store / name).absolute().as_uri()}.db?mode=ro", uri=True, isolation_level=None)


def _said(record: Any) -> str:
    facts = msgspec.json.decode(msgspec.json.encode(record))
    return repr(sorted((key, repr(value)) for key, value in facts.items() if key not in PASSING))
