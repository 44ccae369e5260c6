"""What must hold when everything has come to its end: one function each, which says what does not.

They believe the contexts' own tables, the log of the card processor, and what was written down as acknowledged.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from reliability.soak.business import CENTS, MONEY, PIECES
from saga.store import StoreReader
from saga.verification import verify_store

__all__ = ["Books", "wrong"]

UNDONE = {"reserve": "release", "pay": "refund"}


class Books:
    """Everything there is to be read, read once."""

    def __init__(self, store: Path) -> None:
        self.store = store
        with StoreReader.open(store) as reader:
            self.sagas = {row.id: row for row in reader.overview(limit=1_000_000)}
            self.incidents = {row.saga_no: f"{row.kind}: {row.reason}" for row in reader.incidents()}
        self.effects: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for context in ("stock", "bank", "customers", "post"):
            for id, what in self.rows(context, "SELECT saga, what FROM effects"):
                self.effects[id][what] += 1
        self.acknowledged: defaultdict[str, set[str]] = defaultdict(set)
        for word, id in self.lines("acknowledged.log"):
            self.acknowledged[word].add(id)
        self.calls: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for what, key, id in self.lines("processor.log"):
            self.calls[id].append((what, key))

    def rows(self, context: str, statement: str) -> list[tuple[str, ...]]:
        """Read the file of a context; nothing, when it was never made."""
        path = self.store / f"{context}.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(statement).fetchall()

    def lines(self, name: str) -> Iterator[list[str]]:
        """Yield the words of the lines of a file beside the store; the last may have been cut off."""
        path = self.store.with_name(name)
        if path.exists():
            yield from (line.split() for line in path.read_text().splitlines() if line.count(" ") > 0)


def wrong(store: Path) -> Iterator[str]:
    """Yield all that is wrong."""
    for finding in verify_store(store):
        yield f"saga verify: {finding}"
    books = Books(store)
    for check in (
        nobody_is_stuck,
        what_was_acknowledged_is_there,
        effects_happened_once,
        books_add_up,
        outcomes_tell_the_truth,
        events_were_heard_once,
        cards_were_charged_as_told,
    ):
        yield from check(books)


def nobody_is_stuck(books: Books) -> Iterator[str]:
    """All have ended; nobody is parked."""
    for id, row in books.sagas.items():
        if row.status not in ("COMPLETED", "COMPENSATED"):
            why = books.incidents.get(row.no, "")
            yield f"stuck: {id} ({row.name}) is {row.status}{why and f', {why!r:.200}'}"


def what_was_acknowledged_is_there(books: Books) -> Iterator[str]:
    """A start that has returned is on disk."""
    for id in books.acknowledged["saga"] - books.sagas.keys():
        yield f"lost: {id} was acknowledged"


def effects_happened_once(books: Books) -> Iterator[str]:
    """At most one effect for each saga, step and direction; none is undone that was not done."""
    for id, effects in books.effects.items():
        for what, times in effects.items():
            if times != 1:
                yield f"{what} of {id} happened {times} times"
            if what.startswith("release") and not effects[what.replace("release", "reserve")]:
                yield f"{what} of {id}, which was never reserved"
        if effects["refund"] and not effects["pay"]:
            yield f"refund of {id}, which never paid"


def books_add_up(books: Books) -> Iterator[str]:
    """Money and goods are where the effects say."""
    accounts = {
        str(owner): int(cents) for owner, cents in books.rows("bank", "SELECT owner, cents FROM accounts")
    }
    taken = sum(CENTS * (effects["pay"] - effects["refund"]) for effects in books.effects.values())
    if accounts and (sum(accounts.values()) != MONEY or accounts["till"] != taken):
        yield f"money is lost or made: {accounts}, taken {taken}"
    shelf = {
        str(place): int(pieces) for place, pieces in books.rows("stock", "SELECT place, pieces FROM shelf")
    }
    if shelf and sum(shelf.values()) != PIECES:
        yield f"goods are lost or made: {shelf}"


def outcomes_tell_the_truth(books: Books) -> Iterator[str]:
    """Completed: all is done, and nothing undone. Compensated: everything is undone."""
    for id, row in books.sagas.items():
        effects = books.effects[id]
        if row.name in ("Whole", "Thanks", "Collecting"):
            continue  # what they have done stands under other ids
        undone = [what for what in effects if what.startswith(("release", "refund"))]
        if row.status == "COMPLETED" and (not effects["ship"] or undone):
            yield f"{id} is completed: {dict(effects)}"
        kept = [
            what
            for what in effects
            if what.startswith(("reserve", "pay"))
            and not effects[what.replace("reserve", "release").replace("pay", "refund")]
        ]
        if row.status == "COMPENSATED" and (effects["ship"] or kept):
            yield f"{id} is compensated: {dict(effects)}"


def events_were_heard_once(books: Books) -> Iterator[str]:
    """What was published is heard, once each: by the listener, and by the saga that it starts."""
    for id, effects in books.effects.items():
        if effects["ship"] != effects["shipped"]:
            yield f"{id}: shipped {effects['ship']} times, heard of {effects['shipped']} times"
        if effects["ship"] != books.effects.get(f"{id}/thanks", Counter())["thank"]:
            yield f"{id}: shipped, and its thanks were not written once"
        if effects["reserve"] != effects["told"]:
            yield f"{id}: reserved {effects['reserve']} times, heard of {effects['told']} times"
    for id in books.acknowledged["event"]:
        if books.effects[id]["announced"] != 1:
            yield f"event {id} was heard {books.effects[id]['announced']} times"


def cards_were_charged_as_told(books: Books) -> Iterator[str]:
    """Outside it is at least once, under one key, and not after it was called off."""
    for id, calls in books.calls.items():
        row = books.sagas.get(id)
        keys = {key for what, key in calls if what == "charge"}
        words = [what for what, _ in calls]
        if len(keys) > 1:
            yield f"{id} was charged under {len(keys)} keys"
        if row is not None and row.status == "COMPLETED" and "void" in words:
            yield f"{id} is completed, and its charge was called off"
        if row is not None and row.status == "COMPENSATED" and "charge" in words and words[-1] != "void":
            yield f"{id} is compensated, and still charged: {words}"
