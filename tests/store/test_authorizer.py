"""What user code may do with the database of its context, and what it may not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from saga.store import ContextStore

from .support import done

FORBIDDEN = [
    # the transaction is the engine's
    "COMMIT",
    "commit",
    "END",
    "ROLLBACK",
    "BEGIN",
    "BEGIN IMMEDIATE",
    " COMMIT ; ",
    "/* mine */ COMMIT",
    "SAVEPOINT _saga_command",
    "RELEASE _saga_command",
    "ROLLBACK TO _saga_command",
    'RELEASE "_SAGA_command"',
    # one file
    "ATTACH ':memory:' AS other",
    "DETACH other",
    # pragmas are the engine's
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=OFF",
    "PRAGMA foreign_keys=OFF",
    "PRAGMA writable_schema=ON",
    "PRAGMA user_version=7",
    "PRAGMA application_id=7",
    "PRAGMA wal_checkpoint",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA optimize",
    "PRAGMA trusted_schema=ON",
    "PRAGMA incremental_vacuum",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA query_only=ON",
    "PRAGMA ignore_check_constraints=ON",
    "PRAGMA no_such_pragma",
    # our tables are the engine's
    "INSERT INTO _saga_inbox (command_id, outcome, at_ms) VALUES ('x', 'done', 1)",
    "INSERT INTO \"main\".\"_saga_inbox\" (command_id, outcome, at_ms) VALUES ('x', 'done', 1)",
    "UPDATE _saga_file SET commit_no = 99",
    "UPDATE _SAGA_FILE SET commit_no = 99",
    "DELETE FROM _saga_outbox",
    "REPLACE INTO _saga_positions VALUES ('x', 1)",
    "DROP TABLE _saga_inbox",
    "DROP INDEX _saga_inbox_by_number",
    "ALTER TABLE _saga_inbox RENAME TO mine",
    "ALTER TABLE _saga_inbox ADD COLUMN mine",
    "ALTER TABLE _saga_inbox DROP COLUMN reason",
    "CREATE INDEX mine ON _saga_outbox (type)",
    "CREATE TRIGGER mine AFTER INSERT ON _saga_inbox BEGIN DELETE FROM payments; END",
    "CREATE TEMP TRIGGER mine AFTER INSERT ON _saga_inbox BEGIN DELETE FROM payments; END",
    "CREATE TABLE _saga_mine (x)",
    "CREATE TEMP TABLE _saga_inbox (x)",
    "CREATE TEMP VIEW _saga_inbox AS SELECT 1",
    "CREATE VIEW _saga_view AS SELECT 1",
    "CREATE VIRTUAL TABLE _saga_text USING fts5(x)",
    "WITH x AS (SELECT 1) DELETE FROM _saga_inbox",
    # code is not data
    "SELECT load_extension('x')",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_forbidden_statements_are_refused_with_the_reason(context: ContextStore, statement: str) -> None:
    context.begin()
    context.savepoint()
    with pytest.raises(sqlite3.DatabaseError) as caught:
        context.db.execute(statement)
    assert "not authorized" in str(caught.value)
    context.explain(caught.value)
    assert len(caught.value.__notes__) == 1
    assert "not allowed" in caught.value.__notes__[0] or "the engine" in caught.value.__notes__[0]
    assert context.check_transaction()
    context.undo()
    context.commit(done("c1"))
    assert context.answers(["c1"])


ALLOWED = [
    "SELECT * FROM payments",
    "SELECT * FROM _saga_inbox",
    "SELECT count(*) FROM sqlite_master",
    "INSERT INTO payments VALUES ('a', 1)",
    "UPDATE payments SET amount = 2",
    "DELETE FROM payments",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n",
    "CREATE TABLE mine (x)",
    "CREATE TEMP TABLE mine (x)",
    "CREATE INDEX mine ON payments (amount)",
    "CREATE VIEW mine AS SELECT * FROM payments",
    "CREATE TRIGGER mine AFTER INSERT ON payments BEGIN UPDATE payments SET amount = 1; END",
    "CREATE VIRTUAL TABLE mine USING fts5(x)",
    "ALTER TABLE payments ADD COLUMN note",
    "ALTER TABLE payments RENAME TO paid",
    "DROP TABLE payments",
    "SAVEPOINT mine",
    "ANALYZE",
    "REINDEX",
    "PRAGMA table_info(payments)",
    "PRAGMA table_xinfo(_saga_inbox)",
    "PRAGMA index_list(payments)",
    "PRAGMA foreign_key_list(payments)",
    "PRAGMA foreign_keys",
    "PRAGMA user_version",
    "PRAGMA journal_mode",
    "PRAGMA integrity_check",
    "PRAGMA defer_foreign_keys=ON",
    "SELECT * FROM pragma_table_info('payments')",
    "SELECT * FROM json_each('[1,2]')",
]


@pytest.mark.parametrize("statement", ALLOWED)
def test_all_else_is_allowed(context: ContextStore, statement: str) -> None:
    context.begin()
    context.savepoint()
    context.db.conn.execute(statement).fetchall()
    context.release()
    context.commit(done("c1"))


def leave_block(connection: sqlite3.Connection) -> None:
    with connection:
        pass


ENDINGS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "commit": lambda connection: connection.commit(),
    "rollback": lambda connection: connection.rollback(),
    "executescript": lambda connection: connection.executescript("SELECT 1;"),
    "isolation_level": lambda connection: setattr(connection, "isolation_level", None),
    "with": leave_block,
}


@pytest.mark.parametrize("act", ENDINGS)
def test_pythons_own_ways_to_end_a_transaction_are_refused(context: ContextStore, act: str) -> None:
    context.begin()
    context.savepoint()
    connection = context.db.conn
    connection.execute("INSERT INTO payments VALUES ('a', 1)")
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        ENDINGS[act](connection)
    assert context.check_transaction()
    context.undo()
    context.rollback()


@pytest.mark.parametrize(
    "act",
    [
        lambda db: db.close(),
        lambda db: db.conn.close(),
        lambda db: db.conn.set_authorizer(None),
        lambda db: db.conn.deserialize(b""),
        lambda db: setattr(db.conn, "text_factory", bytes),
        lambda db: setattr(db.conn, "guard", None),
    ],
)
def test_what_would_end_the_work_of_others_is_refused(
    context: ContextStore, act: Callable[[Any], object]
) -> None:
    context.begin()
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        act(context.db)
    context.db.execute("INSERT INTO payments VALUES ('a', 1)")
    context.commit(done("c1"))
    assert context.answers(["c1"]).keys() == {"c1"}


def test_rows_may_be_made_into_anything(context: ContextStore) -> None:
    context.db.conn.row_factory = lambda cursor, row: {"all": row}
    assert context.db.execute("SELECT 1").fetchone() == {"all": (1,)}
    context.begin()
    context.commit(done("c1"))
    assert context.answers(["c1"]).keys() == {"c1"}
    assert context.consult(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    context.close()


def test_sqlite_utils_own_ways_to_end_a_transaction_are_refused(context: ContextStore) -> None:
    context.begin()
    for act in (context.db.commit, context.db.rollback, context.db.begin):
        with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
            act()
    assert context.check_transaction()
    context.rollback()


def test_our_own_statements_are_not_found_in_the_statement_cache(context: ContextStore) -> None:
    """Python finds a prepared statement by its text, and only preparing asks the authorizer."""
    seen: list[str] = []
    context.db.conn.set_trace_callback(seen.append)
    for number in range(3):
        context.begin()
        context.savepoint()
        context.db.execute("INSERT INTO payments VALUES (?, 1)", [str(number)])
        context.release()
        context.commit(done(f"c{number}", number + 1))
    context.db.conn.set_trace_callback(None)
    ours = [text for text in seen if context._guard.token in text]
    assert len(ours) >= 5
    for text in {text.split("/*")[0] for text in ours if "VALUES" not in text}:
        context.begin()
        with pytest.raises(sqlite3.DatabaseError):
            context.db.execute(text)
        context.rollback()


def test_every_statement_of_ours_that_writes_carries_the_token(context: ContextStore) -> None:
    for name, statement in vars(context._statements).items():
        texts = [statement] if isinstance(statement, str) else statement._statements.values()
        for text in texts:
            assert context._guard.token in text, name


def test_a_trigger_of_the_author_cannot_reach_our_tables(context: ContextStore) -> None:
    context.begin()
    context.savepoint()
    context.db.execute("CREATE TRIGGER sly AFTER INSERT ON payments BEGIN DELETE FROM _saga_inbox; END")
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        context.db.execute("INSERT INTO payments VALUES ('a', 1)")
    context.undo()
    context.rollback()


def test_a_view_with_a_trigger_cannot_reach_our_tables(context: ContextStore) -> None:
    context.begin()
    context.savepoint()
    context.db.execute("CREATE VIEW sly AS SELECT command_id FROM _saga_inbox")
    context.db.execute("CREATE TRIGGER slyer INSTEAD OF DELETE ON sly BEGIN DELETE FROM _saga_inbox; END")
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        context.db.execute("DELETE FROM sly")
    context.undo()
    context.rollback()


def test_vacuum_is_refused(context: ContextStore) -> None:
    context.begin()
    with pytest.raises(sqlite3.DatabaseError, match="VACUUM"):
        context.db.execute("VACUUM")
    context.rollback()


@pytest.mark.parametrize(
    "write", ["INSERT INTO payments VALUES ('a', 1)", "CREATE TABLE t (x)", "DROP TABLE payments"]
)
def test_nothing_is_written_outside_of_a_transaction(context: ContextStore, write: str) -> None:
    with pytest.raises(sqlite3.DatabaseError, match="not authorized") as caught:
        context.db.execute(write)
    context.explain(caught.value)
    assert caught.value.__notes__


def test_reading_outside_of_a_transaction_is_allowed(context: ContextStore) -> None:
    assert list(context.db.query("SELECT value FROM json_each('[1]')")) == [{"value": 1}]
    assert context.db.table("payments").count == 0


def test_other_errors_get_no_note(context: ContextStore) -> None:
    context.begin()
    with pytest.raises(sqlite3.DatabaseError):
        context.db.execute("COMMIT")
    with pytest.raises(sqlite3.OperationalError) as caught:
        context.db.execute("SELECT * FROM nowhere")
    context.explain(caught.value)
    context.explain(ValueError("not authorized"))
    assert not hasattr(caught.value, "__notes__")
    context.rollback()


def test_a_reason_is_of_this_transaction(context: ContextStore) -> None:
    context.begin()
    with pytest.raises(sqlite3.DatabaseError):
        context.db.execute("COMMIT")
    context.rollback()
    context.begin()
    other = sqlite3.DatabaseError("not authorized")
    context.explain(other)
    assert not hasattr(other, "__notes__")
    context.rollback()
