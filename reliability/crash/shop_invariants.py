"""What must hold whenever a process was killed and everything has come to an end again: one function each.

They believe the contexts' own tables, the log of the card processor outside, and the journal. The numbers are
those of the reliability plan.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reliability.crash.shop import MONEY, PIECES, Processor
from saga.journal import records_of
from saga.machine import Record
from saga.machine import records as r
from saga.store import SagaRow, StoreFiles, StoreReader, verify

if TYPE_CHECKING:
    from reliability.crash.harness import Run

DAY_MS = 86_400_000

UNDONE_BY = {"reserve": "release", "pay": "refund", "ship": "take back"}
"""Effects in contexts, and what takes them back."""


class Books:
    """Everything there is to be read of a store, read once."""

    def __init__(self, store: Path) -> None:
        self.store = store
        with StoreReader.open(store) as reader:
            self.facts = reader.store()
            self.sagas = {row.id: reader.saga(row.id) for row in reversed(reader.overview(limit=100_000))}
            self.journals = {id: reader.journal(row.no) for id, row in self.sagas.items() if row is not None}
            self.timers, self.waits, self.incidents = reader.timers(), reader.waits(), reader.incidents()
            self.events = reader.events(limit=100_000)
            self.participants = reader.participants()
            self.schedules = reader.schedules()
        self.records: dict[str, list[Record]] = {
            id: list(records_of(journal)) for id, journal in self.journals.items()
        }
        self.calls = Processor(store.with_name("processor.log")).lines()
        self._effects: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for context in ("stock", "bank"):
            for id, what in self.rows(context, "SELECT saga, what FROM effects"):
                self._effects[id][what] += 1

    def rows(self, context: str, statement: str) -> list[tuple[Any, ...]]:
        """Read the file of a context."""
        path = self.store / f"{context}.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            try:
                return connection.execute(statement).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # killed before it was made
                    return []
                raise

    def effects(self, id: str) -> Counter[str]:
        """Return what contexts have done for a saga, and how often."""
        return self._effects[id]

    def charges(self, id: str) -> dict[str, int]:
        """Return idempotency key → how often the processor was called with it, to charge for this saga."""
        return Counter(key for what, key, order in self.calls if (what, order) == ("charge", id))

    def status(self, id: str) -> str:
        return self._row(id).status

    def _row(self, id: str) -> SagaRow:
        row = self.sagas[id]
        assert row is not None
        return row


def check_all(store: Path, runs: Iterable[Run]) -> None:
    """Hold everything that must hold when all sagas have come to an end."""
    acknowledged(store, runs)
    whole(store)
    books = Books(store)
    for check in (
        effects_happen_once,
        money_is_conserved,
        goods_are_conserved,
        nothing_is_undone_that_was_not_done,
        compensations_run_in_reverse,
        outcomes_tell_the_truth,
        the_card_is_charged_as_the_outcome_says,
        directions_change_once,
        answers_and_inboxes_agree,
        every_event_reaches_every_listener,
        schedules_run_each_time_once,
        what_was_to_begin_later_begins_then,
        timers_fire_once_and_never_early,
        nobody_is_in_limbo,
    ):
        check(books)


# --- I1, I2, I3: effects ---


def money_is_conserved(books: Books) -> None:
    accounts = dict(books.rows("bank", "SELECT owner, cents FROM accounts"))
    assert sum(accounts.values()) in (0, MONEY), accounts
    taken = sum(_cents(books, id) for id in books.sagas if _kept(books.effects(id), "pay"))
    assert accounts.get("till", 0) == taken, f"{accounts} with {taken} taken"


def goods_are_conserved(books: Books) -> None:
    shelf = dict(books.rows("stock", "SELECT place, pieces FROM shelf"))
    assert sum(shelf.values()) in (0, PIECES), shelf
    kept = sum(_kept(books.effects(id), "reserve") for id in books.sagas)
    assert shelf.get("reserved", 0) + shelf.get("shipped", 0) == kept, f"{shelf} with {kept} kept"


def effects_happen_once(books: Books) -> None:
    """I2: at most one effect for each saga, step and direction."""
    for id in books.sagas:
        for what, times in books.effects(id).items():
            assert times == 1, f"{what} of {id} happened {times} times"
        assert len(books.charges(id)) <= 1, f"{id} was charged under several keys: {books.charges(id)}"


def nothing_is_undone_that_was_not_done(books: Books) -> None:
    """I3: no compensation without its effect."""
    for id in books.sagas:
        effects = books.effects(id)
        for done, undone in UNDONE_BY.items():
            assert effects[undone] <= effects[done], f"{undone} of {id} without {done}: {effects}"


def _kept(effects: Counter[str], what: str) -> int:
    return effects[what] - effects[UNDONE_BY[what]]


def _cents(books: Books, id: str) -> int:
    (sent,) = {
        bytes(record.command)
        for record in books.records[id]
        if isinstance(record, r.CommandSent) and record.element == "pay"
    }
    return int(sent.rpartition(b":")[2].strip(b" }"))


# --- I4, I5, I16: order, direction, outcome ---


def compensations_run_in_reverse(books: Books) -> None:
    """I4: in the exact reverse of the order of completion, as the journal has it."""
    for id, records in books.records.items():
        done = [
            record.path
            for record in records
            if (isinstance(record, r.StepCompleted) and record.undo is not None)
            or (isinstance(record, r.StepFailed) and record.undo is not None)
        ]
        undone = [record.path.partition("~")[0] for record in records if isinstance(record, r.UndoCompleted)]
        assert undone == done[::-1][: len(undone)], f"{id}: {done} done, {undone} undone"


def outcomes_tell_the_truth(books: Books) -> None:
    """I5: completed means that all steps are done and none undone, compensated that everything is undone.

    Shipping has no way back: a cancel that comes while it is under way undoes everything else.
    """
    for id in books.sagas:
        effects, status = books.effects(id), books.status(id)
        if status == "COMPLETED":
            assert effects["ship"] == 1, f"{id} is completed without having been shipped: {effects}"
            assert not set(UNDONE_BY.values()) & effects.keys(), f"{id} is completed, and undone: {effects}"
        elif status == "COMPENSATED":
            assert not any(_kept(effects, what) for what in UNDONE_BY), f"{id} is not undone: {effects}"


def the_card_is_charged_as_the_outcome_says(books: Books) -> None:
    """What happens outside happens at least once, under one key, and never after it was called off."""
    for id in books.sagas:
        calls = [what for what, _, order in books.calls if order == id]
        if books.status(id) == "COMPLETED":
            assert "void" not in calls, f"{id} is completed, and its charge was called off: {calls}"
        elif books.status(id) == "COMPENSATED" and "charge" in calls:
            assert calls[-1] == "void", f"{id} is compensated, and still charged: {calls}"
            assert "charge" not in calls[calls.index("void") :], (
                f"{id} was charged after it was called off: {calls}"
            )


def directions_change_once(books: Books) -> None:
    """I16: a saga turns back once, never forward again."""
    for id, records in books.records.items():
        turns = [record for record in records if isinstance(record, r.ScopeFailed) and record.path == ""]
        assert len(turns) <= 1, f"{id} turned back {len(turns)} times"


# --- I6, I7, I8, I9: what is stored ---


def whole(store: Path) -> None:
    """I7, I8: files and chains are whole, and what is stored is what the journals say."""
    findings = [str(finding) for finding in verify(StoreFiles.at(store))]
    assert not findings, findings


def answers_and_inboxes_agree(books: Books) -> None:
    """I9: every answer in the journal has its row in an inbox, and every row there belongs to a command."""
    sent: dict[str, r.CommandSent | r.UndoSent] = {}
    answered: set[str] = set()
    for id, records in books.records.items():
        for record in records:
            if isinstance(record, r.CommandSent | r.UndoSent):
                sent[f"{id}:{record.path}"] = record
            elif isinstance(record, r.StepCompleted | r.UndoCompleted | r.StepRefused):
                answered.add(f"{id}:{record.path}")
    inboxes: dict[str, set[str]] = {}
    floors: dict[str, int] = {}
    for context in ("stock", "bank"):
        inboxes[context] = {id for (id,) in books.rows(context, "SELECT command_id FROM _saga_inbox")}
        floors[context] = next((floor for (floor,) in books.rows(context, "SELECT floor FROM _saga_file")), 0)
        unknown = inboxes[context] - sent.keys()
        assert not unknown, f"{context} has answered what nobody has sent: {unknown}"
    for command_id in answered:
        command = sent[command_id]
        if command.to in inboxes and command.number >= floors[command.to]:
            assert command_id in inboxes[command.to], (
                f"the journal has an answer to {command_id}, {command.to} none"
            )


def everything(store: Path) -> dict[str, Any]:
    """Return what must not change any more once all sagas have come to an end."""
    books = Books(store)
    return {
        "sagas": books.sagas,
        "journals": books.journals,
        "events": books.events,
        "effects": {id: books.effects(id) for id in books.sagas},
        "calls": books.calls,
        "told": books.rows("customers", "SELECT saga FROM told ORDER BY rowid"),
    }


def unchanged(before: dict[str, Any], after: dict[str, Any]) -> None:
    """I6: what has ended never changes; another restart leaves everything as it is."""
    for what, then in before.items():
        now = after[what]
        if what == "events":  # the oldest may be let go of
            then = then[len(then) - len(now) :]
        assert now == then, f"{what} changed after the end"


# --- I10, I11, I12, I13: nothing is lost ---


def every_event_reaches_every_listener(books: Books) -> None:
    """I10: each once."""
    reserved = [event for event in books.events if event.type == "Reserved/1"]
    told = Counter(saga for (saga,) in books.rows("customers", "SELECT saga FROM told"))
    expected = Counter(id for id in books.sagas if books.effects(id)["reserve"])
    assert told == expected, f"reserved {expected}, told {told}"
    fetched = [event for event in books.events if event.type == "Fetched/1"]
    coming = Counter({id: n for id, n in told.items() if not id.startswith("forgotten")})
    for events, wanted in ((reserved, expected), (fetched, coming)):
        logged = Counter(event.key for event in events)
        assert logged <= wanted, f"{logged} are in the log of {wanted}"
        assert logged == wanted or _was_pruned(books), f"{logged} are left in the log of {wanted}"
    for context in ("stock", "customers"):
        left = books.rows(context, "SELECT no FROM _saga_outbox")
        ends = dict.fromkeys(("stock", "customers"), 0) | {
            name: row[3] for name, row in books.participants.items()
        }
        assert all(no <= ends[context] for (no,) in left), (
            f"{context} has events that the log has not: {left}"
        )


def _was_pruned(books: Books) -> bool:
    """Return whether the oldest events were let go of, and those alone: what is left is without gaps."""
    nos = [event.no for event in books.events]
    return nos == list(range(books.facts.event_no - len(nos) + 1, books.facts.event_no + 1)) and 1 not in nos


def timers_fire_once_and_never_early(books: Books) -> None:
    """I11: none is left that is due; none fired before its time."""
    late = [timer for timer in books.timers if timer.due_ms <= books.facts.high_ms]
    assert not late, late
    for id, journal in books.journals.items():
        due: dict[str, int] = {}
        for row in journal:
            for record in records_of([row]):
                match record:
                    case r.CommandSent(due=int()) | r.WaitBegun(due=int()):
                        due[record.path] = record.due  # type: ignore[assignment]
                    case r.AttemptFailed(retry_at=int()):
                        due[f"{record.path} again"] = record.retry_at  # type: ignore[assignment]
                    case r.WaitExpired() | r.Resolving(why="timeout"):
                        assert row.at_ms >= due.pop(record.path), f"{record.path} of {id} was cut off early"
                    case r.AttemptBegun():
                        assert row.at_ms >= due.pop(f"{record.path} again"), (
                            f"{record.path} of {id} was early"
                        )
                    case _:
                        pass


def schedules_run_each_time_once(books: Books) -> None:
    """Every night at three (and at three in the afternoon) since it was scheduled, none twice, none early."""
    for schedule in books.schedules:
        first, _, _ = schedule.cron.partition(" *")
        hours = [int(hour) for hour in first.split()[1].split(",")]
        day, expected = schedule.since_ms // DAY_MS * DAY_MS, []
        while day <= books.facts.high_ms:
            times = [day + hour * DAY_MS // 24 for hour in hours]
            expected += [each for each in times if schedule.since_ms < each <= books.facts.high_ms]
            day += DAY_MS
        there = {id: row for id, row in books.sagas.items() if id.startswith(f"{schedule.name}@")}
        iso = [datetime.fromtimestamp(each / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for each in expected]
        assert sorted(there) == [f"{schedule.name}@{each}" for each in iso]
        for due_ms, (id, row) in zip(expected, sorted(there.items()), strict=True):
            assert row is not None
            assert row.started_ms >= due_ms, f"{id} was early"
        assert (schedule.runs, schedule.last_ms) == (len(expected), max(expected, default=None)), schedule
        assert schedule.problem is None, schedule


def what_was_to_begin_later_begins_then(books: Books) -> None:
    """A start `at=` does nothing before; a deadline counts from there."""
    for id, journal in books.journals.items():
        records = books.records[id]
        begun = [each.due for each in records if isinstance(each, r.SleepBegun) and each.element == "reserve"]
        for until in begun:
            at = [row.at_ms for row in journal if b'"command-sent"' in (row.records or b"")]
            assert min(at) >= until, f"{id} has begun early"
            late = [row.at_ms for row in journal if b'"timeout"' in (row.records or b"")]
            assert min(late) >= until + 3_600_000, f"{id} was cut off early"


def acknowledged(store: Path, runs: Iterable[Run]) -> None:
    """I12: what was acknowledged is there, after any crash."""
    promised: defaultdict[str, set[str]] = defaultdict(set)
    for run in runs:
        for id, *_ in run.told("acked"):
            promised["saga"].add(id)
        for id, *_ in run.told("acted"):
            promised["acted"].add(id)
    if not promised["saga"]:
        return
    books = Books(store)
    assert promised["saga"] <= books.sagas.keys(), f"lost: {promised['saga'] - books.sagas.keys()}"
    for id in promised["acted"]:
        acts = [record for record in books.records[id] if isinstance(record, r.Acted)]
        assert acts or books.status(id) in ("COMPENSATED", "COMPLETED", "COMPENSATING"), (
            f"cancel of {id} was lost"
        )


def nobody_is_in_limbo(books: Books) -> None:
    """I13: all have ended; in these scenarios nobody is parked, and nothing waits for ever."""
    limbo = {id: books.status(id) for id in books.sagas if not books.status(id).startswith("COMP")}
    assert not limbo, f"in limbo: {limbo}"
    live = [id for id in books.sagas if books.status(id) == "COMPENSATING"]
    assert not live, f"still being undone: {live}"
    left = [*books.waits, *books.timers, *books.incidents]
    assert not left, f"still open: {left}"
