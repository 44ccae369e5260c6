"""The floor: a hand-written loop with raw `sqlite3` that makes the same durable writes, and nothing else.

1. What it writes was recorded: a real run with the same sagas, whose files are read afterwards. The floor makes new
   files with the same schema and pragmas and writes the same rows, byte for byte (a test compares the files).
2. It commits as well as can be: so many sagas in flight, and each commit has one step of every one of them. An answer
   is on disk in its context before the journal says so, as with us. `synchronous=FULL`.
3. One thread, no queues, no machine, nothing encoded or hashed: all values lie ready before the clock is started. What
   a handler writes is one statement for each command, since handlers are called one by one; the rest is `executemany`.
4. The numbers that every commit of ours writes beside the rows (of the store, of participants) are written as well,
   and the rows of an inbox that nobody needs any more are deleted now and then, as ours are.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks.measure import Kind, check_outcomes, run_all, starts
from benchmarks.sagas import AMOUNT, REFUND, RELEASE, RESERVE, SHIP, TAKE, FulfilOrder
from saga import Runtime

__all__ = ["Recorded", "floor_throughput", "record", "written"]

IN_FLIGHT = 1_000
"""Sagas of which each commit has one step. From 500 on it makes no difference any more."""

Row = tuple[Any, ...]

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "wal_autocheckpoint": 4_000,
    "cache_size": -8_000,
}
"""As `saga.store.connection` sets them."""

NEW_SAGA = (
    "INSERT INTO sagas (no, id, definition_no, status, busy, started_ms, ended_ms, input_type, input_digest,"
    " correlation, causation, first_event_no) VALUES (?,?,?,'RUNNING',1,?,NULL,?,?,?,?,?)"
)
JOURNAL = "INSERT INTO journal (saga_no, seq, at_ms, cause, encoding, records, digest) VALUES (?,?,?,?,?,?,?)"
SAGA_CHANGE = (
    "UPDATE sagas SET status = ?, busy = ?, ended_ms = ?, refusal_code = ?, refusal_reason = ? WHERE no = ?"
)
PARTICIPANTS = "UPDATE participants SET next_number = ?, commit_no = ? WHERE name = ?"
STORE = "UPDATE store SET commit_no = ?, high_ms = ?, saga_no = ?"
INBOX = "INSERT INTO _saga_inbox (command_id, number, outcome, answer, code, reason, at_ms) VALUES (?,?,?,?,?,?,?)"
FILE = "UPDATE _saga_file SET commit_no = ?, coordinator_commit_no = ?, floor = ?"
PRUNE = (
    "DELETE FROM _saga_inbox WHERE command_id IN"
    " (SELECT command_id FROM _saga_inbox WHERE number <= ? ORDER BY number LIMIT 5000)"
)
PRUNED_AFTER = 256
"""Commands of a context, at least; `PRUNE_EVERY` of `saga.coordination.context`."""

DATA: dict[str, tuple[str, str]] = {
    "reserve_goods": ("inventory", RESERVE),
    "reserve_goods~": ("inventory", RELEASE),
    "take_payment": ("payment", TAKE),
    "take_payment~": ("payment", REFUND),
    "ship_goods": ("shipment", SHIP),
}
"""Step of the saga, with `~` its compensation: the context that carries it out, and what its handler writes."""

WRITTEN = {"sagas", "journal", "_saga_inbox", "reservations", "payments", "shipments"}
"""Tables that the loop fills; those of all others are there before it begins, with the rows they have at the end."""


class File(NamedTuple):
    """A file before the loop begins."""

    name: str
    schema: list[str]
    rows: list[tuple[str, list[Row]]]
    """An INSERT, and its rows."""


class Stage(NamedTuple):
    """One step of some sagas: what their contexts write, then what the coordinator does."""

    contexts: list[tuple[str, list[tuple[str, Row]], list[Row]]]
    """A context, the statements of its handlers, and rows of its inbox."""
    new_sagas: list[Row]
    journal: list[Row]
    changes: list[Row]


class Recorded(NamedTuple):
    """What a real run wrote."""

    files: list[File]
    sagas: list[list[Stage]]
    """Of each saga its stages, one for each row of its journal."""


def record(directory: Path, kind: Kind, sagas: int) -> Recorded:
    """Run so many sagas for real in `directory`, and return what that wrote."""
    with (
        patch(
            "saga.coordination.context.PRUNE_EVERY", sys.maxsize
        ),  # all that was ever written is to be read
        Runtime(directory, contexts=kind.participants, sagas=[FulfilOrder]) as runtime,
    ):
        check_outcomes(kind, sagas, run_all(runtime, starts(kind, sagas)))
    names = ["saga", *sorted(path.stem for path in directory.glob("*.db") if path.stem != "saga")]
    files, inboxes = [], {}
    for name in names:
        with closing(sqlite3.connect(directory / f"{name}.db")) as connection:
            files.append(_file(name, connection))
            if name != "saga":
                for answered in connection.execute(
                    "SELECT command_id, number, outcome, answer, code, reason, at_ms FROM _saga_inbox"
                ):
                    inboxes[answered[0]] = answered
            else:
                rows = connection.execute(
                    "SELECT no, id, definition_no, started_ms, input_type, input_digest, correlation, causation,"
                    " first_event_no, status, ended_ms, refusal_code, refusal_reason FROM sagas ORDER BY no"
                ).fetchall()
                journal = connection.execute(
                    "SELECT saga_no, seq, at_ms, cause, encoding, records, digest FROM journal ORDER BY saga_no, seq"
                ).fetchall()
    journals: dict[int, list[Row]] = {}
    for line in journal:
        journals.setdefault(line[0], []).append(line)
    return Recorded(files, [[*_stages(row, journals[row[0]], inboxes)] for row in rows])


def _file(name: str, connection: sqlite3.Connection) -> File:
    listed = connection.execute(
        "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    rows = []
    for table in (each for each, type_, _ in listed if type_ == "table" and each not in WRITTEN):
        found = connection.execute(f'SELECT * FROM "{table}"').fetchall()
        if found:
            rows.append((f'INSERT INTO "{table}" VALUES ({",".join("?" * len(found[0]))})', found))
    return File(name, [sql for _, _, sql in listed], rows)


def _stages(saga: Row, journal: Sequence[Row], inboxes: dict[str, Row]) -> Iterator[Stage]:
    no, order_id, status, ended_ms, code, reason = saga[0], saga[1], *saga[9:]
    refused = False
    for line in journal:
        contexts = []
        answered = inboxes.get(line[3])
        if answered is not None:
            step = answered[0].split(":")[1]  # such as take_payment.1, or take_payment.1~1
            context, statement = DATA[step.split(".")[0] + "~" * ("~" in step)]
            data = [(statement, _values(statement, order_id))] if answered[2] == "done" else []
            contexts.append((context, data, [answered]))
        changes: list[Row] = []
        kinds = [each["is"] for each in json.loads(line[5])]
        if "ended" in kinds:
            changes.append((status, 0, ended_ms, code, reason, no))
        elif code is not None and not refused and "step-refused" in kinds:
            changes.append(("COMPENSATING", 1, None, code, reason, no))
            refused = True
        yield Stage(contexts, [saga[:9]] if line[1] == 1 else [], [line], changes)


def _values(statement: str, order_id: str) -> Row:
    """Return what the handler that writes this gives with it."""
    given = {
        RESERVE: (order_id, "reserved"),
        RELEASE: ("released", order_id),
        TAKE: (order_id, str(AMOUNT)),
        REFUND: ("refunded", order_id),
        SHIP: (order_id, f"p-{order_id}"),
    }
    return given[statement]


# --- the loop ---


def floor_throughput(directory: Path, recorded: Recorded) -> float:
    """Return sagas per second of the loop, in new files below `directory`."""
    return len(recorded.sagas) / sum(written(directory, recorded, IN_FLIGHT))


def written(directory: Path, recorded: Recorded, in_flight: int) -> Iterator[float]:
    """Write everything that was recorded into new files below `directory`, so many sagas at a time.

    Yields for each time how long it took, in seconds; with `in_flight=1`, how long each saga took.
    """
    files = {file.name: _open(directory, file) for file in recorded.files}
    numbers, pruned = dict.fromkeys(files, 0), dict.fromkeys(files, 0)
    try:
        for at in range(0, len(recorded.sagas), in_flight):
            stages = [*_together(recorded.sagas[at : at + in_flight])]
            began = time.perf_counter()
            for name, number in numbers.items():
                if number - pruned[name] >= PRUNED_AFTER:
                    _prune(files[name], number)
                    pruned[name] = number
            for stage in stages:
                _commit(files, stage)
            yield time.perf_counter() - began
            for stage in stages:
                for context, _, inbox in stage.contexts:
                    numbers[context] = max(numbers[context], *(number for _, number, *_ in inbox), 0)
    finally:
        for connection in files.values():
            connection.close()


def _open(directory: Path, file: File) -> sqlite3.Connection:
    connection = sqlite3.connect(directory / f"{file.name}.db", isolation_level=None)
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")
    connection.execute("BEGIN IMMEDIATE")
    for statement in file.schema:
        connection.execute(statement)
    for insert, rows in file.rows:
        connection.executemany(insert, rows)
    connection.execute("COMMIT")
    return connection


def _together(sagas: Sequence[Sequence[Stage]]) -> Iterator[Stage]:
    """Put the first stages of all these sagas together, then the second ones, and so on."""
    for number in range(max(map(len, sagas))):
        stages = [stages[number] for stages in sagas if len(stages) > number]
        contexts: dict[str, tuple[list[tuple[str, Row]], list[Row]]] = {}
        for stage in stages:
            for context, data, inbox in stage.contexts:
                all_data, all_inbox = contexts.setdefault(context, ([], []))
                all_data += data
                all_inbox += inbox
        yield Stage(
            [(context, *both) for context, both in contexts.items()],
            [row for stage in stages for row in stage.new_sagas],
            [row for stage in stages for row in stage.journal],
            [row for stage in stages for row in stage.changes],
        )


def _prune(file: sqlite3.Connection, number: int) -> None:
    file.execute("BEGIN IMMEDIATE")
    file.execute(PRUNE, (number,))
    file.execute("COMMIT")


def _commit(files: dict[str, sqlite3.Connection], stage: Stage) -> None:
    for context, data, inbox in stage.contexts:
        execute = files[context].execute
        execute("BEGIN IMMEDIATE")
        for statement, values in data:
            execute(statement, values)
        files[context].executemany(INBOX, inbox)
        execute(FILE, (1, 1, 1))
        execute("COMMIT")
    journal = files["saga"]
    journal.execute("BEGIN IMMEDIATE")
    if stage.new_sagas:
        journal.executemany(NEW_SAGA, stage.new_sagas)
    journal.executemany(JOURNAL, stage.journal)
    if stage.changes:
        journal.executemany(SAGA_CHANGE, stage.changes)
    journal.executemany(PARTICIPANTS, [(1, 0, "inventory"), (1, 0, "warehouse")])
    journal.execute(STORE, (1, 1, 1))
    journal.execute("COMMIT")
