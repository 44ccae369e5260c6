"""A process that is killed at any moment leaves every commit that it was told of, and no half of one."""

from __future__ import annotations

import random

import pytest

from saga.store import ContextStore, StoreFiles, StoreState

from .conftest import OpenStore
from .support import ROOT, end_of, line_of, run

WRITE = """
import sys
sys.path.insert(0, sys.argv[2])
from saga.store import Batch, ContextStore, OwnerLock, SagaStore, StoreFiles, StoreState
from tests.store.support import add_rows, add_saga, done, with_definition
files = StoreFiles.at(sys.argv[1])
lock = OwnerLock.take(files, "x")
saga = SagaStore.open(files, lock, 0)
saga.commit(with_definition())
payment = ContextStore.open(files, "payment", StoreState(saga.store_id, saga.epoch, saga.commit_no, 0, 0))
digests = {}
no = 0
while True:
    no += 1
    changes = done(f"c{no}", no)
    changes.coordinator_commit_no = saga.commit_no
    payment.begin()
    payment.db.execute("CREATE TABLE IF NOT EXISTS payments (id INTEGER PRIMARY KEY)")
    payment.db.execute("INSERT INTO payments VALUES (?)", [no])
    payment.commit(changes)
    batch = Batch()
    digests[no] = add_saga(batch, no)
    if no > 1:
        digests[no - 1] = add_rows(batch, no - 1, 2, 2, digests[no - 1])
        batch.saga_updates[no - 1] = ("COMPLETED", 0, no, None, None)
    batch.timers[no, "t"] = no
    batch.participants["payment"] = ("context", no, payment.commit_no, 0)
    saga.commit(batch)
    print(no, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_every_acknowledged_commit_is_there_after_kill_9(
    files: StoreFiles, open_store: OpenStore, seed: int
) -> None:
    process = run(WRITE, files.directory, str(ROOT))
    try:
        for _ in range(random.Random(seed).randrange(1, 120)):
            told = int(line_of(process))
    finally:
        process.kill()
        end_of(process)
    saga = open_store()
    assert not saga.ended_cleanly
    there = saga.next_saga_no - 1
    assert there >= told
    for no in range(1, there + 1):
        row = saga.row(no)
        assert row is not None
        assert row.status == ("COMPLETED" if no < there else "RUNNING")
        assert len(saga.journal(no)) == (2 if no < there else 1)
    assert len(saga.due_timers(there, 10_000)) == there
    _, _, acknowledged, outbox_no = saga.participants()["payment"]
    state = StoreState(saga.store_id, saga.epoch, saga.commit_no, acknowledged, outbox_no)
    payment = ContextStore.open(files, "payment", state)
    count = payment.db.execute("SELECT count(*) FROM payments").fetchone()[0]
    assert count in (there, there + 1)
    assert len(payment.answers(f"c{no}" for no in range(count + 5))) == count
    payment.close()
    saga.close()
