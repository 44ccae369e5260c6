"""The yardstick: what a hand-written loop needs for the same durable writes, with raw `sqlite3` and no engine.

One thread, one journal file with `synchronous=FULL`, four rows a saga in commits of 192 rows (three participants
with 64 commands each); with contexts, three more files with an inbox row and a row of data for each command, in
commits of 64. No queues, no machine, no recovery: what is measured is the disk, SQLite and the interpreter.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

__all__ = ["bare_loop"]

JOURNAL_COMMIT = 192
CONTEXT_COMMIT = 64
PAYLOAD = (
    '[{"is":"step-completed","path":"take_payment.1","answer":{"payment_id":"p-o1"},"undo":"refund_payment"}]'
)


def _connect(path: Path, schema: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(schema)
    return connection


def bare_loop(directory: Path, sagas: int, *, contexts: bool) -> float:
    """Return sagas per second of the loop, in files below `directory`."""
    journal = _connect(
        directory / "journal.db",
        "CREATE TABLE j (saga INTEGER, seq INTEGER, payload TEXT, PRIMARY KEY (saga, seq))",
    )
    files = [
        _connect(directory / f"context{number}.db", "CREATE TABLE inbox (id TEXT PRIMARY KEY, answer TEXT)")
        for number in range(3 if contexts else 0)
    ]
    for file in files:
        file.execute("CREATE TABLE data (id TEXT PRIMARY KEY, what TEXT)")
    began = time.perf_counter()
    rows = [(saga, seq, PAYLOAD) for seq in range(4) for saga in range(sagas)]
    for at in range(0, len(rows), JOURNAL_COMMIT):
        journal.execute("BEGIN IMMEDIATE")
        journal.executemany("INSERT INTO j VALUES (?, ?, ?)", rows[at : at + JOURNAL_COMMIT])
        journal.execute("COMMIT")
    for file in files:
        for at in range(0, sagas, CONTEXT_COMMIT):
            ids = [f"order-{number}" for number in range(at, min(at + CONTEXT_COMMIT, sagas))]
            file.execute("BEGIN IMMEDIATE")
            for order in ids:
                file.execute("INSERT INTO data VALUES (?, ?)", (order, "done"))
            file.executemany(
                "INSERT INTO inbox VALUES (?, ?)", [(f"{order}:step.1", "null") for order in ids]
            )
            file.execute("COMMIT")
    seconds = time.perf_counter() - began
    for connection in (journal, *files):
        connection.close()
    return sagas / seconds
