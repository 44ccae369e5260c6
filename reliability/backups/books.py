"""Is a copy of the bank a bank? It is verified, brought to its end, and every cent is looked for."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import structlog

from reliability.backups.bank import CONTEXTS, FEE, MONEY, SAGAS
from saga import Runtime, SagaError, Status
from saga.verification import verify_store

__all__ = ["faults_of"]

DEADLINE_S = 30.0
"""For what is under way in a copy to come to its end."""


def faults_of(store: Path, acknowledged: Iterable[str]) -> list[str]:
    """Return what is wrong with a copy that was made after these acknowledgements; empty when nothing is."""
    try:
        found = [f"verify: {finding}" for finding in verify_store(store)]
        found += _drained(store)
        found += [f"verify, at the end: {finding}" for finding in verify_store(store)]
        return found + list(_wrong(store, acknowledged))
    except (SagaError, sqlite3.Error) as error:
        return [f"{type(error).__name__}: {error}"]


def _drained(store: Path) -> list[str]:
    """Let everything that is under way come to its end."""
    with _quiet(), Runtime(store, contexts=CONTEXTS, sagas=SAGAS) as runtime:
        until = time.monotonic() + DEADLINE_S
        live = [status for status in Status if not status.ended]
        while runtime.list(status=live, limit=1) or _unheard(store):
            left = runtime.list(status=live, limit=3)
            parked = [row for row in left if row.status == "PARKED"]
            if parked or time.monotonic() > until:
                what = (
                    ", ".join(f"{row.id} is {row.status}" for row in parked or left) or "events are not heard"
                )
                return [f"it does not come to its end: {what}"]
            time.sleep(0.02)
    return []


@contextmanager
def _quiet() -> Iterator[None]:
    """Let nothing be logged but errors."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.configure(**before)


def _rows(store: Path, context: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{(store / f'{context}.db').as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def _unheard(store: Path) -> bool:
    deposits = _rows(store, "savings", "SELECT count(*) FROM effects WHERE what = 'deposit'")
    return deposits != _rows(store, "auditor", "SELECT count(*) FROM heard")


def _wrong(store: Path, acknowledged: Iterable[str]) -> Iterator[str]:
    effects: dict[str, Counter[str]] = {}
    for context in ("giro", "savings"):
        for saga, what, _ in _rows(store, context, "SELECT saga, what, cents FROM effects"):
            effects.setdefault(saga, Counter())[what] += 1
    for saga, done in effects.items():
        wanted = _wanted(saga)
        if done not in wanted:
            yield f"{saga}: {dict(done)}"
    grants = {id for (id,) in _rows(store, "giro", "SELECT id FROM grants")}
    notes = {id for (id,) in _rows(store, "savings", "SELECT id FROM notes")}
    there = {"start": set(effects), "grant": grants, "note": notes}
    for line in acknowledged:
        what, id = line.split()
        if id not in there[what]:
            yield f"{what} {id} was acknowledged, and is not there"
    for id in sorted(notes - grants):
        yield f"{id} was noted, and was never granted"
    called = [saga for saga in effects if saga.startswith("called") and not saga.endswith("-fee")]
    for saga in called:
        if f"{saga}-fee" not in effects:
            yield f"{saga} has no fee"
    (money,) = _rows(store, "giro", "SELECT sum(cents) FROM money")[0]
    (saved,) = _rows(store, "savings", "SELECT sum(cents) FROM money")[0]
    (granted,) = _rows(store, "giro", "SELECT ifnull(sum(cents), 0) FROM grants")[0]
    if money + saved != MONEY + granted:
        yield f"{money} and {saved} cents are there, of {MONEY} and {granted} that were granted"
    heard = Counter(_rows(store, "auditor", "SELECT saga, cents FROM heard"))
    deposits = Counter(_rows(store, "savings", "SELECT saga, cents FROM effects WHERE what = 'deposit'"))
    if heard != deposits:
        yield f"heard, and deposited: {dict(heard - deposits)}; not heard: {dict(deposits - heard)}"
    fees = [cents for saga, cents in deposits.elements() if saga.endswith("-fee")]
    if set(fees) - {FEE}:
        yield f"fees of {set(fees)} cents"


def _wanted(saga: str) -> list[Counter[str]]:
    """Return what may have been done for a transfer that is over."""
    if saga.startswith("refused"):
        return [Counter({"withdraw": 1, "put back": 1})]
    return [Counter({"withdraw": 1, "deposit": 1})]
