"""`Runtime`: opens a store, starts the actors, hands out handles. The one place where everything is wired.

Rules
1. One runtime per store, in one process, for as long as it is open. Everything it acknowledges is on disk.
2. Calls may come from any thread, except those of its own actors. A call that waits has a timeout.
3. `close` ends what is running and leaves everything else to the next start. A crash is the same, less politely.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from saga.actors.crew import Crew, Settings
from saga.clock import Clock, SystemClock
from saga.coordination.definitions import Definitions
from saga.coordination.participation import Given, Participant, read_participants
from saga.errands import Errands
from saga.errors import RuntimeClosed, UsageError
from saga.event_log import EventClasses
from saga.flow.definition import Definition
from saga.flow.saga import Saga
from saga.handle import refuse_in_actor
from saga.line import Line
from saga.messages import Event
from saga.retention import Pruned
from saga.runtime.deciding import Deciding
from saga.runtime.looking import Looking
from saga.runtime.messaging import Messaging
from saga.runtime.operating import Operating
from saga.runtime.starting import Starting
from saga.runtime.upkeep import Upkeep
from saga.sending import Sender
from saga.store import Asked, Copied, OwnerLock, StoreFiles, clear_requests

__all__ = ["Runtime"]

NOT_ALL_HAS_ENDED = 75
"""EX_TEMPFAIL of sysexits.h: what had not ended in time goes on at the next start."""

LAST_MOMENT_S = 0.5
"""Seconds that a program has for what it does after a close that was not in order."""


class Runtime(Starting, Messaging, Operating, Deciding, Looking, Upkeep):
    """Runs sagas, in this process, on a store: a directory of SQLite files.

        with Runtime("shop", contexts=[Inventory, Payment], sagas=[FulfilOrder]) as runtime:
            handle = runtime.start(FulfilOrder, OrderPlaced(...), id="order-42")
            outcome = handle.wait(timeout=10)

    In asyncio: `async with Runtime(...) as runtime`, `await runtime.start_async(...)`, `await handle`.
    """

    def __init__(
        self,
        store: str | os.PathLike[str],
        *,
        contexts: Sequence[Given] = (),
        sagas: Sequence[type[Saga[Any]]] = (),
        clock: Clock | None = None,
        max_active: int = 10_000,
        cache: int = 5_000,
        hang_limit: timedelta = timedelta(seconds=60),
        on_hang: Literal["alarm", "exit"] = "alarm",
        close_timeout: float = 10.0,
    ) -> None:
        """Check everything that is given; nothing is opened before `open`, or `with`.

        - `store`: a directory, made when it is not there, or ":memory:" for experiments;
        - `contexts`: contexts and gateways, each as its class or as a function without arguments that makes one;
        - `sagas`: saga classes; several versions of one may live side by side;
        - `clock`: `SystemClock()` unless given;
        - `max_active`: sagas with commands under way, at most; beyond it `start` waits;
        - `cache`: sagas kept in memory, at most, between two things that happen to them;
        - `hang_limit`: how long a handler may take before it is reported with its stack; with `on_hang="exit"` the
          process then exits with code 70, for a service manager to restart it;
        - `close_timeout`: seconds that leaving the `with` block waits for running handlers.

        Raises DefinitionError with all problems of contexts and sagas taken together.
        """
        self._definitions = Definitions(sagas)
        self._participants = read_participants(contexts, self._definitions.given)
        self._files = StoreFiles.at(store)
        self._clock: Clock = clock or SystemClock()
        self._settings = Settings(
            cache=cache, max_active=max_active, hang_limit_s=hang_limit.total_seconds(), on_hang=on_hang
        )
        self._event_classes = EventClasses(_event_classes(self._participants, self._definitions.given))
        self._close_timeout = close_timeout
        self._pid = os.getpid()
        self._lock: OwnerLock | None = None
        self._crew: Crew | None = None
        self._line = Line(self._open_crew, max_active)
        self._sender = Sender(self._participants, self._definitions, self._line, self._open_crew)
        self._guard = threading.Lock()
        self._upkeep = threading.Lock()
        """One backup or pruning at a time: both look at files of contexts that are not here."""

    # --- opening and closing ----------------------------------------------------------------------

    def open(self) -> Self:
        """Take the store, recover what was going on in it, and go on; return this runtime.

        Raises StoreInUse when another runtime has the store, SchemaTooNew, CorruptStore, DataLossDetected,
        DefinitionChanged, or another StoreError; the files are then as they were.
        """
        with self._guard:
            if self._crew is not None:
                raise RuntimeClosed("the runtime is open already, or was closed")
            self._pid = os.getpid()
            if not self._files.in_memory:
                self._lock = OwnerLock.take(self._files, datetime.now(UTC).isoformat(timespec="seconds"))
            try:
                crew = Crew(
                    self._files,
                    self._lock,
                    self._definitions,
                    self._participants,
                    self._clock,
                    self._settings,
                )
                crew.open()
            except BaseException:
                self._release()
                raise
            crew.on_failure = self._line.fail_all
            if not self._files.in_memory:
                clear_requests(self._files)
                crew.on_second = Errands(self._files, self._carry_out).look
            self._crew = crew
        return self

    def close(self, timeout: float | None = None) -> bool:
        """End what is running, waiting at most `timeout` seconds for it, and give the store back.

        What was not finished goes on when the store is opened again. Closing twice does no harm. Returns whether
        everything ended in order; handles that are waited for raise RuntimeClosed. Raises UsageError in the thread of a
        context or gateway, which would wait for itself.
        """
        crew, pid = self._crew, os.getpid()
        if crew is None or pid != self._pid:
            return True
        refuse_in_actor("close")
        with self._guard:
            if crew.closed:
                return True
            in_order = crew.close(self._close_timeout if timeout is None else timeout)
            error = crew.failure or RuntimeClosed()
            crew.completions.fail_all(error)
            self._line.fail_all(error)
            crew.when_files_are_closed(self._release)
        return in_order

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.open)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    def run_forever(self, grace: float | None = None) -> int:
        """Wait until SIGTERM or SIGINT, close, and return the exit code (from the main thread only).

            sys.exit(runtime.run_forever(grace=10))

        From the signal on nothing is taken in and nothing new is begun; what runs has `grace` seconds to end (None:
        `close_timeout`). Then the logs are written into the files, the store is given back, and 0 is returned, or 75
        when something has not ended in time: it is begun again at the next start. A thread that hangs could keep
        Python from ending, so in that case the process is ended half a second later, whatever it does. A second signal
        ends it at once, with 128 and the number of the signal. Raises StoreFailed when the runtime ends by itself.
        """
        refuse_in_actor("run_forever")
        crew = self._open_crew()
        asked = threading.Event()

        def ask(number: int, _: object) -> None:
            if asked.is_set():
                os._exit(128 + number)
            asked.set()

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not asked.wait(0.2):
                if crew.failed.is_set():
                    self._open_crew()
            return self._end(grace)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def aclose(self, grace: float | None = None) -> int:
        """`close` for the end of a program in asyncio; return its exit code, as `run_forever` does.

        Like that it sees to it that nothing which hangs keeps the process from ending.
        """
        return await asyncio.to_thread(self._end, grace)

    def _end(self, grace: float | None) -> int:
        if self.close(grace):
            return 0
        _end_soon(NOT_ALL_HAS_ENDED)
        return NOT_ALL_HAS_ENDED

    # --- detail -----------------------------------------------------------------------------------

    def _carry_out(self, asked: Asked) -> Copied | Pruned:
        """Do what somebody outside has asked for."""
        if asked.directory is not None:
            return self.backup(asked.directory)
        if asked.older_than_ms is not None:
            return self.prune(timedelta(milliseconds=asked.older_than_ms))
        raise UsageError("what is asked for is nothing that this version of the program does")


def _end_soon(code: int) -> None:
    """End the process in a moment, unless it has ended by itself: Python waits for the threads of executors, such as
    that of `asyncio.to_thread`, and one of them may be what hangs."""

    def end() -> None:
        time.sleep(LAST_MOMENT_S)
        os._exit(code)

    threading.Thread(target=end, name="saga-end", daemon=True).start()


def _event_classes(participants: Iterable[Participant], definitions: Iterable[Definition]) -> set[type[Any]]:
    """Return the event classes that are listened to, waited for, or start sagas."""
    found: set[type[Any]] = {event for each in participants for event in each.events}
    for definition in definitions:
        messages = (function.message for function in definition.functions.values())
        found.update(each for each in messages if each is not None and issubclass(each, Event))
        if definition.started_by_event:
            found.add(definition.input)
    return found
