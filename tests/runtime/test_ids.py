"""Ids that the runtime gives."""

from __future__ import annotations

import time

import pytest

from saga.ids import new_id


def test_no_two_ids_are_the_same() -> None:
    assert len({new_id() for _ in range(1_000)}) == 1_000


def test_ids_of_later_come_behind_those_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each new saga would write to another page of the index of ids, the more the larger the store is."""
    moments = [time.time_ns() + seconds * 1_000_000_000 for seconds in (0, 1, 3_600, 10**9)]
    ids = []
    for moment in moments:
        monkeypatch.setattr(time, "time_ns", lambda moment=moment: moment)
        ids.append(new_id())

    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {32}
