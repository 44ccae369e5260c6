"""The scenarios of the shop, each run to its end by a driver which waits, cancels, and lets time pass."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reliability.crash import shop
from reliability.crash.job import LONGEST_S, Job, tell
from saga import NotAllowed, Runtime, Saga, SagaParked, ScaledClock, Start, Status, VirtualClock, WaitTimeout
from saga.coordination import context as context_module
from saga.coordination import pruning

__all__ = ["SCENARIOS", "CannotLook", "Work", "run"]

HEARD = """
    SELECT (SELECT count(*) FROM events e
            JOIN context._saga_positions p ON p.event_type = e.type AND e.no > p.position)
         + (SELECT count(*) FROM context._saga_outbox o
            WHERE o.no > (SELECT outbox_no FROM participants WHERE name = :context))
"""
"""How many events a context has not taken yet, and how many of its own are not in the log yet."""

FAILED = "SELECT count(*) FROM context._saga_retries WHERE due_ms IS NOT NULL"
"""How many events a context has failed on, and tries again later."""

HALF_A_DAY = timedelta(hours=12)

MORNING = datetime(2026, 1, 1, tzinfo=UTC)
"""When the clock of a worker begins."""


class CannotLook(Exception):
    """The driver's own look into the files has failed; it says nothing about the runtime."""


@dataclass
class Work:
    """A scenario at work."""

    store: Path
    runtime: Runtime
    clock: VirtualClock | ScaledClock
    drain: bool
    ids: list[str] = field(default_factory=list)

    def start(self, saga: type[Saga[shop.Order]], *ids: str) -> None:
        """Start sagas, the first by itself, the others together; to drain, find those that were started."""
        if self.drain:
            there = {row.id for row in self.runtime.list(limit=10_000)}
            self.ids += [id for id in ids if id in there]
            return
        first, *others = [Start(saga, shop.Order(id, 100 + n), id) for n, id in enumerate(ids)]
        for some in ([first], *([others] if others else [])):
            for handle in self.runtime.start_many(some):
                tell(f"acked {handle.id}")
        self.ids += ids

    def until_all(self, what: str, path: str) -> None:
        """Wait until this has happened to all."""
        until = time.monotonic() + LONGEST_S
        for id in self.ids:
            while not any((entry.what, entry.path) == (what, path) for entry in self.runtime.history(id)):
                assert time.monotonic() < until, f"{what} {path} is not in {self.runtime.history(id)}"

    def finish(self, *, ever_longer: bool = False) -> None:
        """Wait for the end of all, letting time pass: a second whenever nothing has come for a moment, or `ever_longer`
        until it is half a day."""
        until, span = time.monotonic() + LONGEST_S, timedelta(seconds=1)
        for id in self.ids:
            handle = self.runtime.handle(id)
            while time.monotonic() < until:
                try:
                    outcome = handle.wait(0.02)
                except WaitTimeout:
                    self.let_pass(span)
                    span = min(2 * span, HALF_A_DAY) if ever_longer else span
                    continue
                except SagaParked as parked:
                    tell(f"parked {id} {parked}")
                    break
                tell(f"ended {id} {outcome.status.value}")
                break

    def let_pass(self, span: timedelta) -> None:
        """Let time pass, unless it does so by itself."""
        if isinstance(self.clock, VirtualClock):
            self.clock.advance(span)

    def until(self, since_morning: timedelta) -> None:
        """Let it be so late, unless it is later."""
        left = MORNING + since_morning - datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)
        self.let_pass(max(left, timedelta(0)))

    def until_scheduled(self) -> None:
        """Wait until every run that is due was started."""
        until, now = time.monotonic() + LONGEST_S, self.clock.now_ms()
        while any(
            each.next_at.timestamp() * 1000 <= now for each in self.runtime.schedules() if each.next_at
        ):
            assert time.monotonic() < until, self.runtime.schedules()

    def until_heard(self) -> None:
        """Wait until every event is in the log, and every listener has taken what is there for it."""
        until = time.monotonic() + LONGEST_S
        while self._left(HEARD):
            assert time.monotonic() < until, "a listener does not get its events"
        while self._left(FAILED):
            assert time.monotonic() < until, "a listener does not try again"
            self.let_pass(timedelta(milliseconds=100))

    def _left(self, statement: str) -> int:
        """Return what this counts in the contexts that listen and publish, up to the first where there is something."""
        try:
            with closing(sqlite3.connect(f"{self.store.as_uri()}/saga.db?mode=ro", uri=True)) as saga_db:
                for context in ("stock", "customers"):  # in the order in which events travel
                    uri = f"{self.store.as_uri()}/{context}.db"
                    saga_db.execute("ATTACH ? AS context", [f"{uri}?mode=ro"])
                    left: int
                    ((left,),) = saga_db.execute(statement, {"context": context})
                    saga_db.execute("DETACH context")
                    if left:
                        return left
        except sqlite3.OperationalError as error:
            raise CannotLook(f"the driver cannot look into the files: {error}") from error
        return 0

    def quietly(self, act: Callable[[str, str], None], id: str, reason: str) -> None:
        """Act on a saga if it is there and not over."""
        if id in self.ids:
            try:
                act(id, reason)
            except NotAllowed:
                return
            tell(f"acted {id}")


# --- scenarios ---


def success(work: Work) -> None:
    work.start(shop.Fulfil, "good-1", "good-2", "good-3")
    work.finish()


def single(work: Work) -> None:
    work.start(shop.Fulfil, "good-1")
    work.finish()


def refusal(work: Work) -> None:
    work.start(shop.Fulfil, "refused-1", "good-1", "refused-2")
    work.finish()


def timeout(work: Work) -> None:
    """`slow-1` to `slow-3` occupy the gateway, two others wait behind them; none is done in time."""
    work.start(shop.Hurry, *[f"slow-{n}" for n in range(1, 6)])
    if not work.drain:
        work.until_all("command-sent", "charge.1")
        work.let_pass(timedelta(hours=2))
        work.until_all("resolving", "charge.1")
    shop.Cards.released.set()
    work.finish()


def cancel(work: Work) -> None:
    work.start(shop.Collect, "forgotten-1", "good-1", "forgotten-2")
    work.start(shop.Fulfil, "good-2", "good-3")
    for id in ("good-2", "forgotten-1", "forgotten-2"):
        work.quietly(work.runtime.cancel, id, "changed my mind")
    work.finish()


def events(work: Work) -> None:
    """Outbox to log to listener, whose own event sets the saga going again; one is never fetched."""
    work.start(shop.Collect, "good-1", "forgotten-1", "good-2", "refused-1")
    work.ids.remove("forgotten-1") if "forgotten-1" in work.ids else None
    work.finish()
    work.let_pass(timedelta(days=2))
    work.ids = ["forgotten-1"] if "forgotten-1" in {row.id for row in work.runtime.list()} else []
    work.finish()


def together(work: Work) -> None:
    work.start(shop.Together, "good-1", "refused-1", "shaky-1", "good-2")
    work.finish()


def shaky(work: Work) -> None:
    """The gateway fails, after the effect, and then answers."""
    work.start(shop.Fulfil, "shaky-1", "shaky-2", "refused-1")
    work.finish()


def later(work: Work) -> None:
    """Starts that lie a day ahead: they wait until then, and their deadline counts from there."""
    if not work.drain:
        at = MORNING + timedelta(days=1)
        orders = [shop.Order(f"forgotten-{n}", 100) for n in range(3)]
        starts = [Start(shop.Tomorrow, order, order.id, at=at) for order in orders]
        for handle in work.runtime.start_many(starts):
            tell(f"acked {handle.id}")
    work.ids = [row.id for row in work.runtime.list()]
    work.until(timedelta(days=1))
    work.until_all("step-completed", "reserve.1")
    work.until(timedelta(days=1, hours=1))
    work.finish()


def recurring(work: Work) -> None:
    """Two nights with a run at three, of another schedule at the same time, and of that in the afternoon."""
    for name, cron in (("good-nightly", "0 3 * * *"), ("good-often", "0 3,15 * * *")):
        work.runtime.schedule(name, shop.Nightly, shop.Order(name, 0), cron=cron, missed="all")
        tell(f"scheduled {name}")
    for half in range(1, 5):
        work.until(timedelta(hours=12 * half))
        work.until_scheduled()
    work.ids = [row.id for row in work.runtime.list()]
    work.finish()


def clumsy(work: Work) -> None:
    """A listener fails, is tried again later, and publishes what the saga waits for."""
    work.start(shop.Collect, "clumsy-1", "good-1", "clumsy-2")
    work.finish()


def retention(work: Work) -> None:
    """Events and answers that nobody needs any more are let go of all the time."""
    pruning.EVENTS_BETWEEN_PRUNINGS = context_module.PRUNE_EVERY = 2
    work.start(shop.Collect, "good-1", "good-2", "refused-1")
    work.start(shop.Fulfil, "good-3", "good-4", "refused-2")
    work.finish()


def letting_go(work: Work) -> None:
    """Sagas that have ended are let go of, with what the context remembers of their commands; then the same ids begin
    anew."""
    for _ in range(1 if work.drain else 2):
        orders = [] if work.drain else [shop.Order(f"inquiry-{n}", 0) for n in range(3)]
        work.runtime.start_many(Start(shop.Inquire, order, order.id) for order in orders)
        work.ids = [row.id for row in work.runtime.list()]
        work.finish()
        work.let_pass(timedelta(seconds=1))
        work.runtime.prune(timedelta(0))
    left = [row.id for row in work.runtime.list()]
    assert not left, f"{left} were not let go of"


def overdue(work: Work) -> None:
    """While nobody was there the time for the first step ran out: see `run`."""
    work.start(shop.Hasty, "good-1", "refused-1", "good-2")
    work.finish()


def scaled(work: Work) -> None:
    """Time passes by itself, a thousand times as fast, and goes on where it was."""
    work.start(shop.Fulfil, "good-1", "refused-1", "shaky-1")
    work.finish()


def mixed(work: Work) -> None:
    """Everything at once, some twenty sagas: what `reliability.syscalls` runs."""
    nightly = "good-nightly"
    work.runtime.schedule(nightly, shop.Nightly, shop.Order(nightly, 0), cron="0 3 * * *", missed="all")
    tell(f"scheduled {nightly}")
    work.start(shop.Fulfil, "good-1", "refused-1", "shaky-1", "good-2")
    work.start(shop.Collect, "good-3", "forgotten-1", "clumsy-1", "refused-2", "good-4")
    work.start(shop.Together, "good-5", "refused-3")
    work.start(shop.Hasty, "good-6", "refused-4")
    work.start(shop.Hurry, "slow-1", "slow-2", "good-7")
    work.quietly(work.runtime.cancel, "good-4", "changed my mind")
    if not work.drain:
        work.let_pass(timedelta(hours=2))
    shop.Cards.released.set()
    work.until(timedelta(days=2))
    while True:
        work.until_scheduled()
        rows = work.runtime.list(limit=10_000)
        work.ids = [row.id for row in rows if not Status(row.status).ended]
        if not work.ids:
            return
        work.finish(ever_longer=True)


SCENARIOS: dict[str, Callable[[Work], None]] = {
    each.__name__: each
    for each in (
        success,
        single,
        refusal,
        timeout,
        cancel,
        events,
        clumsy,
        together,
        shaky,
        later,
        recurring,
        retention,
        letting_go,
        overdue,
        scaled,
        mixed,
    )
}


def run(job: Job) -> None:
    """Run a scenario on its store."""
    late = job.scenario == "overdue" and job.drain
    clock: VirtualClock | ScaledClock = VirtualClock(MORNING + late * timedelta(hours=2))
    if job.scenario == "scaled":
        clock = ScaledClock(1_000, MORNING)
    store = Path(job.store)
    shop.Cards.processor = shop.Processor(store.with_name("processor.log"))
    if job.drain:
        shop.Cards.released.set()
    with Runtime(store, contexts=shop.CONTEXTS, sagas=shop.SAGAS, clock=clock) as runtime:
        try:
            SCENARIOS[job.scenario](work := Work(store, runtime, clock, job.drain))
            work.until_heard()
        finally:
            shop.Cards.released.set()  # else a runtime that has failed waits for slow calls when it is closed
