"""What rows of the journal have in common is stored once, and whoever reads them sees whole rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from msgspec import DecodeError

from saga.errors import CorruptStore
from saga.store import (
    FILLED,
    FIRST,
    Batch,
    ConstraintFailed,
    SagaStore,
    StoreFiles,
    StoreReader,
    chain,
    verify,
    whole,
)

from .conftest import OpenStore
from .support import RECORDS, add_rows, add_saga

FORM = b'[{"is":"done","path":"a.1","answer":\t},{"is":"sent","number":\t}]'
OTHER = b'[{"is":"ended"}]'


def add_filled(batch: Batch, no: int, *rows: tuple[bytes, bytes]) -> None:
    """Add a saga whose rows have these forms and values."""
    add_saga(batch, no, rows=0)
    previous = FIRST
    for seq, (form, values) in enumerate(rows, 1):
        previous = chain(previous, no, seq, 1_000, None, FILLED, form + values)
        batch.journal.append((no, seq, 1_000, None, FILLED, values, previous, form))


def forms(files: StoreFiles) -> list[tuple[int, bytes]]:
    with closing(sqlite3.connect(files.saga)) as connection:
        return connection.execute("SELECT no, CAST(text AS BLOB) FROM forms ORDER BY no").fetchall()


@pytest.mark.parametrize(
    ("form", "values", "said"),
    [
        (
            FORM,
            b'[{"x":"\\t"},7]',
            b'[{"is":"done","path":"a.1","answer":{"x":"\\t"}},{"is":"sent","number":7}]',
        ),
        (OTHER, b"[]", OTHER),
    ],
)
def test_a_form_is_filled_in(form: bytes, values: bytes, said: bytes) -> None:
    assert whole(form, values) == said


@pytest.mark.parametrize("values", [b"[]", b"[1]", b"[1,2,3]", b"{}", b"", b"[1,2", b"\xff"])
def test_values_that_do_not_fit_are_refused(values: bytes) -> None:
    with pytest.raises(DecodeError, match=r".+"):
        whole(FORM, values)


def test_a_form_is_stored_once_and_found_again_after_a_restart(
    store: SagaStore, open_store: OpenStore, files: StoreFiles
) -> None:
    batch = Batch()
    add_filled(batch, 1, (FORM, b"[1,2]"), (OTHER, b"[]"))
    add_filled(batch, 2, (FORM, b"[3,4]"))
    store.commit(batch)
    store.close()
    store = open_store()
    batch = Batch()
    add_filled(batch, 3, (OTHER, b"[]"), (FORM, b"[5,6]"))
    add_saga(batch, 4)
    store.commit(batch)
    assert forms(files) == [(1, FORM), (2, OTHER)]
    said = {no: [row.records for row in store.journal(no)] for no in (1, 2, 3, 4)}
    assert said == {
        1: [whole(FORM, b"[1,2]"), OTHER],
        2: [whole(FORM, b"[3,4]")],
        3: [OTHER, whole(FORM, b"[5,6]")],
        4: [RECORDS],
    }


def test_a_form_of_a_commit_that_failed_is_not_taken_for_stored(store: SagaStore, files: StoreFiles) -> None:
    batch = Batch()
    add_filled(batch, 1, (FORM, b"[1,2]"))
    batch.tags.append((77, "of", "nobody"))
    with pytest.raises(ConstraintFailed):
        store.commit(batch)
    assert forms(files) == []
    batch = Batch()
    add_filled(batch, 1, (OTHER, b"[]"), (FORM, b"[1,2]"))
    store.commit(batch)
    assert forms(files) == [(1, OTHER), (2, FORM)]
    assert [row.records for row in store.journal(1)] == [OTHER, whole(FORM, b"[1,2]")]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE forms SET text = replace(text, 'a.1', 'a.2') WHERE no = 1",
        "UPDATE forms SET text = replace(text, char(9), '0') WHERE no = 1",
        "DELETE FROM forms WHERE no = 1",
        "UPDATE journal SET form_no = 2 WHERE form_no = 1",
        "UPDATE journal SET form_no = NULL",
        "UPDATE journal SET form_no = 9",
        "UPDATE journal SET encoding = 1",
    ],
)
def test_a_form_that_is_not_what_it_was_is_noticed_in_each_row(
    store: SagaStore, open_store: OpenStore, files: StoreFiles, damage: str
) -> None:
    batch = Batch()
    add_filled(batch, 1, (FORM, b"[1,2]"))
    add_filled(batch, 2, (FORM, b"[3,4]"), (OTHER, b"[]"))
    store.commit(batch)
    store.close()
    with closing(sqlite3.connect(files.saga, isolation_level=None)) as connection:
        connection.execute(damage)
    found = [finding.what for finding in verify(files)]
    assert [name in " ".join(found) for name in ("order-1", "order-2")] == [True, True]
    store = open_store()
    for no in (1, 2):
        with pytest.raises(CorruptStore, match="does not fit its digest"):
            store.journal(no)
    batch = Batch()
    add_filled(batch, 3, (FORM, b"[5,6]"))
    store.commit(batch)  # what comes is not spoiled by it
    assert [row.records for row in store.journal(3)] == [whole(FORM, b"[5,6]")]


@pytest.mark.parametrize(
    "value",
    [
        b"null", b"true", b"false", b"7", b"-1.5", b"0", b'""', b'"plain"', b'"\\t \\" \\\\ \\n [}"',
        "\"äöü€𝄞\"".encode(), b"[]", b"{}", b'{"a":[1,null,true,{"b":"x"}],"c":""}',
    ],
)  # fmt: skip
def test_the_view_step_history_fills_rows_in(store: SagaStore, files: StoreFiles, value: bytes) -> None:
    batch = Batch()
    add_filled(batch, 1, (FORM, b"[" + value + b",8]"), (OTHER, b"[]"))
    add_rows(batch, 1, 3, 3, batch.journal[-1][6])
    store.commit(batch)
    with closing(sqlite3.connect(files.saga)) as connection:
        rows = connection.execute(
            "SELECT seq, what, path, detail FROM step_history ORDER BY seq, item"
        ).fetchall()
    assert [row[:3] for row in rows[:3]] == [(1, "done", "a.1"), (1, "sent", None), (2, "ended", None)]
    assert rows[3][:3] == (3, "started", "")
    assert json.loads(rows[0][3]) == {"answer": json.loads(value)}
    assert json.loads(rows[1][3]) == {"number": 8}


def test_a_row_that_was_erased_has_nothing_to_say(
    store: SagaStore, files: StoreFiles, reader: Callable[[], StoreReader]
) -> None:
    batch = Batch()
    add_filled(batch, 1, (FORM, b"[1,2]"))
    add_rows(batch, 1, 2, 2, batch.journal[-1][6])
    store.commit(batch)
    with closing(sqlite3.connect(files.saga, isolation_level=None)) as connection:
        connection.execute("UPDATE journal SET records = NULL WHERE seq = 1")
    assert [row.records for row in reader().journal(1)] == [None, RECORDS]
    assert [row.records for row in store.journal(1)] == [None, RECORDS]


def test_an_encoding_of_a_later_version_is_told(
    store: SagaStore, files: StoreFiles, reader: Callable[[], StoreReader]
) -> None:
    batch = Batch()
    add_filled(batch, 1, (FORM, b"[1,2]"))
    store.commit(batch)
    with closing(sqlite3.connect(files.saga, isolation_level=None)) as connection:
        connection.execute("UPDATE journal SET encoding = 3")
    (row,) = reader().journal(1)
    with pytest.raises(DecodeError, match=r"encoding \(3\) is unknown"):
        _ = row.records
