"""What the coordinator writes is what it reads, across a restart, too."""

from __future__ import annotations

import pytest

from saga.store import FIRST, Batch, OwnerLock, SagaRow, SagaStore, StoreFiles, chain

from .conftest import OpenStore
from .support import RECORDS, add_rows, add_saga, with_definition


def commit(store: SagaStore, *numbers: int, status: str = "RUNNING", busy: int = 1) -> None:
    batch = Batch()
    for no in numbers:
        add_saga(batch, no, status=status, busy=busy)
    store.commit(batch)


# --- opening ---


def test_a_new_store_has_an_id_and_begins_with_epoch_1(open_store: OpenStore) -> None:
    store = open_store(now_ms=5)
    assert len(store.store_id) == 36
    assert (store.epoch, store.commit_no, store.high_ms) == (1, 1, 5)
    assert store.is_new
    assert store.ended_cleanly
    assert (store.next_saga_no, store.next_event_no) == (1, 1)


def test_every_opening_is_a_new_epoch_of_the_same_store(open_store: OpenStore) -> None:
    first = open_store()
    first.close()
    second = open_store()
    assert (second.store_id, second.epoch, second.is_new) == (first.store_id, 2, False)
    assert second.commit_no == first.commit_no + 1


def test_a_store_that_was_not_closed_is_known_at_the_next_start(open_store: OpenStore) -> None:
    open_store().close()
    cut_off = open_store()
    assert cut_off.ended_cleanly
    cut_off.abandon()
    again = open_store()
    assert not again.ended_cleanly
    again.close(clean=False)
    assert not open_store().ended_cleanly


def test_what_was_committed_is_there_after_a_restart(open_store: OpenStore) -> None:
    store = open_store()
    store.commit(with_definition())
    commit(store, 1, 2)
    before = (store.find("order-2"), store.journal(2), store.commit_no)
    store.abandon()
    store = open_store()
    assert (store.find("order-2"), store.journal(2), store.commit_no - 1) == before


def test_a_store_on_disk_is_not_opened_without_its_lock(files: StoreFiles) -> None:
    with pytest.raises(ValueError, match="under its lock"):
        SagaStore.open(files, None, 0)


def test_a_store_in_memory_needs_no_lock() -> None:
    store = SagaStore.open(StoreFiles.at(":memory:"), None, 0)
    store.commit(with_definition())
    commit(store, 1)
    assert store.find("order-1") is not None
    assert store.checkpoint() in (True, False)
    store.close()


def test_numbers_are_never_given_twice_even_when_their_rows_are_gone(open_store: OpenStore) -> None:
    store = open_store()
    store.commit(with_definition())
    commit(store, 7)
    batch = Batch()
    batch.events.append((9, "e", "Placed/1", None, b"{}", 1, "runtime", "c", None))
    store.commit(batch)
    assert store.prune_events(10) == 1
    store.close()
    store = open_store()
    assert (store.next_saga_no, store.next_event_no) == (8, 10)


def test_the_latest_time_ever_seen_is_kept(open_store: OpenStore) -> None:
    store = open_store(now_ms=1_000)
    batch = with_definition()
    batch.high_ms = 5_000
    store.commit(batch)
    late = Batch()
    add_saga(late, 1)
    late.high_ms = 4_000
    store.commit(late)
    assert store.high_ms == 5_000
    store.close()
    assert open_store(now_ms=2_000).high_ms == 5_000  # the clock was set back


def test_the_clock_of_a_store_is_kept(open_store: OpenStore) -> None:
    store = open_store()
    assert store.clock is None
    store.set_clock('{"factor":5000}')
    store.close()
    assert open_store().clock == '{"factor":5000}'


# --- one commit ---


def test_a_commit_has_the_next_number(store: SagaStore) -> None:
    before = store.commit_no
    batch = Batch()
    add_saga(batch, 1)
    assert store.commit(batch) == before + 1 == store.commit_no


def test_a_saga_reads_back_as_it_was_written(store: SagaStore) -> None:
    batch = Batch()
    batch.new_sagas.append(
        (3, "Ordnung-ä", 1, "COMPENSATED", 0, 5, 0, "Placed/1", b"d" * 16, "root", "message-1", 42)
    )
    batch.saga_updates[3] = ("COMPENSATED", 0, 0, "card-expired", "the card has expired")
    batch.tags += [(3, "region", "north"), (3, "vip", "")]
    store.commit(batch)
    expected = SagaRow(
        *(3, "Ordnung-ä", 1, "COMPENSATED", 0, 5, 0, "Placed/1", b"d" * 16, "root", "message-1", 42),
        refusal_code="card-expired",
        refusal_reason="the card has expired",
    )
    assert store.find("Ordnung-ä") == store.row(3) == expected
    assert store.tags(3) == {"region": "north", "vip": ""}


def test_an_unknown_saga_is_none(store: SagaStore) -> None:
    assert store.find("nobody") is None
    assert store.row(99) is None
    assert store.find_many(["nobody"]) == {}
    assert store.journal(99) == []


def test_updates_that_are_alike_and_others_stand_in_one_commit(store: SagaStore) -> None:
    batch = Batch()
    for no in range(1, 8):
        add_saga(batch, no)
    store.commit(batch)
    updates = Batch()
    updates.saga_updates = {
        1: ("COMPLETED", 0, 9, None, None),
        2: ("COMPENSATED", 0, 9, "late", "too late"),
        3: ("COMPLETED", 0, 9, None, None),
        4: ("COMPENSATED", 0, 9, "late", "too late"),
        5: ("COMPENSATED", 0, 9, "late", "much too late"),
        6: ("COMPLETED", 0, 8, None, None),
    }
    store.commit(updates)
    untouched = ("RUNNING", 1, None, None, None)
    for no in range(1, 8):
        row = store.row(no)
        assert row is not None
        found = (row.status, row.busy, row.ended_ms, row.refusal_code, row.refusal_reason)
        assert found == updates.saga_updates.get(no, untouched)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 64, 65, 137, 1_100])
def test_batches_of_any_size_are_written_whole(store: SagaStore, count: int) -> None:
    batch = Batch()
    for no in range(1, count + 1):
        add_saga(batch, no, rows=2)
        batch.saga_updates[no] = ("PARKED", 0, None, None, None)
        batch.timers[no, "t"] = no
        batch.waits[no, "w"] = ("Fetched/1", f"order-{no}")
        batch.incidents[no, "p"] = ("failed", "why", no)
        batch.tags.append((no, "n", str(no)))
    store.commit(batch)
    assert store.counts() == {"PARKED": count}
    assert [row.seq for row in store.journal(count)] == [1, 2]
    assert [timer.saga_no for timer in store.due_timers(count, 10_000)] == list(range(1, count + 1))
    assert len(store.find_many(f"order-{no}" for no in range(count + 5))) == count
    over = Batch()
    for no in range(1, count + 1):
        over.saga_updates[no] = ("COMPLETED", 0, no, None, None)
        over.timers[no, "t"] = over.waits[no, "w"] = over.incidents[no, "p"] = None
    store.commit(over)
    assert store.counts() == {"COMPLETED": count}
    assert store.next_due() is None
    assert store.waiting("Fetched/1", "order-1") == []
    assert store.incidents_of(["failed"]) == []
    row = store.row(count)
    assert row is not None
    assert row.ended_ms == count


def test_a_journal_reads_back_in_order_as_it_was_written(store: SagaStore) -> None:
    batch = Batch()
    records = '[{"is":"started","text":"äöü€𝄞"}]'.encode()
    digest = chain(FIRST, 1, 1, 0, None, 1, records)
    add_saga(batch, 1, rows=0)
    add_saga(batch, 2, rows=3)
    batch.journal.append((1, 1, 0, None, 1, records, digest, b""))
    store.commit(batch)
    assert [tuple(row) for row in store.journal(1)] == [(1, 1, 0, None, 1, records, digest, None)]
    assert [(row.seq, row.cause, row.records) for row in store.journal(2)] == [
        (1, None, RECORDS),
        (2, "order-2/2", RECORDS),
        (3, "order-2/3", RECORDS),
    ]


def test_what_changes_twice_in_a_batch_is_written_as_it_is_last(store: SagaStore) -> None:
    batch = Batch()
    add_saga(batch, 1)
    batch.saga_updates[1] = ("PARKED", 0, None, None, None)
    batch.timers[1, "t"] = 5
    batch.waits[1, "w"] = ("Fetched/1", "a")
    store.commit(batch)
    again = Batch()
    again.saga_updates[1] = ("COMPENSATING", 1, None, "c", "r")
    again.timers[1, "t"] = 9
    again.waits[1, "w"] = ("Fetched/1", None)
    again.timers[1, "never-armed"] = None
    store.commit(again)
    row = store.row(1)
    assert row is not None
    assert (row.status, row.busy, row.refusal_code, row.refusal_reason) == ("COMPENSATING", 1, "c", "r")
    assert store.next_due() == 9
    assert store.waiting("Fetched/1", "a") == []
    assert store.waiting("Fetched/1", None) == [(1, "w")]


def test_an_empty_batch_says_so() -> None:
    assert Batch().is_empty
    timed = Batch()
    timed.high_ms = 7
    assert timed.is_empty
    for part in ("journal", "new_sagas", "tags", "events", "definitions"):
        batch = Batch()
        getattr(batch, part).append(())
        assert not batch.is_empty
    for part in ("saga_updates", "waits", "timers", "incidents", "participants"):
        batch = Batch()
        getattr(batch, part)[1] = None
        assert not batch.is_empty


# --- reading ---


def test_live_sagas_with_commands_outside_are_listed_for_recovery(store: SagaStore) -> None:
    commit(store, 1, 4)
    commit(store, 2, busy=0)
    commit(store, 3, status="COMPLETED", busy=0)
    assert [*store.live_busy()] == [1, 4]
    assert store.counts() == {"RUNNING": 3, "COMPLETED": 1}
    assert store.live_count() == 3
    assert store.live_definitions() == {1: 3}


def test_the_list_for_recovery_may_be_used_while_it_is_written(store: SagaStore) -> None:
    commit(store, *range(1, 1_501))
    seen = 0
    for row, _ in store.live_journals():
        seen += 1
        if row.no % 100 == 0:
            batch = Batch()
            batch.saga_updates[row.no] = ("COMPLETED", 0, 1, None, None)
            store.commit(batch)
    assert seen == 1_500
    assert store.live_count() == 1_485


def test_a_recovery_reads_the_journals_of_many_sagas_together(store: SagaStore) -> None:
    batch = Batch()
    for no in range(1, 451):
        add_saga(batch, no, rows=no % 3 + 1, busy=int(no != 7))
    store.commit(batch)

    found = [*store.live_journals()]

    assert [saga.no for saga, _ in found] == [no for no in range(1, 451) if no != 7]
    assert all(journal == store.journal(saga.no) for saga, journal in found)


def test_due_timers_come_in_the_order_they_are_due(store: SagaStore) -> None:
    commit(store, 1, 2)
    batch = Batch()
    batch.timers |= {(1, "late"): 30, (2, "b"): 10, (1, "a"): 20, (2, "a"): 10, (1, "zero"): 0}
    store.commit(batch)
    assert store.next_due() == 0
    assert [(t.saga_no, t.name) for t in store.due_timers(20, 9)] == [
        (1, "zero"),
        (2, "a"),
        (2, "b"),
        (1, "a"),
    ]
    assert len(store.due_timers(99, 2)) == 2
    assert store.due_timers(-1, 9) == []


def test_waits_are_found_by_type_and_key(store: SagaStore) -> None:
    commit(store, 1, 2)
    batch = Batch()
    batch.waits[1, "w"] = ("Fetched/1", "a")
    batch.waits[2, "w"] = ("Fetched/1", "a")
    batch.waits[2, "empty"] = ("Fetched/1", "")
    batch.waits[2, "none"] = ("Fetched/1", None)
    batch.waits[2, "other"] = ("Placed/1", "a")
    store.commit(batch)
    assert store.waiting("Fetched/1", "a") == [(1, "w"), (2, "w")]
    assert store.waiting("Fetched/1", "") == [(2, "empty")]
    assert store.waiting("Fetched/1", None) == [(2, "none")]
    assert store.waiting_for(
        [("Fetched/1", "a"), ("Fetched/1", None), ("Fetched/1", "b"), ("Fetched/1", "a")]
    ) == {
        ("Fetched/1", "a"): [(1, "w"), (2, "w")],
        ("Fetched/1", None): [(2, "none")],
    }


def test_the_event_log_is_read_by_number_type_and_key(store: SagaStore) -> None:
    batch = Batch()
    for no, type_, key in [
        (1, "A/1", "x"),
        (2, "B/1", "x"),
        (3, "A/1", None),
        (4, "A/1", "x"),
        (5, "C/1", "x"),
    ]:
        batch.events.append((no, f"e{no}", type_, key, b'{"n":%d}' % no, 100 + no, "payment", "corr", None))
    store.commit(batch)
    assert [event.no for event in store.events_after(0, ["A/1", "B/1"], 3)] == [1, 2, 3]
    assert [event.no for event in store.events_after(3, ["A/1", "B/1"], 3)] == [4]
    assert store.events_after(0, [], 3) == []
    assert [event.no for event in store.matching_events("A/1", "x", 1)] == [4]
    assert [event.no for event in store.matching_events("A/1", None, 0)] == [3]
    assert store.first_event("A/1", 1) == 3
    assert store.first_event("A/1", 4) is None
    assert store.log_begins() == 1
    (event,) = store.events_after(0, ["A/1"], 1)
    assert tuple(event) == (1, "e1", "A/1", "x", b'{"n":1}', 101, "payment", "corr", None)
    assert store.event_exists("e3")
    assert not store.event_exists("e9")
    assert store.known_events(["e1", "e9", "e5"]) == {"e1", "e5"}


def test_the_event_log_is_pruned_from_below_in_pieces(
    store: SagaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga.store.saga_store.PRUNED_AT_ONCE", 4)
    batch = Batch()
    for no in range(1, 11):
        batch.events.append((no, f"e{no}", "A/1", None, b"{}", no, "runtime", "c", None))
    store.commit(batch)
    before = store.commit_no
    assert [store.prune_events(8), store.prune_events(8), store.prune_events(8)] == [4, 3, 0]
    assert store.commit_no == before + 3
    assert [event.no for event in store.events_after(0, ["A/1"], 99)] == [8, 9, 10]


def test_the_oldest_event_that_a_live_saga_may_need_is_known(store: SagaStore) -> None:
    assert store.first_event_needed() is None
    batch = Batch()
    for no, first_event in [(1, 3), (2, 5), (3, 8)]:
        add_saga(batch, no)
        batch.new_sagas[-1] = (*batch.new_sagas[-1][:-1], first_event)
    batch.saga_updates[1] = ("COMPLETED", 0, 1, None, None)
    store.commit(batch)
    assert store.first_event_needed() == 5


def test_participants_and_definitions_read_back(store: SagaStore) -> None:
    batch = Batch()
    batch.participants |= {"payment": ("context", 1, 0, 0), "card": ("gateway", 3, 0, 0)}
    batch.definitions.append((2, "FulfilOrder", 2, "1" * 32, '{"doc":"für"}'.encode(), 9))
    store.commit(batch)
    again = Batch()
    again.participants["payment"] = ("context", 8, 7, 6)
    store.commit(again)
    assert store.participants() == {"card": ("gateway", 3, 0, 0), "payment": ("context", 8, 7, 6)}
    assert [d.no for d in store.definitions()] == [1, 2]
    assert tuple(store.definitions()[1]) == (2, "FulfilOrder", 2, "1" * 32, '{"doc":"für"}'.encode(), 9)


def test_the_write_ahead_log_is_emptied_on_request(store: SagaStore, files: StoreFiles) -> None:
    import os

    commit(store, *range(1, 50))
    assert os.path.getsize(files.saga + "-wal") > 0
    assert store.checkpoint()
    assert os.path.getsize(files.saga + "-wal") == 0


def test_a_large_write_ahead_log_is_emptied_by_itself(
    store: SagaStore, files: StoreFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setattr("saga.store.saga_store.WAL_LIMIT_BYTES", 100_000)
    no = 0
    while os.path.getsize(files.saga + "-wal") < 100_000:
        no += 1
        commit(store, no)
    for _ in range(256):
        no += 1
        commit(store, no)
    assert os.path.getsize(files.saga + "-wal") < 100_000


def test_the_journal_refuses_a_second_writer(open_store: OpenStore, files: StoreFiles) -> None:
    """Not only the lock: the key (saga_no, seq) does."""
    from saga.store import ConstraintFailed

    store = open_store()
    batch = with_definition()
    digest = add_saga(batch, 1)
    store.commit(batch)
    for _ in range(2):
        more = Batch()
        add_rows(more, 1, 2, 2, digest)
        if store.journal(1)[-1].seq == 1:
            store.commit(more)
        else:
            with pytest.raises(ConstraintFailed, match="journal"):
                store.commit(more)


def test_opening_notes_the_store_in_the_lock_file(files: StoreFiles) -> None:
    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        store = SagaStore.open(files, lock, 0)
        assert lock.store_id == store.store_id
        store.close()
