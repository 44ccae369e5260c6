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
from saga.store import whole

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

CHANGING: Row = ("RUNNING", 1, None, None, None)
"""What a new saga has in the columns that change."""
SAGA_CHANGE = (
    "UPDATE sagas SET status = ?, busy = ?, ended_ms = ?, refusal_code = ?, refusal_reason = ? WHERE no = ?"
)
PARTICIPANTS = "UPDATE participants SET next_number = ?, commit_no = ? WHERE name = ?"
STORE = "UPDATE store SET commit_no = ?, high_ms = ?, saga_no = ?"
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
    inserts: dict[str, str]
    """Table that the loop fills, and the INSERT for it."""
    sagas: list[list[Stage]]
    """Of each saga its stages, one for each row of its journal."""


class Table(NamedTuple):
    """A table with its rows, which are in the order of their keys."""

    columns: list[str]
    rows: list[Row]

    def insert(self, name: str) -> str:
        """Return the statement that writes a row of it."""
        return (
            f'INSERT INTO "{name}" ({", ".join(self.columns)}) VALUES ({",".join("?" * len(self.columns))})'
        )

    def named(self) -> Iterator[tuple[Row, dict[str, Any]]]:
        """Yield each row, and with the names of its columns."""
        for row in self.rows:
            yield row, dict(zip(self.columns, row, strict=True))

    def without(self, column: str) -> Table:
        """Return the same without a column."""
        at = self.columns.index(column)
        return Table(
            self.columns[:at] + self.columns[at + 1 :], [row[:at] + row[at + 1 :] for row in self.rows]
        )


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
    files: list[File] = []
    inserts: dict[str, str] = {}
    inboxes: dict[str, tuple[Row, str]] = {}
    forms: dict[int, bytes] = {}
    for name in names:
        with closing(sqlite3.connect(directory / f"{name}.db")) as connection:
            files.append(_file(name, connection))
            if name == "saga":
                new_sagas = _table(connection, "sagas", "no")
                journal = _table(connection, "journal", "saga_no, seq").without("no")
                forms.update(connection.execute("SELECT no, CAST(text AS BLOB) FROM forms"))
                inserts |= {"sagas": new_sagas.insert("sagas"), "journal": journal.insert("journal")}
            else:
                inbox = _table(connection, "_saga_inbox", "command_id")
                inserts["_saga_inbox"] = inbox.insert("_saga_inbox")
                inboxes |= {named["command_id"]: (row, named["outcome"]) for row, named in inbox.named()}
    journals: dict[int, list[tuple[Row, dict[str, Any]]]] = {}
    for row, named in journal.named():
        journals.setdefault(named["saga_no"], []).append((row, named))
    stages = [[*_stages(saga, journals[saga["no"]], forms, inboxes)] for _, saga in new_sagas.named()]
    return Recorded(files, inserts, stages)


def _table(connection: sqlite3.Connection, name: str, key: str) -> Table:
    found = connection.execute(f'SELECT * FROM "{name}" ORDER BY {key}')
    columns = [column for column, *_ in found.description]
    return Table(columns, found.fetchall())


def _file(name: str, connection: sqlite3.Connection) -> File:
    listed = connection.execute(
        "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    tables = {each: _table(connection, each, "1") for each, type_, _ in listed if type_ == "table"}
    rows = [(table.insert(each), table.rows) for each, table in tables.items() if each not in WRITTEN]
    return File(name, [sql for _, _, sql in listed], rows)


def _stages(
    saga: dict[str, Any],
    journal: Sequence[tuple[Row, dict[str, Any]]],
    forms: dict[int, bytes],
    inboxes: dict[str, tuple[Row, str]],
) -> Iterator[Stage]:
    no, code, reason = saga["no"], saga["refusal_code"], saga["refusal_reason"]
    at_first = dict(
        zip(("status", "busy", "ended_ms", "refusal_code", "refusal_reason"), CHANGING, strict=True)
    )
    refused = False
    for row, named in journal:
        contexts = []
        if named["cause"] in inboxes:
            answered, outcome = inboxes[named["cause"]]
            step = named["cause"].split(":")[1]  # such as take_payment.1, or take_payment.1~1
            context, statement = DATA[step.split(".")[0] + "~" * ("~" in step)]
            data = [(statement, _values(statement, saga["id"]))] if outcome == "done" else []
            contexts.append((context, data, [answered]))
        changes: list[Row] = []
        said, form_no = named["records"].encode(), named["form_no"]
        kinds = [each["is"] for each in json.loads(said if form_no is None else whole(forms[form_no], said))]
        if "ended" in kinds:
            changes.append((saga["status"], 0, saga["ended_ms"], code, reason, no))
        elif code is not None and not refused and "step-refused" in kinds:
            changes.append(("COMPENSATING", 1, None, code, reason, no))
            refused = True
        yield Stage(
            contexts, [tuple({**saga, **at_first}.values())] if named["seq"] == 1 else [], [row], changes
        )


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
                _commit(files, recorded.inserts, stage)
            yield time.perf_counter() - began
            for stage in stages:
                for context, _, inbox in stage.contexts:
                    numbers[context] += len(inbox)
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


def _commit(files: dict[str, sqlite3.Connection], inserts: dict[str, str], stage: Stage) -> None:
    for context, data, inbox in stage.contexts:
        execute = files[context].execute
        execute("BEGIN IMMEDIATE")
        for statement, values in data:
            execute(statement, values)
        files[context].executemany(inserts["_saga_inbox"], inbox)
        execute(FILE, (1, 1, 1))
        execute("COMMIT")
    journal = files["saga"]
    journal.execute("BEGIN IMMEDIATE")
    if stage.new_sagas:
        journal.executemany(inserts["sagas"], stage.new_sagas)
    journal.executemany(inserts["journal"], stage.journal)
    if stage.changes:
        journal.executemany(SAGA_CHANGE, stage.changes)
    journal.executemany(PARTICIPANTS, [(1, 0, "inventory"), (1, 0, "warehouse")])
    journal.execute(STORE, (1, 1, 1))
    journal.execute("COMMIT")
