"""What must hold when all trips have come to an end, whenever their process was killed.

The contexts' own tables, the post outside and the journals are believed.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reliability.crash.trips import IDS, ROOMS
from saga.journal import records_of
from saga.machine import Record, command_id
from saga.machine import records as r
from saga.store import StoreReader
from saga.verification import verify_store

if TYPE_CHECKING:
    from reliability.crash.harness import Run

ONCE = ("notice", "insure", "check", "charge", "reserve", "unreserve", "seal")
EFFECTS = {
    "Travel": Counter(dict.fromkeys(ONCE, 1)) + Counter(book=ROOMS, guide=ROOMS, offer=2),
    "Rooms": Counter(book=ROOMS, guide=ROOMS, seal=1),
    "Insured": Counter(insure=1, check=1, seal=1),
    "Paid": Counter(charge=1, seal=1),
}
"""Effects of a trip that was completed, by its saga; beside reminders."""
UNDOABLE = ("book", "guide", "insure", "check", "charge", "reserve", "offer")


class Diary:
    """Everything there is to be read of a store, read once."""

    def __init__(self, store: Path) -> None:
        self.store = store
        with StoreReader.open(store) as reader:
            rows = reader.overview(limit=100_000)
            self.statuses = {row.id: row.status for row in rows}
            self.sagas = {row.id: row.name for row in rows}
            journals = {row.id: reader.journal(row.no) for row in rows}
            self.events = reader.events(limit=100_000)
            self.left = [*reader.timers(), *reader.waits(), *reader.incidents(), *reader.open_tasks()]
        self.records: dict[str, list[Record]] = {
            id: list(records_of(journal)) for id, journal in journals.items()
        }
        self.effects: Counter[tuple[str, str, int]] = Counter(
            effect for context in ("agency", "bank") for effect in _effects(store / f"{context}.db")
        )
        post = store.with_name("post.log")
        self.letters = post.read_text().splitlines() if post.exists() else []

    def of(self, id: str) -> Counter[str]:
        """Return what was done for a trip and its rooms, and how often."""
        done: Counter[str] = Counter()
        for (what, key, _), times in self.effects.items():
            if key == id or key.startswith(f"{id}-"):
                done[what] += times
        return done


def _effects(path: Path) -> list[tuple[str, str, int]]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT what, key, number FROM effects").fetchall()


def everything(store: Path) -> dict[str, Any]:
    """Return what must not change any more once all sagas have ended."""
    diary = Diary(store)
    return {
        "sagas": diary.statuses,
        "records": diary.records,
        "effects": diary.effects,
        "post": diary.letters,
    }


def check_all(store: Path, runs: Iterable[Run]) -> None:
    """Hold everything that must hold at the end."""
    acknowledged(store, runs)
    findings = [str(finding) for finding in verify_store(store)]
    assert not findings, findings
    diary = Diary(store)
    for check in (
        nobody_is_left,
        no_effect_happens_twice,
        trips_end_as_their_names_say,
        completed_trips_have_everything_and_others_nothing,
        called_sagas_are_there_once_and_end_like_their_callers,
        events_start_one_saga_each,
        tasks_are_decided_once,
        reminders_have_one_effect_each,
    ):
        check(diary)


def acknowledged(store: Path, runs: Iterable[Run]) -> None:
    """What was acknowledged is there, after any crash."""
    promised = {id for run in runs for id, *_ in run.told("acked")}
    if not promised:
        return
    with StoreReader.open(store) as reader:
        lost = promised - {row.id for row in reader.overview(limit=100_000)}
    assert not lost, f"lost: {lost}"


def nobody_is_left(diary: Diary) -> None:
    """All sagas have ended, called ones too, and nothing is open."""
    live = {id: status for id, status in diary.statuses.items() if status not in ("COMPLETED", "COMPENSATED")}
    assert not live, f"still going on: {live}"
    assert not diary.left, f"still open: {diary.left}"


def no_effect_happens_twice(diary: Diary) -> None:
    """The second time something is done for a key it has another number: only offers and reminders are repeated."""
    twice = {effect: times for effect, times in diary.effects.items() if times > 1}
    assert not twice, f"happened twice: {twice}"
    again = {(what, key) for what, key, number in diary.effects if number > 1}
    assert {what for what, _ in again} <= {"offer", "unoffer", "remind"}, again


def trips_end_as_their_names_say(diary: Diary) -> None:
    for id in IDS:
        if id in diary.statuses:
            expected = "COMPLETED" if id.startswith("good") else "COMPENSATED"
            assert diary.statuses[id] == expected, f"{id} is {diary.statuses[id]}"


def completed_trips_have_everything_and_others_nothing(diary: Diary) -> None:
    for id in IDS:
        done = diary.of(id)
        if diary.statuses.get(id) == "COMPLETED":
            wanted = EFFECTS[diary.sagas[id]]
            assert done - Counter(remind=done["remind"]) == wanted, f"{id}: {done}"
        else:
            kept = {what: done[what] - done[f"un{what}"] for what in UNDOABLE}
            assert not any(kept.values()), f"{id} is not undone: {done}"
            assert not done["seal"], f"{id} is undone, and was sealed"


def called_sagas_are_there_once_and_end_like_their_callers(diary: Diary) -> None:
    """Every call that was not given up at once has its saga, every such saga its call; a call whose caller is undone,
    and that has no compensation of its own, is undone."""
    called = defaultdict[str, str](str)
    for id, records in diary.records.items():
        for record in records:
            if isinstance(record, r.CommandSent | r.UndoSent) and not record.number:
                called[command_id(id, record.path)] = id
                if isinstance(record, r.CommandSent) and record.element in ("guide", "insure", "check"):
                    status = diary.statuses.get(command_id(id, record.path))
                    assert status in (diary.statuses[id], None), f"{record.path} of {id} is {status}"
                    assert status or diary.statuses[id] == "COMPENSATED", f"{record.path} of {id} is missing"
    for id, records in diary.records.items():
        started = records[0]
        assert isinstance(started, r.Started)
        assert started.parent == called.get(id, ""), f"{id} was called by {started.parent!r}"
        paid = "COMPLETED" if diary.of(id.partition(":")[0])["charge"] else "COMPENSATED"
        if id.endswith(":paying.1") and paid == "COMPLETED":
            back = f"{id}~1" in diary.statuses
            assert back == (diary.statuses[id] == "COMPLETED" and not id.startswith("good")), f"{id}: {back}"


def events_start_one_saga_each(diary: Diary) -> None:
    """What was published is in the log once, and has started one saga, whose letter has one key."""
    published = [
        command_id(id, record.path)
        for id, records in diary.records.items()
        for record in records
        if isinstance(record, r.EventPublished)
    ]
    planned = [event for event in diary.events if event.type == "Planned/1"]
    assert sorted(event.id for event in planned) == sorted(published)
    letters = [id for id in diary.statuses if id.startswith("Letter:")]
    assert sorted(letters) == sorted(f"Letter:{id}" for id in published)
    keys = defaultdict[str, set[str]](set)
    for line in diary.letters:
        key, trip = line.rsplit(" ", 1)
        keys[trip].add(key)
    assert {trip: len(found) for trip, found in keys.items()} == {event.key: 1 for event in planned}
    noticed = Counter(event.key for event in diary.events if event.type == "Noticed/1")
    assert noticed == Counter(event.key for event in planned)


def tasks_are_decided_once(diary: Diary) -> None:
    for id, records in diary.records.items():
        done = [record.path for record in records if isinstance(record, r.TaskDone)]
        opened = [record.path for record in records if isinstance(record, r.TaskOpened)]
        assert done in ([], opened), f"{id}: {opened} opened, {done} done"
        assert len(opened) <= 1


def reminders_have_one_effect_each(diary: Diary) -> None:
    for id, records in diary.records.items():
        times = [record.times for record in records if isinstance(record, r.Reminded)]
        assert times == list(range(1, len(times) + 1)), f"{id}: {times}"
        if times:
            reminded = diary.of(id.partition(":")[0])["remind"]
            assert len(times) - 1 <= reminded <= len(times), f"{id}: {reminded} of {len(times)} reminders"
    if "unpaid-1" in diary.statuses:
        assert 1 <= diary.of("unpaid-1")["remind"] <= 7
