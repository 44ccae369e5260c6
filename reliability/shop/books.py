"""What is in the files of the shop, read without the runtime, and what must be true of it.

    SagaBook, ContextBook       what one file says
    Told                        what the world outside was told, in the words of `day`
    against                     what must hold between the files and the world at any moment, in the midst of it all
    at_the_end                  what must hold when everything has come to its end

Each check returns what is wrong, in words; nothing when all is well.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reliability.shop.business import MONEY, PIECES, UNDONE_BY
from saga.machine import decode_records
from saga.machine import records as r
from saga.store import JournalRow
from saga.store.queries import JOURNAL_COLUMNS

__all__ = ["Books", "ContextBook", "SagaBook", "Told", "against", "at_the_end"]

Books = tuple["SagaBook | None", Mapping[str, "ContextBook | None"]]
"""That of saga.db, and those of the contexts; None for a file that is not there, or has nothing in it yet."""


@dataclass
class Told:
    """What was said to the world outside."""

    started: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    published: set[str] = field(default_factory=set)
    scheduled: set[str] = field(default_factory=set)
    ended: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    """What the gateway has done: the call, its key, the order."""

    def hear(self, line: str) -> None:
        """Take in one line."""
        what, *words = line.split(" ")
        match what, words:
            case "ended", [id, status]:
                self.ended[id] = status
            case "called", [call, key, order]:
                self.calls.append((call, key, order))
            case _, [id]:
                getattr(self, what).add(id)
            case _:
                raise ValueError(f"nobody says {line!r}")


Note = tuple[str, str, tuple[str, int]]
"""What, path, and of a command to whom and under which number."""

_NOTES: dict[bytes, tuple[Note, ...]] = {}
"""Digest of a row of a journal → what is of interest in it; states that are looked at have most rows in common."""


def _notes(row: JournalRow) -> tuple[Note, ...]:
    notes = _NOTES.get(row.digest)
    if notes is None:
        notes = _NOTES[row.digest] = tuple(_note(decode_records(row.records or b"")))
    return notes


def _note(records: Iterable[r.Record]) -> Iterator[Note]:
    nobody = ("", 0)
    for record in records:
        match record:
            case r.CommandSent() | r.UndoSent() if record.number:
                yield "sent", record.path, (record.to, record.number)
            case r.StepCompleted(via="answer" | "resolve") | r.UndoCompleted(via="answer") | r.StepRefused():
                yield "answered", record.path, nobody
            case r.Acted(action="cancel"):
                yield "cancelled", "", nobody
            case r.TaskDone():
                yield "decided", "", nobody
            case _:
                pass
        match record:
            case r.StepCompleted(undo=str()) | r.StepFailed(undo=str()):
                yield "done", record.path, nobody
            case r.UndoCompleted():
                yield "undone", record.path.partition("~")[0], nobody
            case _:
                pass


class SagaBook:
    """What saga.db says."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        execute = connection.execute
        self.store_id, self.commit_no, self.event_no = execute(
            "SELECT store_id, commit_no, event_no FROM store"
        ).fetchone()
        self.participants = {
            name: (commit_no, outbox_no)
            for name, commit_no, outbox_no in execute("SELECT name, commit_no, outbox_no FROM participants")
        }
        ids = {}
        self.status: dict[str, str] = {}
        for no, id, status in execute("SELECT no, id, status FROM sagas"):
            ids[no], self.status[id] = id, status
        self.sent: dict[str, tuple[str, int]] = {}
        """Id of a command → to whom, and under which number."""
        self.answered: set[str] = set()
        """Ids of commands."""
        self.cancelled: set[str] = set()
        self.decided: set[str] = set()
        self.done: dict[str, list[str]] = {id: [] for id in self.status}
        """Saga → what it has done that can be undone, in order."""
        self.undone: dict[str, list[str]] = {id: [] for id in self.status}
        rows = execute(f"SELECT {JOURNAL_COLUMNS} FROM journal ORDER BY saga_no, seq")
        for row in map(JournalRow._make, rows):
            id = ids[row.saga_no]
            for what, path, whom in _notes(row):
                match what:
                    case "sent":
                        self.sent[f"{id}:{path}"] = whom
                    case "answered":
                        self.answered.add(f"{id}:{path}")
                    case "cancelled":
                        self.cancelled.add(id)
                    case "decided":
                        self.decided.add(id)
                    case "done":
                        self.done[id].append(path)
                    case "undone":
                        self.undone[id].append(path)
                    case _:
                        raise AssertionError(what)
        self.events = {id for (id,) in execute("SELECT id FROM events")}
        self.schedules = {name for (name,) in execute("SELECT name FROM schedules")}


class ContextBook:
    """What the file of a context says."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        execute = connection.execute
        self.commit_no, self.coordinator_commit_no, self.floor, self.outbox_no = execute(
            "SELECT commit_no, coordinator_commit_no, floor, outbox_no FROM _saga_file"
        ).fetchone()
        self.inbox = dict(execute("SELECT command_id, number FROM _saga_inbox"))
        self.kept_from = min([self.floor, *filter(None, self.inbox.values())])
        """The number from which on it has forgotten nothing."""
        self.positions = dict(execute("SELECT event_type, position FROM _saga_positions"))
        self.effects: Counter[tuple[str, str]] = Counter(execute("SELECT saga, what FROM effects"))
        tables = {name for (name,) in execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        self.balance: dict[str, int] = {}
        for table in {"shelf", "accounts"} & tables:
            self.balance = dict(execute(f"SELECT * FROM {table}"))


def against(books: Books, told: Told) -> Iterator[str]:
    """Hold files against each other and against what was told: at any moment, before anything is recovered."""
    saga, contexts = books
    if saga is None:
        if any((told.started, told.scheduled, told.published, told.sent)):
            yield "saga.db is not there, and something was acknowledged"
        return
    yield from _lost(saga, told)
    effects: Counter[tuple[str, str]] = Counter()
    for name, book in contexts.items():
        commit_no, outbox_no = saga.participants.get(name, (0, 0))
        if book is None:
            if commit_no:
                yield f"{name}.db is not there, saga.db knows of its commit {commit_no}"
            continue
        effects += book.effects
        if book.commit_no < commit_no or book.outbox_no < outbox_no:
            yield f"{name}.db ends at commit {book.commit_no}, saga.db knows of {commit_no}"
        if book.coordinator_commit_no > saga.commit_no:
            yield f"saga.db ends at commit {saga.commit_no}, {name}.db knows of {book.coordinator_commit_no}"
        ahead = {event: no for event, no in book.positions.items() if no > saga.event_no}
        if ahead:
            yield f"{name} has taken events that are not in the log: {ahead}"
        orphans = [id for id, no in book.inbox.items() if no is not None and saga.sent.get(id) != (name, no)]
        if orphans:
            yield f"{name} has answered what is in no journal: {sorted(orphans)[:3]}"
        sent = [(id, *saga.sent.get(id, ("", 0))) for id in saga.answered]
        unknown = [id for id, to, no in sent if to == name and no >= book.kept_from and id not in book.inbox]
        if unknown:
            yield f"the journal has answers of {name} that it does not know of: {sorted(unknown)[:3]}"
    yield from _effects(effects)
    bank = contexts.get("bank")
    lost = {f"send:{id}" for id in told.sent} - (bank.inbox.keys() if bank else set())
    if lost:
        yield f"lost: what was sent as {sorted(lost)[:3]}"


def _lost(saga: SagaBook, told: Told) -> Iterator[str]:
    for what, promised, there in (
        ("start", told.started, saga.status.keys()),
        ("decision", told.decided, saga.decided),
        ("schedule", told.scheduled, saga.schedules),
        ("published event", {f"runtime:{id}" for id in told.published}, saga.events),
    ):
        lost = promised - there
        if lost:
            yield f"lost: the {what} of {sorted(lost)[:3]} (of {len(lost)})"
    ended = ("COMPLETED", "COMPENSATED")
    for id in told.cancelled - saga.cancelled:
        if saga.status.get(id) not in ended:
            yield f"lost: the cancel of {id}"
    for id, status in told.ended.items():
        if saga.status.get(id) != status:
            yield f"lost: {id} was told as {status}, and is {saga.status.get(id)}"


def _effects(effects: Mapping[tuple[str, str], int]) -> Iterator[str]:
    for (order, what), times in effects.items():
        if times > 1:
            yield f"{what} of {order} happened {times} times"
    for done, undone in UNDONE_BY.items():
        for order, what in effects:
            if what == undone and (order, done) not in effects:
                yield f"{undone} of {order} without {done}"


def at_the_end(books: Books, told: Told) -> Iterator[str]:
    """Hold everything against everything, when all has come to its end. `told` goes on from before to now."""
    saga, contexts = books
    if saga is None:
        yield "there is no saga.db"
        return
    yield from against(books, told)
    limbo = {id: status for id, status in saga.status.items() if status not in ("COMPLETED", "COMPENSATED")}
    if limbo:
        yield f"not ended: {dict(sorted(limbo.items())[:3])} (of {len(limbo)})"
    for id, done in saga.done.items():
        undone = saga.undone[id]
        if undone != done[::-1][: len(undone)]:
            yield f"{id} has done {done}, and undone {undone}"
    effects: Counter[tuple[str, str]] = Counter()
    for book in contexts.values():
        if book is not None:
            effects += book.effects
    calls: dict[str, list[tuple[str, str]]] = {}
    for call, key, order in told.calls:
        calls.setdefault(order, []).append((call, key))
    for id, status in saga.status.items():
        order = id.partition(":fulfilled.")[0]  # what was called acts on the order of its caller
        yield from _outcome(id, order, status, effects, calls.get(order, []))
    yield from _balances(contexts, effects)


def _outcome(
    id: str, order: str, status: str, effects: Mapping[tuple[str, str], int], calls: list[tuple[str, str]]
) -> Iterator[str]:
    """Hold how a saga has ended against what has happened to its order."""
    done = {what for what in (*UNDONE_BY, *UNDONE_BY.values(), "ship") if effects.get((order, what))}
    whats = [what for what, _ in calls]
    if status == "COMPLETED":
        if "ship" not in done or done & set(UNDONE_BY.values()) or "void" in whats:
            yield f"{id} is completed, with {sorted(done)} and {whats}"
    elif status == "COMPENSATED":
        left = [what for what, undone in UNDONE_BY.items() if what in done and undone not in done]
        if left or "ship" in done:
            yield f"{id} is compensated, with {sorted(done)}"
        if "charge" in whats and (whats[-1] != "void" or "charge" in whats[whats.index("void") :]):
            yield f"{id} is compensated, and its charge is not: {whats}"
    if len({key for what, key in calls if what == "charge"}) > 1:
        yield f"{id} was charged under several keys: {calls}"


def _balances(contexts: Mapping[str, ContextBook | None], effects: Counter[tuple[str, str]]) -> Iterator[str]:
    stock, bank, customers = (contexts.get(name) for name in ("stock", "bank", "customers"))
    if stock is not None:
        kept = sum(n for (_, what), n in effects.items() if what == "reserve")
        kept -= sum(n for (_, what), n in effects.items() if what == "release")
        shelf = stock.balance
        if sum(shelf.values()) != PIECES or shelf["reserved"] + shelf["shipped"] != kept:
            yield f"the shelf is {shelf}, with {kept} kept"
    if bank is not None and sum(bank.balance.values()) != MONEY:
        yield f"there is {bank.balance}, of {MONEY}"
    if customers is not None:
        told = Counter(order for (order, what) in customers.effects if what == "told")
        reserved = Counter(order for (order, what) in effects if what == "reserve")
        if told != reserved:
            yield f"reserved and not told: {reserved - told}; told and not reserved: {told - reserved}"
