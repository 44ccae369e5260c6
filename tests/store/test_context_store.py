"""The file of a context: state, inbox, answer and outbox are one transaction."""

from __future__ import annotations

import sqlite3

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga.errors import DataLossDetected
from saga.store import ContextChanges, ContextStore, StoreFiles, StoreState, TransactionLost

from .conftest import OpenContext
from .support import NEW, STORE_ID, done


def pay(context: ContextStore, payment_id: str, amount: int = 1) -> None:
    context.db.table("payments").insert({"id": payment_id, "amount": amount})


def pay_in_vain(context: ContextStore) -> None:
    with context.db.atomic():
        pay(context, "undone")
        raise ZeroDivisionError


def payments(context: ContextStore) -> list[str]:
    return [row["id"] for row in context.db.query("SELECT id FROM payments ORDER BY id")]


def reopened(context: ContextStore, open_context: OpenContext, **state: int) -> ContextStore:
    context.close()
    return open_context(state=NEW._replace(epoch=2, commit_no=9, **state))


# --- a transaction with user code in it ---


def test_what_a_handler_writes_is_committed_with_its_answer(
    context: ContextStore, open_context: OpenContext
) -> None:
    context.begin()
    context.savepoint()
    pay(context, "a")
    context.release()
    context.commit(done("c1"))
    again = reopened(context, open_context)
    assert payments(again) == ["a"]
    assert again.answers(["c1"])["c1"].outcome == "done"


def test_what_a_handler_writes_can_be_taken_back_alone(context: ContextStore) -> None:
    context.begin()
    for name, keep in [("a", True), ("b", False), ("c", True)]:
        context.savepoint()
        pay(context, name)
        context.release() if keep else context.undo()
    context.commit(done("c1"))
    assert payments(context) == ["a", "c"]


def test_a_transaction_that_is_rolled_back_leaves_nothing(context: ContextStore) -> None:
    number = context.commit_no
    context.begin()
    context.savepoint()
    pay(context, "a")
    assert context.check_transaction()
    context.rollback()
    assert not context.check_transaction()
    assert payments(context) == []
    assert context.commit_no == number


def test_closing_in_a_transaction_takes_it_back(context: ContextStore, open_context: OpenContext) -> None:
    context.begin()
    pay(context, "a")
    assert payments(reopened(context, open_context)) == []


def test_nested_transactions_of_user_code_are_its_own_affair(context: ContextStore) -> None:
    context.begin()
    context.savepoint()
    with context.db.atomic():
        pay(context, "kept")
        with pytest.raises(ZeroDivisionError):
            pay_in_vain(context)
    context.db.execute("SAVEPOINT forgotten")
    pay(context, "in a savepoint that is not released")
    context.release()
    context.commit(done("c1"))
    assert payments(context) == ["in a savepoint that is not released", "kept"]


def test_a_forgotten_savepoint_does_not_reach_into_the_next_command(context: ContextStore) -> None:
    context.begin()
    context.savepoint()
    context.db.execute("SAVEPOINT mine")
    pay(context, "a")
    context.release()
    context.savepoint()
    with pytest.raises(Exception, match="no such savepoint"):
        context.db.execute("ROLLBACK TO mine")
    context.undo()
    context.commit(done("c1"))
    assert payments(context) == ["a"]


@pytest.mark.parametrize("by", ["conflict clause", "trigger"])
def test_user_code_that_ends_the_transaction_is_noticed(context: ContextStore, by: str) -> None:
    context.begin()
    context.savepoint()
    pay(context, "a")
    if by == "trigger":
        context.db.execute(
            "CREATE TRIGGER t BEFORE DELETE ON payments BEGIN SELECT raise(ROLLBACK, 'not allowed'); END"
        )
        with pytest.raises(Exception, match="not allowed"):
            context.db.execute("DELETE FROM payments")
    else:
        with pytest.raises(Exception, match="UNIQUE"):
            context.db.execute("INSERT OR ROLLBACK INTO payments VALUES ('a', 1)")
    assert not context.check_transaction()
    with pytest.raises(TransactionLost, match="has ended the transaction"):
        context.release()
    with pytest.raises(TransactionLost):
        context.undo()
    with pytest.raises(TransactionLost):
        context.commit(done("c1"))
    context.rollback()
    assert payments(context) == []
    assert context.answers(["c1"]) == {}


@pytest.mark.parametrize(
    "write", ["INSERT INTO payments VALUES ('x', 1)", "CREATE TABLE t (x)", "DELETE FROM payments"]
)
def test_what_is_written_after_the_transaction_was_ended_is_refused(
    context: ContextStore, write: str
) -> None:
    """It would be committed at once, without an answer. Also when the statement is found in the cache."""
    context.begin()
    context.db.execute(write)
    context.rollback()
    context.begin()
    context.savepoint()
    pay(context, "a")
    with pytest.raises(Exception, match="UNIQUE"):
        context.db.execute("INSERT OR ROLLBACK INTO payments VALUES ('a', 1)")
    with pytest.raises(Exception, match="not authorized"):
        context.db.execute(write)
    assert not context.check_transaction()
    assert payments(context) == []
    assert context.db.table_names().count("t") == 0


def test_a_statement_that_was_not_finished_is_noticed(context: ContextStore) -> None:
    context.begin()
    context.savepoint()
    cursor = context.db.conn.execute("INSERT INTO payments VALUES ('a', 1), ('b', 1) RETURNING id")
    assert cursor.fetchone() == ("a",)
    with pytest.raises(TransactionLost, match=r"INSERT \.\.\. RETURNING"):
        context.release()
    context.rollback()
    assert payments(context) == []


def test_a_statement_that_was_not_finished_harms_no_later_transaction(context: ContextStore) -> None:
    """Its cursor may be kept somewhere, for ever."""
    context.begin()
    kept = context.db.conn.execute("INSERT INTO payments VALUES ('a', 1), ('b', 1) RETURNING id")
    kept.fetchone()
    with pytest.raises(TransactionLost, match=r"INSERT \.\.\. RETURNING"):
        context.commit(done("c1"))
    context.begin()
    pay(context, "c")
    context.commit(done("c2"))
    assert payments(context) == ["c"]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        kept.fetchone()


def test_reading_may_be_left_half_done(context: ContextStore) -> None:
    context.begin()
    context.savepoint()
    pay(context, "a")
    pay(context, "b")
    rows = context.db.query("SELECT * FROM payments")
    next(rows)
    context.release()
    context.commit(done("c1"))
    assert payments(context) == ["a", "b"]


def test_sqlite_utils_works_in_a_handler(context: ContextStore) -> None:
    context.begin()
    context.savepoint()
    table = context.db.table("orders", pk="id")
    table.insert({"id": 1, "total": 5})
    table.upsert({"id": 1, "total": 6})
    table.insert_all([{"id": n, "total": n} for n in range(2, 200)])
    table.update(3, {"total": 0})
    table.add_column("note", str)
    table.create_index(["total"])
    assert table.get(1)["total"] == 6
    assert list(context.db.query("SELECT count(*) AS n FROM orders")) == [{"n": 199}]
    assert list(context.db.query("SELECT value FROM json_each('[1]')")) == [{"value": 1}]
    table.transform(rename={"note": "remark"})
    assert "remark" in table.columns_dict
    table.enable_fts(["remark"])
    table.delete(2)
    context.release()
    context.commit(done("c1"))
    assert context.db.table("orders").count == 198


# --- inbox ---


def test_answers_are_found_by_the_id_of_the_command(context: ContextStore) -> None:
    changes = ContextChanges()
    changes.inbox = [
        ("done", 1, "done", '{"id":"ä"}'.encode(), None, None, 5),
        ("nothing", 2, "done", None, None, None, 5),
        ("refused", 3, "refused", None, "no-money", "there is none", 6),
        ("fenced", 4, "tombstone", None, None, None, 7),
        ("sent", None, "done", b"null", None, None, 0),
    ]
    context.begin()
    context.commit(changes)
    found = context.answers(["sent", "done", "nothing", "refused", "fenced", "unknown"])
    assert {key: tuple(row) for key, row in found.items()} == {row[0]: row for row in changes.inbox}


def test_many_answers_are_found_at_once(context: ContextStore) -> None:
    changes = ContextChanges()
    for n in range(1, 1_203):
        changes.inbox.append((f"c{n}", n, "done", b"1", None, None, 1))
    context.begin()
    context.commit(changes)
    assert len(context.answers(f"c{n}" for n in range(5_000))) == 1_202


def test_answers_of_commands_that_are_over_are_forgotten(
    context: ContextStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga.store.context_store.PRUNED_AT_ONCE", 3)
    changes = ContextChanges()
    changes.inbox = [(f"c{n}", n, "done", b"1", None, None, 1) for n in range(1, 9)]
    changes.inbox.append(("sent", None, "done", b"1", None, None, 1))
    context.begin()
    context.commit(changes)
    before = context.commit_no
    assert [context.prune(6), context.prune(6), context.prune(6)] == [3, 2, 0]
    assert context.commit_no == before + 3
    assert context.floor == 6
    assert set(context.answers([row[0] for row in changes.inbox])) == {"c6", "c7", "c8", "sent"}


def test_pruning_inside_of_a_transaction_is_part_of_it(context: ContextStore) -> None:
    context.begin()
    context.commit(done("c1", 1))
    context.begin()
    assert context.prune(2) == 1
    context.rollback()
    assert set(context.answers(["c1"])) == {"c1"}


def test_the_floor_never_falls_and_is_kept(context: ContextStore, open_context: OpenContext) -> None:
    for floor in (5, 3):
        changes = done(f"c{floor}", floor)
        changes.floor = floor
        context.begin()
        context.commit(changes)
    assert context.floor == 5
    assert reopened(context, open_context).floor == 5


# --- outbox ---


def event(name: str, key: str | None = "k") -> tuple[str, str, str | None, bytes, int, str, str | None]:
    return (name, "Paid/1", key, b'{"n":1}', 5, "root", None)


def test_published_events_get_numbers_in_their_order(context: ContextStore) -> None:
    changes = ContextChanges()
    changes.outbox = [event("e1"), event("e2", None)]
    context.begin()
    assert context.commit(changes) == range(1, 3)
    changes = ContextChanges()
    changes.outbox = [event("e3")]
    context.begin()
    assert context.commit(changes) == range(3, 4)
    assert [(row.no, row.event_id, row.key) for row in context.outbox_after(1)] == [
        (2, "e2", None),
        (3, "e3", "k"),
    ]
    assert tuple(context.outbox_after(0, limit=1)[0]) == (1, *event("e1"))


def test_numbers_of_the_outbox_are_not_used_again_when_it_was_emptied(
    context: ContextStore, open_context: OpenContext
) -> None:
    changes = ContextChanges()
    changes.outbox = [event("e1"), event("e2")]
    context.begin()
    context.commit(changes)
    changes = ContextChanges()
    changes.relayed_no = 2
    context.begin()
    assert context.commit(changes) == range(3, 3)
    assert context.outbox_after(0) == []
    again = reopened(context, open_context, outbox_no=2)
    changes = ContextChanges()
    changes.outbox = [event("e3")]
    again.begin()
    assert again.commit(changes) == range(3, 4)


def test_numbers_of_a_transaction_that_was_rolled_back_are_given_anew(context: ContextStore) -> None:
    changes = done("c1")
    changes.outbox = [event("e1")]
    changes.inbox *= 2  # refused
    context.begin()
    with pytest.raises(Exception, match="inbox"):
        context.commit(changes)
    changes.inbox.pop()
    context.begin()
    assert context.commit(changes) == range(1, 2)


# --- positions and retries of listeners ---


def test_positions_are_kept_with_what_was_done_with_the_event(
    context: ContextStore, open_context: OpenContext
) -> None:
    for position in (4, 9):
        changes = ContextChanges()
        changes.positions = {"Paid/1": position, "Shipped/1": 2}
        context.begin()
        context.commit(changes)
    assert reopened(context, open_context).positions() == {"Paid/1": 9, "Shipped/1": 2}


def test_events_that_a_listener_failed_on_are_kept_until_they_are_settled(context: ContextStore) -> None:
    assert context.next_retry(["Paid/1"]) is None
    changes = ContextChanges()
    changes.retries = {
        (7, "Paid/1"): (1, 90, "first", 50, "e7", "c", b"{}"),
        (4, "Paid/1"): (5, None, "set aside", 50, "e4", "c", b"{}"),
        (9, "X/1"): None,
    }
    context.begin()
    context.commit(changes)
    assert context.next_retry(["Paid/1"]) == 90
    assert context.next_retry(["X/1"]) is None
    assert context.due_retries(89, ["Paid/1"], 10) == []
    due = (7, "Paid/1", 1, 90, "first", 50, "e7", "c", b"{}")
    assert [tuple(row) for row in context.due_retries(90, ["Paid/1"], 10)] == [due]
    assert [context.attempts(no, "Paid/1") for no in (4, 7, 9)] == [5, 1, 0]
    changes = ContextChanges()
    changes.retries = {(4, "Paid/1"): None, (7, "Paid/1"): (2, 200, "second", 95, "e7", "c", b"{}")}
    context.begin()
    context.commit(changes)
    assert [row[2:6] for row in context.due_retries(200, ["Paid/1"], 10)] == [(2, 200, "second", 95)]
    assert context.attempts(4, "Paid/1") == 0


def test_what_was_set_aside_can_be_made_due(context: ContextStore) -> None:
    changes = ContextChanges()
    changes.retries = {
        (4, "Paid/1"): (5, None, "set aside", 50, "e4", "c", b"{}"),
        (6, "Sold/1"): (5, None, "set aside", 50, "e6", "c", b"{}"),
    }
    context.begin()
    context.commit(changes)
    for event_type, count in (("Paid/1", 1), ("Lost/1", 0), (None, 2)):
        changes = ContextChanges()
        context.begin()
        assert context.retry_now(event_type, 99) == count
        changes.retries_due = True
        context.commit(changes)
        assert context.next_retry(["Paid/1"]) == 99
    assert [row.event_no for row in context.due_retries(99, ["Paid/1", "Sold/1"], 10)] == [4, 6]


def test_an_empty_change_says_so() -> None:
    changes = ContextChanges()
    changes.floor = changes.coordinator_commit_no = 9
    assert changes.is_empty
    changes.relayed_no = 1
    assert not changes.is_empty
    assert not done("c1").is_empty


# --- migrations ---

migrations = Migrations("payment")


@migrations()
def first(db: Database) -> None:
    db.table("payments").create({"id": str, "amount": int}, pk="id")


def test_the_tables_of_the_author_are_made_by_his_migrations(open_context: OpenContext) -> None:
    context = open_context(migrations=migrations)
    assert payments(context) == []
    context.close()
    later = Migrations("payment")
    later._migrations = list(migrations._migrations)

    @later()
    def second(db: Database) -> None:
        db.table("payments").transform(rename={"amount": "cents"})

    context = open_context(state=NEW._replace(epoch=2), migrations=later)
    assert list(context.db.table("payments").columns_dict) == ["id", "cents"]
    assert [m.name for m in later.applied(context.db)] == ["first", "second"]


def test_a_migration_that_fails_leaves_the_file_as_it_was(open_context: OpenContext) -> None:
    open_context(migrations=migrations).close()
    bad = Migrations("payment")
    bad._migrations = list(migrations._migrations)

    @bad()
    def third(db: Database) -> None:
        db.table("payments").add_column("note", str)

    @bad()
    def fourth(db: Database) -> None:
        raise RuntimeError("oh")

    with pytest.raises(RuntimeError, match="oh") as caught:
        open_context(state=NEW._replace(epoch=2), migrations=bad)
    assert "in the migrations of context payment" in caught.value.__notes__[0]
    context = open_context(state=NEW._replace(epoch=2))
    assert list(context.db.table("payments").columns_dict) == ["id", "amount"]
    assert context.commit_no == 2


def test_a_migration_cannot_end_the_transaction(open_context: OpenContext) -> None:
    bad = Migrations("payment")

    @bad()
    def commits(db: Database) -> None:
        db.execute("CREATE TABLE t (x)")
        db.conn.commit()

    with pytest.raises(Exception, match="not authorized") as caught:
        open_context(migrations=bad)
    assert any("COMMIT is not allowed" in note for note in caught.value.__notes__)
    assert open_context().is_new


def test_a_context_in_memory_works_the_same() -> None:
    context = ContextStore.open(StoreFiles.at(":memory:"), "payment", NEW, migrations)
    context.begin()
    context.savepoint()
    pay(context, "a")
    context.release()
    context.commit(done("c1"))
    assert payments(context) == ["a"]
    context.close()


def test_a_context_in_memory_does_not_begin_anew_unnoticed() -> None:
    """Its state went with the connection that had it."""
    with pytest.raises(DataLossDetected):
        ContextStore.open(StoreFiles.at(":memory:"), "payment", NEW._replace(acknowledged=5))


def test_two_contexts_in_memory_are_private() -> None:
    one = ContextStore.open(StoreFiles.at(":memory:"), "one", NEW, migrations)
    other = ContextStore.open(StoreFiles.at(":memory:"), "other", NEW)
    assert other.db.table_names().count("payments") == 0
    one.close()
    other.close()


def test_the_state_that_a_context_is_opened_with_names_its_parts() -> None:
    assert StoreState(STORE_ID, 1, 2, 3, 4)._asdict() == {
        "store_id": STORE_ID,
        "epoch": 1,
        "commit_no": 2,
        "acknowledged": 3,
        "outbox_no": 4,
    }
