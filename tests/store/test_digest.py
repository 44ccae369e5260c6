"""The chain over the journal of one saga: whatever is changed in a row shows."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saga.errors import CorruptStore
from saga.store import FIRST, Batch, SagaStore, chain

from .support import RECORDS, add_rows, add_saga

texts = st.text(max_size=4, alphabet="|-0é")
rows = st.tuples(
    st.sampled_from([FIRST, b"p" * 16]),
    st.integers(0, 111),
    st.integers(0, 111),
    st.integers(-1, 11),
    st.none() | texts,
    st.integers(1, 2),
    texts.map(str.encode),
)


def test_a_digest_is_16_bytes_and_depends_on_the_row_before() -> None:
    first = chain(FIRST, 1, 1, 1_000, None, 1, RECORDS)
    assert len(first) == 16
    assert chain(first, 1, 2, 1_000, None, 1, RECORDS) != chain(FIRST, 1, 2, 1_000, None, 1, RECORDS)


@given(rows, rows)
def test_two_different_rows_have_different_digests(one: tuple[bytes], other: tuple[bytes]) -> None:
    """However their values could be cut: 1|11 is not 11|1, and a cause is no beginning of records."""
    assert (chain(*one) == chain(*other)) == (one == other)  # type: ignore[call-arg]


def test_no_cause_is_not_an_empty_cause() -> None:
    assert chain(FIRST, 1, 1, 0, None, 1, b"") != chain(FIRST, 1, 1, 0, "", 1, b"")


def journal_of_three(store: SagaStore) -> None:
    batch = Batch()
    add_saga(batch, 1, rows=3)
    store.commit(batch)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE journal SET records = replace(records, 'reserve', 'reserwe') WHERE seq = 2",
        "UPDATE journal SET at_ms = at_ms + 1 WHERE seq = 1",
        "UPDATE journal SET cause = NULL WHERE seq = 3",
        "UPDATE journal SET cause = '' WHERE seq = 1",
        "UPDATE journal SET encoding = 2 WHERE seq = 2",
        "UPDATE journal SET digest = zeroblob(16) WHERE seq = 3",
        "DELETE FROM journal WHERE seq = 2",
        "DELETE FROM journal WHERE seq = 1",
        "UPDATE journal SET seq = CASE seq WHEN 1 THEN 12 ELSE 11 END WHERE seq < 3;"
        "UPDATE journal SET seq = seq - 10 WHERE seq > 10",
    ],
)
def test_damage_to_a_journal_is_found_when_it_is_read(store: SagaStore, damage: str) -> None:
    journal_of_three(store)
    for statement in damage.split(";"):
        store.connection.execute(statement)
    with pytest.raises(CorruptStore, match=r"journal of saga number 1"):
        store.journal(1)
    with pytest.raises(CorruptStore, match=r"journal of saga number 1"):
        [*store.live_journals()]


def test_every_flipped_bit_of_a_row_is_found(store: SagaStore) -> None:
    journal_of_three(store)
    for byte, bit in itertools.product(range(0, len(RECORDS), 7), range(7)):  # the 8th would leave ASCII
        flipped = bytearray(RECORDS)
        flipped[byte] ^= 1 << bit
        text = flipped.decode()
        store.connection.execute("UPDATE journal SET records = ? WHERE seq = 2", (text,))
        with pytest.raises(CorruptStore):
            store.journal(1)


def test_a_row_whose_records_were_erased_keeps_the_chain(store: SagaStore) -> None:
    journal_of_three(store)
    store.connection.execute("UPDATE journal SET records = NULL WHERE seq = 2")
    assert [row.records for row in store.journal(1)] == [RECORDS, None, RECORDS]
    more = Batch()
    add_rows(more, 1, 4, 4, store.journal(1)[-1].digest)
    store.commit(more)
    assert len(store.journal(1)) == 4
    store.connection.execute("UPDATE journal SET at_ms = 0 WHERE seq = 3")
    with pytest.raises(CorruptStore):
        store.journal(1)
