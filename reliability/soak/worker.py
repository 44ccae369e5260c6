"""The process of the soak: opens the store, loads it from several threads and an event loop, and is killed.

What it was acknowledged it writes down at once, in a file that outlives it: `saga ID`, `event ID`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import structlog

from reliability.crash.broken import forget_the_inbox
from reliability.soak import business as b
from saga import Handle, Runtime, SagaError, ScaledClock, Start
from saga.store import StoreReader

__all__ = ["Job", "work"]

FACTOR = 60.0
"""So many times as fast the clock runs."""

SWITCH_S = 1e-5
"""How long a thread runs before another one may: a five-hundredth of the usual."""

MOST = 60
"""Sagas that a loader leaves unfinished."""

LONGEST_S = 120.0
"""Seconds in which everything must have come to its end, when nobody disturbs any more."""


@dataclass(frozen=True)
class Job:
    """What a process is to do."""

    store: str
    life: int
    """The how-manieth process on this store."""
    drain: bool = False
    """Start nothing; bring to an end what is there."""
    broken: str = ""
    """For the control, a protection that is taken away: `inbox`."""

    @property
    def acknowledged(self) -> Path:
        """Where it writes down what it was acknowledged."""
        return Path(self.store).with_name("acknowledged.log")


class Loader:
    """Starts sagas without end, and waits for them when there are too many."""

    def __init__(self, job: Job, runtime: Runtime, name: str) -> None:
        self.runtime, self.name = runtime, f"{job.life}-{name}"
        self._file = os.open(job.acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._random = random.Random(self.name)
        self._numbers = count()
        self._open: deque[Handle] = deque()

    def acked(self, what: str, *ids: str) -> None:
        """Write down what is on disk."""
        os.write(self._file, "".join(f"{what} {id}\n" for id in ids).encode())

    def some(self) -> list[Start[b.Order]]:
        """Return starts, one or several."""
        ids = [f"{self.name}-{next(self._numbers)}" for _ in range(self._random.choice((1, 1, 3, 12)))]
        return [Start(self._random.choice(b.KINDS), b.Order(id), id) for id in ids]

    def in_a_thread(self) -> None:
        """Load, from a thread."""
        while True:
            starts = self.some()
            try:
                handles = self.runtime.start_many(starts, timeout=5.0)
                self.acked("saga", *(handle.id for handle in handles))
                self._open.extend(handles)
                if self._random.random() < 0.2:
                    event = f"{self.name}-event-{next(self._numbers)}"
                    self.runtime.publish(b.Announced(event), id=event, timeout=5.0)
                    self.acked("event", event)
                while len(self._open) > MOST:
                    self._open.popleft().wait(10.0)
            except SagaError:
                time.sleep(0.05)
            time.sleep(self._random.uniform(0.0, 0.1))

    async def in_asyncio(self) -> None:
        """Load, from an event loop."""
        while True:
            try:
                handles = await self.runtime.start_many_async(self.some(), timeout=5.0)
                self.acked("saga", *(handle.id for handle in handles))
                self._open.extend(handles)
                while len(self._open) > MOST:
                    async with asyncio.timeout(10.0):
                        await self._open.popleft()
            except (SagaError, TimeoutError):
                await asyncio.sleep(0.05)
            await asyncio.sleep(self._random.uniform(0.0, 0.1))


def work(job: Job) -> None:
    """Do the job, until killed, or to its end."""
    sys.setswitchinterval(SWITCH_S)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if job.broken:
        BREAK[job.broken]()
    b.processor.path = Path(job.store).with_name("processor.log")
    with Runtime(job.store, contexts=b.CONTEXTS, sagas=b.SAGAS, clock=ScaledClock(FACTOR)) as runtime:
        if job.drain:
            _drain(job, runtime)
            return
        for n in range(3):
            threading.Thread(target=Loader(job, runtime, f"{n}").in_a_thread, daemon=True).start()
        asyncio.run(Loader(job, runtime, "loop").in_asyncio())


def _drain(job: Job, runtime: Runtime) -> None:
    """Return when every saga has ended and every event was heard, or when that takes too long."""
    until = time.monotonic() + LONGEST_S
    while time.monotonic() < until:
        _acquit(job, runtime)
        live = runtime.list(status=("RUNNING", "COMPENSATING"), limit=1)
        if not live and not runtime.deliveries() and _is_heard(runtime):
            return
        time.sleep(0.1)


def _acquit(job: Job, runtime: Runtime) -> None:
    """Let those go on that were parked as suspects (docs/adr/0010), and write it down.

    Who was carried out three times while nothing else was, and killed each time, cannot be told from a guilty one.
    Here somebody knows better.
    """
    with StoreReader.open(job.store) as reader:
        suspects = [row.saga_no for row in reader.incidents() if row.kind == "poison"]
        ids = [row.id for row in reader.overview(status=("PARKED",), limit=10_000) if row.no in suspects]
    file = os.open(job.acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for id in ids:
        runtime.retry(id, "killed from outside")
        os.write(file, f"suspect {id}\n".encode())
    for delivery in runtime.deliveries(set_aside=True):
        runtime.retry_deliveries(delivery.context)
        os.write(file, f"suspect {delivery.event_id}\n".encode())
    os.close(file)


def _is_heard(runtime: Runtime) -> bool:
    """Whether nothing is on its way between outboxes, log and listeners."""
    crew = runtime._crew
    assert crew is not None
    coordinator = crew._coordinator
    assert coordinator is not None
    last = coordinator.ledger.last_event_no
    if any(position < last for position in coordinator.relay.taken_to(last).values()):
        return False
    time.sleep(0.3)  # an answer with more of them may be under way
    return coordinator.ledger.last_event_no == last and not runtime.list(
        status=("RUNNING", "COMPENSATING"), limit=1
    )


# --- the control ---


BREAK: dict[str, Callable[[], None]] = {"inbox": forget_the_inbox}
