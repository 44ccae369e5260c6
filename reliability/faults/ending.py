"""The process that is told to end while it is at work: `python -m reliability.faults.ending STORE KIND HANGING GRACE`.

`KIND`: `threads` waits in `Runtime.run_forever`, `asyncio` is the recipe of docs/running.md. `HANGING` names the
handler that hangs, or is `none`, or `drain`: then nothing hangs or is started, and it ends when everything has come to
its end. What its gateways begin and end they write down, in a file that outlives the process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga import Command, Context, Gateway, Retry, Runtime, Saga, SagaError, step

__all__ = ["HANGING", "KINDS"]

KINDS = ("threads", "asyncio")
HANGING = ("none", "shelf", "caller", "pool", "wire", "wire-thread", "function")
"""Which handler hangs."""

ENDLESS_S = 3600.0


class Notes:
    """What the gateways have begun and ended, by key."""

    path = ""
    hanging = "none"

    def note(self, *words: str) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, f"{' '.join(words)}\n".encode())
        os.close(file)


notes = Notes()


@dataclass(frozen=True, slots=True)
class Order:
    """The input of the sagas."""

    id: str


@dataclass(frozen=True, slots=True)
class Put(Command[None]):
    """Handled by the context."""

    id: str


@dataclass(frozen=True, slots=True)
class Call(Command[None]):
    """Handled by the gateway with one thread."""

    id: str


@dataclass(frozen=True, slots=True)
class CallPooled(Command[None]):
    """Handled by the gateway with several."""

    id: str


@dataclass(frozen=True, slots=True)
class Wire(Command[None]):
    """Handled by the gateway with an event loop."""

    id: str


def hangs(who: str, id: str) -> bool:
    """Whether this one is to hang now: some do, others go on beside them."""
    return notes.hanging.startswith(who) and id.endswith("7")


books = Migrations("shelf")


@books()
def tables(db: Database) -> None:
    db.execute("CREATE TABLE effects (id TEXT NOT NULL)")


class Shelf(Context):
    """Writes down what is put on it."""

    migrations = books

    @Put.handler
    def put(self, command: Put) -> None:
        self.db.execute("INSERT INTO effects VALUES (?)", [command.id])
        if hangs("shelf", command.id):
            time.sleep(ENDLESS_S)


class Caller(Gateway):
    """Calls one after the other."""

    @Call.handler
    def call(self, command: Call) -> None:
        notes.note("begin", self.key)
        time.sleep(ENDLESS_S if hangs("caller", command.id) else 0.002)
        notes.note("end", self.key)


class CallerPool(Gateway):
    """Calls several at a time."""

    concurrency = 4

    @CallPooled.handler
    def call(self, command: CallPooled) -> None:
        notes.note("begin", self.key)
        time.sleep(ENDLESS_S if hangs("pool", command.id) else 0.01)
        notes.note("end", self.key)


class Wires(Gateway):
    """Calls in an event loop."""

    concurrency = 4

    @Wire.handler
    async def call(self, command: Wire) -> None:
        notes.note("begin", self.key)
        if notes.hanging == "wire-thread" and hangs("wire", command.id):
            await asyncio.to_thread(time.sleep, ENDLESS_S)
        await asyncio.sleep(ENDLESS_S if hangs("wire", command.id) else 0.01)
        notes.note("end", self.key)


SOON = Retry(attempts=50, first=timedelta(milliseconds=1), factor=1, jitter=0)


class Deliver(Saga[Order]):
    """One of each."""

    @step(retry=SOON)
    def put(self) -> Put:
        return Put(self.input.id)

    @step(retry=SOON, pivot=True)
    def pooled(self) -> CallPooled:
        return CallPooled(self.input.id)

    @step(retry=SOON)
    def wire(self) -> Wire:
        if hangs("function", self.input.id):
            time.sleep(ENDLESS_S)
        return Wire(self.input.id)

    @step(retry=SOON)
    def call(self) -> Call:
        return Call(self.input.id)

    flow = (put, pooled, wire, call)


def tell(line: str) -> None:
    """Say something that a kill does not take back."""
    os.write(1, f"{line}\n".encode())


def load(runtime: Runtime, name: str) -> None:
    """Start sagas until the runtime takes none any more."""
    for n in count():
        try:
            tell(f"acked {runtime.start(Deliver, Order(f'{name}-{n}'), id=f'{name}-{n}').id}")
        except SagaError:
            return
        time.sleep(0.005)


def drain(runtime: Runtime) -> None:
    """Bring to an end what is there."""
    for row in runtime.list(limit=100_000):
        tell(f"ended {row.id} {runtime.handle(row.id).wait(60.0).status.value}")


def made(store: Path) -> Runtime:
    """Return the runtime of this business."""
    return Runtime(store, contexts=[Shelf, Caller, CallerPool, Wires], sagas=[Deliver])


def in_threads(store: Path, grace: float) -> int:
    """Wait for the signal in the main thread."""
    with made(store) as runtime:
        for n in range(2):
            threading.Thread(target=load, args=(runtime, f"{os.getpid()}-{n}"), daemon=True).start()
        tell("ready")
        return runtime.run_forever(grace=grace)


async def in_asyncio(store: Path, grace: float) -> int:
    """Wait for the signal in the loop."""
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    runtime = await asyncio.to_thread(made(store).open)
    for n in range(2):
        threading.Thread(target=load, args=(runtime, f"{os.getpid()}-{n}"), daemon=True).start()
    tell("ready")
    await asked.wait()
    return await runtime.aclose(grace)


def main(store: Path, kind: str, hanging: str, grace: float) -> int:
    """Be at work until told to end."""
    notes.path, notes.hanging = str(store.with_name("calls.log")), hanging
    if hanging == "drain":
        with made(store) as runtime:
            drain(runtime)
        return 0
    return in_threads(store, grace) if kind == "threads" else asyncio.run(in_asyncio(store, grace))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])))
