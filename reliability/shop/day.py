"""A day of work in the shop, as a program; and bringing to its end what was left undone.

    python -m reliability.shop.day STORE --sagas N [--stop end|leave|kill] [--pages N] [--synchronous NORMAL]

What it was acknowledged it says on its standard output, a line each, at once:

    started ID          decided ID      a task          cancelled ID        sent ID         a command without a saga
    scheduled NAME      published ID                    ended ID STATUS     called charge|void KEY ORDER, by the gateway
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import click

from reliability.shop.business import (
    CONTEXT_NAMES,
    CONTEXTS,
    SAGAS,
    Ask,
    Cards,
    Collect,
    Fulfil,
    Hurry,
    Nightly,
    Order,
    Parcel,
    Pay,
    Praised,
    say,
)
from saga import NotAllowed, Runtime, Saga, Start, VirtualClock
from saga.store import connection as opening

__all__ = ["LIMIT_S", "PER_ROUND", "Stuck", "drain", "work"]

PER_ROUND = 20
"""Sagas that are started in one round, children and runs of the schedule not counted."""

LIMIT_S = 30.0
"""What has not come to rest by then hangs."""

ROUND: tuple[tuple[type[Saga[Order]], str], ...] = (
    *((Fulfil, "good") for _ in range(6)),
    *((Fulfil, "refused") for _ in range(2)),
    *((Collect, name) for name in ("good", "clumsy", "forgotten", "cancelled")),
    *((Hurry, name) for name in ("good", "slow")),
    *((Parcel, name) for name in ("good", "good", "refused")),
    *((Ask, name) for name in ("good", "good", "refused")),
)

LIVE = ["RUNNING", "COMPENSATING"]


class Stuck(Exception):
    """Nothing moves any more, and not everything has ended."""


def work(store: Path, sagas: int, stop: str, first: int = 0) -> None:
    """Open the shop for a day. `stop`: at its `end`, or in the midst of the last round: `leave` in order, or `kill`.

    `first`: number of the first round; ids of sagas are made of it, so that another day has others.
    """
    clock = VirtualClock()
    rounds = -(-sagas // PER_ROUND)
    with Runtime(store, contexts=CONTEXTS, sagas=SAGAS, clock=clock) as runtime:
        runtime.schedule("nightly", Nightly, Order("nightly", 0), cron="0 3 * * *", missed="all")
        say("scheduled", "nightly")
        for number in range(rounds):
            last = number == rounds - 1
            _one_round(runtime, first + number, min(PER_ROUND, sagas - PER_ROUND * number))
            if last and stop == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if last and stop == "leave":
                Cards.released.set()
                return
            clock.advance(timedelta(hours=2))
            Cards.released.set()
            _decide(runtime)
            for row in runtime.list(status=LIVE, limit=1_000):
                if row.busy:
                    say("ended", row.id, runtime.handle(row.id).wait(LIMIT_S).status.value)
            Cards.released.clear()
        Cards.released.set()
        _to_the_end(runtime, store, clock)


def _one_round(runtime: Runtime, number: int, count: int) -> None:
    starts = [
        Start(saga, Order(f"{name}-{number}-{at}", 100 + at), f"{name}-{number}-{at}", {"round": str(number)})
        for at, (saga, name) in enumerate(ROUND)
    ][:count]
    for some in (starts[:1], starts[1 : count // 2], starts[count // 2 :]):
        if some:
            for handle in runtime.start_many(some):
                say("started", handle.id)
    runtime.publish(Praised(f"praise-{number}"), id=f"praise-{number}")
    say("published", f"praise-{number}")
    runtime.send(Pay(f"gift-{number}", 7), id=f"gift-{number}")
    say("sent", f"gift-{number}")
    for start in starts:
        if start.input.id.startswith("cancelled"):
            runtime.cancel(start.input.id, "changed my mind")
            say("cancelled", start.input.id)
        elif start.saga is Fulfil:
            say("ended", start.input.id, runtime.handle(start.input.id).wait(LIMIT_S).status.value)
    _decide(runtime)


def _decide(runtime: Runtime) -> None:
    """Approve what there is to approve by now."""
    for each in runtime.tasks(limit=1_000):
        try:
            runtime.complete_task(each.saga_id, True, by="the boss")
        except NotAllowed:
            continue  # it has ended meanwhile
        say("decided", each.saga_id)


# --- bringing it to an end ---


def drain(store: Path, limit_s: float = LIMIT_S, opened: Callable[[], None] = lambda: None) -> None:
    """Recover what is in the store, and bring it to its end, as time goes by; the same every time.

    Time passes, and tasks are decided, only when nothing else moves. `opened` is called when the runtime is open.
    Raises Stuck, and what the runtime raises.
    """
    clock = VirtualClock()
    Cards.released.set()
    with Runtime(store, contexts=CONTEXTS, sagas=SAGAS, clock=clock, close_timeout=LIMIT_S) as runtime:
        opened()
        _to_the_end(runtime, store, clock, limit_s)


def _to_the_end(runtime: Runtime, store: Path, clock: VirtualClock, limit_s: float = LIMIT_S) -> None:
    with closing(_Look(store)) as look:
        while True:
            _rest(runtime, look, clock, limit_s)
            if runtime.tasks(limit=1):
                _decide(runtime)
                continue
            due = look.next_due()
            if not look.live():
                return
            if due is None:
                raise Stuck(f"{look.live()} sagas have not ended, and nothing is due")
            clock.advance(timedelta(milliseconds=max(due - clock.now_ms(), 1)))


def _rest(runtime: Runtime, look: _Look, clock: VirtualClock, limit_s: float) -> None:
    """Wait until nothing moves: found so twice, with no commit in between."""
    until, before = time.monotonic() + limit_s, None
    while True:
        runtime.list(limit=1)  # raises if the runtime has ended
        now = look.commits() if look.quiet(clock.now_ms()) else None
        if now is not None and now == before:
            return
        if time.monotonic() > until:
            raise Stuck(f"it does not come to rest: {look.why(clock.now_ms())}")
        before = now
        time.sleep(0.002)


class _Look:
    """What only the files tell about a store whose runtime is in this process."""

    def __init__(self, store: Path) -> None:
        self._connection = sqlite3.connect(
            f"{(store / 'saga.db').as_uri()}?mode=ro", uri=True, isolation_level=None
        )
        try:
            for name in CONTEXT_NAMES:
                uri = f"{(store / name).as_uri()}.db?mode=ro"
                self._connection.execute(f"ATTACH ? AS {name}", [uri])
        except sqlite3.Error as error:
            self._connection.close()
            raise Stuck(f"where it stands cannot be read: {error}") from error

    def close(self) -> None:
        """Close the files."""
        self._connection.close()

    def _one(self, statement: str, *values: object) -> int:
        try:
            count: int = self._connection.execute(statement, values).fetchone()[0] or 0
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise Stuck(f"where it stands cannot be read: {error}") from error
        return count

    def live(self) -> int:
        """Return how many sagas have not ended, those that are parked not counted."""
        return self._one("SELECT count(*) FROM sagas WHERE status IN ('RUNNING', 'COMPENSATING')")

    def next_due(self) -> int | None:
        """Return when something is due, in UTC ms: a timer, a delivery to be tried again, but no run of a schedule."""
        due = [self._one("SELECT min(due_ms) FROM timers")]
        due += [self._one(f"SELECT min(due_ms) FROM {name}._saga_retries") for name in CONTEXT_NAMES]
        return min(filter(None, due), default=None)

    def why(self, now_ms: int) -> dict[str, int]:
        """Return what is under way, and how much of it."""
        due, runs = (
            "SELECT count(*) FROM timers WHERE due_ms <= ?",
            "SELECT count(*) FROM schedules WHERE next_ms <= ?",
        )
        found = {}
        for name in CONTEXT_NAMES:  # in the order in which events travel
            relayed = "SELECT outbox_no FROM participants WHERE name = ?"
            found[f"events of {name}"] = self._one(
                f"SELECT count(*) FROM {name}._saga_outbox WHERE no > ({relayed})", name
            )
            found[f"events for {name}"] = self._one(
                f"SELECT count(*) FROM events e JOIN {name}._saga_positions p ON p.event_type = e.type"
                " WHERE e.no > p.position"
            )
            found[f"retries of {name}"] = self._one(
                f"SELECT count(*) FROM {name}._saga_retries WHERE due_ms <= ?", now_ms
            )
        found["commands"] = self._one("SELECT count(*) FROM sagas WHERE busy = 1 AND status <> 'PARKED'")
        found["timers"], found["runs"] = self._one(due, now_ms), self._one(runs, now_ms)
        return found

    def quiet(self, now_ms: int) -> bool:
        """Return whether nothing is under way."""
        return not any(self.why(now_ms).values())

    def commits(self) -> list[int]:
        """Return how many commits each file has seen."""
        return [
            self._one("SELECT commit_no FROM store"),
            *(self._one(f"SELECT commit_no FROM {name}._saga_file") for name in CONTEXT_NAMES),
        ]


# --- the program ---


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--sagas", default=PER_ROUND)
@click.option("--first", default=0, help="Number of the first round.")
@click.option("--stop", type=click.Choice(["end", "leave", "kill"]), default="end")
@click.option("--pages", type=int, help="Pages in a write-ahead log before a checkpoint; for many of them.")
@click.option("--synchronous", type=click.Choice(["FULL", "NORMAL"]), default="FULL")
def program(store: Path, sagas: int, first: int, stop: str, pages: int | None, synchronous: str) -> None:
    """Work for a day."""
    if pages is not None:
        opening.WAL_PAGES = pages
    if synchronous != "FULL":
        _take_away_the_syncs()
    work(store.absolute(), sagas, stop, first)


def _take_away_the_syncs() -> None:
    """For the control: with `synchronous=NORMAL` a commit is not synced, only a checkpoint is."""
    set_pragmas = opening._set_pragmas

    def without(connection: sqlite3.Connection, path: str) -> None:
        set_pragmas(connection, path)
        connection.execute("PRAGMA synchronous=NORMAL")

    opening._set_pragmas = without


if __name__ == "__main__":
    program()
