"""`Runtime`: opens a store, starts the actors, hands out handles. The one place where everything is wired.

Rules
1. One runtime per store, in one process, for as long as it is open. Everything it acknowledges is on disk.
2. Calls may come from any thread, except those of its own actors. A call that waits has a timeout.
3. `close` ends what is running and leaves everything else to the next start. A crash is the same, less politely.
"""

from __future__ import annotations

import asyncio
import builtins
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Generic, Literal, Self, TypeVar, cast

from msgspec import Raw

from saga.actors.crew import Crew, Settings
from saga.arguments import (
    MOST_ID,
    checked_count,
    checked_id,
    checked_statuses,
    checked_tags,
    checked_text,
    known_id,
    milliseconds,
)
from saga.backing_up import back_up
from saga.clock import Clock, SystemClock
from saga.codec import codec_for
from saga.coordination import requests as q
from saga.coordination.cron import Missed, Overlap, Recurrence
from saga.coordination.definitions import Definitions
from saga.coordination.envelopes import Consult, Forget, RetryDeliveries
from saga.coordination.evaluation import key_text
from saga.coordination.instances import Instance
from saga.coordination.participation import Given, Participant, read_participants
from saga.coordination.schedules import new_row
from saga.errands import Errands
from saga.errors import (
    BadSchedule,
    ForkedRuntime,
    NotAllowed,
    NotEncodable,
    RuntimeClosed,
    SagaError,
    UnknownSaga,
    UsageError,
)
from saga.event_log import Delivery, EventClasses, LoggedEvent, event_type_of
from saga.flow.definition import Definition
from saga.flow.saga import Saga
from saga.handle import Handle, refuse_in_actor
from saga.history import HistoryEntry, read_history
from saga.ids import new_id
from saga.line import Line, Reply
from saga.machine import Status, Stimulus
from saga.machine import stimuli as s
from saga.machine.acting import open_task, parked_visit
from saga.messages import Command, Event, key_field
from saga.participants import Context, participant_name
from saga.retention import AwayContexts, Pruned, checked_age, let_go
from saga.schedules import Schedule, read_schedules, run_id, schedule_of
from saga.sending import Sender
from saga.store import (
    Asked,
    Copied,
    OverviewRow,
    OwnerLock,
    ScheduleRow,
    StoreFiles,
    StoreReader,
    clear_requests,
    data_files,
)
from saga.store.inspection import ContextReader
from saga.story import Trace, gather, tell
from saga.tasks import OpenTask, read_tasks

__all__ = ["Runtime", "Start"]

NOT_ALL_HAS_ENDED = 75
"""EX_TEMPFAIL of sysexits.h: what had not ended in time goes on at the next start."""

LAST_MOMENT_S = 0.5
"""Seconds that a program has for what it does after a close that was not in order."""

I = TypeVar("I")  # noqa: E741 - I as in input
R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Start(Generic[I]):
    """One saga to be started by `Runtime.start_many`; the arguments are those of `Runtime.start`."""

    saga: type[Saga[I]]
    input: I
    id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None


class Runtime:
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

    # --- starting ---------------------------------------------------------------------------------

    def start(
        self,
        saga: type[Saga[I]],
        input: I,
        *,
        id: str | None = None,
        tags: Mapping[str, str] | None = None,
        at: datetime | None = None,
        timeout: float = 30.0,
    ) -> Handle:
        """Start a saga; return when that is on disk.

        - `id`: names it for ever; a second start with the same saga and input gives the same handle. None: a new one;
        - `tags`: to find it by, strings to strings;
        - `at`: when its flow begins (aware datetime), None: at once;
        - `timeout`: seconds to wait for room when too many sagas are active.

        Raises SagaConflict (the id is taken), NotEncodable (the input), Overloaded, RuntimeClosed, StoreFailed.
        """
        return self.start_many([Start(saga, input, id, tags or {}, at)], timeout=timeout)[0]

    def start_many(self, starts: Iterable[Start[Any]], *, timeout: float = 30.0) -> list[Handle]:
        """Start many sagas in one commit, all or none; return their handles in the same order. Raises as `start`."""
        self._open_crew()
        request = self._start_request(starts)
        completions = self._line.ask(request, request.reply, timeout)
        return self._line.handles(completions)

    async def start_async(
        self,
        saga: type[Saga[I]],
        input: I,
        *,
        id: str | None = None,
        tags: Mapping[str, str] | None = None,
        at: datetime | None = None,
        timeout: float = 30.0,
    ) -> Handle:
        """`start` for asyncio: does not block the loop."""
        return (await self.start_many_async([Start(saga, input, id, tags or {}, at)], timeout=timeout))[0]

    async def start_many_async(self, starts: Iterable[Start[Any]], *, timeout: float = 30.0) -> list[Handle]:
        """`start_many` for asyncio: does not block the loop."""
        self._open_crew()
        request = self._start_request(starts)
        completions = await self._line.ask_async(request, request.reply, timeout)
        return self._line.handles(completions)

    def handle(self, id: str) -> Handle:
        """Return a handle of a saga that was started before; waiting for one that is not there raises UnknownSaga."""
        crew = self._open_crew()
        return self._line.handle(crew.completions.of(known_id(id)))

    def _start_request(self, starts: Iterable[Start[Any]]) -> q.StartSagas:
        refuse_in_actor("start")
        return q.StartSagas([self._start_of(start) for start in starts], Reply())

    def _start_of(self, start: Start[Any]) -> q.Start:
        definition = self._definitions.of(start.saga)
        data, twin = codec_for(definition.input).roundtrip(start.input)
        saga_id = new_id() if start.id is None else checked_id(start.id)
        return q.Start(definition, saga_id, Raw(data), twin, checked_tags(start.tags), milliseconds(start.at))

    # --- recurring starts -------------------------------------------------------------------------

    def schedule(
        self,
        name: str,
        saga: type[Saga[I]],
        input: I,
        *,
        cron: str,
        time_zone: str = "UTC",
        missed: Missed = "once",
        overlap: Overlap = "allow",
        tags: Mapping[str, str] | None = None,
        replace: bool = False,
        timeout: float = 30.0,
    ) -> Schedule:
        """Start a saga again and again, with the same input; return when that is on disk. See docs/schedules.md.

        - `name`: of the schedule. A run has the id `NAME@2026-11-26T02:00:00Z`, the time it was due, in UTC, and the
          tags `schedule` and `due_at` beside those of `tags`;
        - `saga`: the newest version that is given to the runtime, also when that is another one later;
        - `cron`: five fields, in `time_zone` (a name such as "Europe/Berlin"); needs `saga-actors[cron]`;
        - `missed`: for runs that fell due while nobody was there: "once" starts one for all of them, "all" each (of
          more than 1,000 the latest), "skip" none;
        - `overlap`: when the run before has not ended: "allow" starts the next one as well, "skip" leaves it out.

        Given again, it changes nothing; with other arguments it takes the old one's place if `replace` is set, and
        counts from now. Raises ScheduleConflict when it is not, BadSchedule, NotInstalled (cronsim), NotEncodable (the
        input), RuntimeClosed, StoreFailed.
        """
        self._open_crew()
        refuse_in_actor("schedule")
        definition = self._definitions.of(saga)
        newest = self._definitions.newest(definition.graph.name)
        if newest is not None and newest is not definition:
            what = f"runs are of the newest version in this runtime, which is {newest.graph.version}; schedule that"
            raise BadSchedule("saga", f"{definition.graph.name} version {definition.graph.version}", what)
        recurrence = Recurrence(cron, time_zone)
        cron, time_zone = checked_text("cron", cron), checked_text("time_zone", time_zone)
        data, _ = codec_for(definition.input).roundtrip(input)
        name = checked_id(name, MOST_ID - len(run_id("", 0)), "name")
        row = new_row(definition, name, data, checked_tags(tags or {}), cron, time_zone, missed, overlap)
        reply: Reply[ScheduleRow] = Reply()
        return schedule_of(self._line.ask(q.SetSchedule(row, recurrence, replace, reply), reply, timeout))

    def unschedule(self, name: str, *, timeout: float = 30.0) -> bool:
        """Start no more runs of a schedule; return whether there was one, when that is on disk.

        Runs that have begun go on. Raises RuntimeClosed, StoreFailed.
        """
        refuse_in_actor("unschedule")
        reply: Reply[bool] = Reply()
        return self._line.ask(q.DropSchedule(checked_text("name", name), reply), reply, timeout)

    def schedules(self) -> list[Schedule]:
        """Return all schedules, by name."""
        return self._read(read_schedules)

    # --- events and commands ----------------------------------------------------------------------

    def publish(self, event: Event, *, id: str | None = None, timeout: float = 30.0) -> bool:
        """Put an event into the log; return when it is on disk.

        `id`: a second event of this id is dropped, as long as the first is kept. Returns whether it was new.
        Raises NotEncodable, RuntimeClosed, StoreFailed.
        """
        request = self._publish_request(event, id)
        return self._line.ask(request, request.reply, timeout)

    async def publish_async(self, event: Event, *, id: str | None = None, timeout: float = 30.0) -> bool:
        """`publish` for asyncio: does not block the loop."""
        request = self._publish_request(event, id)
        return await self._line.ask_async(request, request.reply, timeout)

    def _publish_request(self, event: Event, id: str | None) -> q.Publish:
        refuse_in_actor("publish")
        if not issubclass(type(event), Event):
            raise UsageError(f"publish takes an Event, not a {type(event).__name__}")
        codec = codec_for(type(event))
        data, twin = codec.roundtrip(event)
        field_name = key_field(type(event))
        key = None if field_name is None else key_text(getattr(twin, field_name))
        event_id = f"runtime:{new_id() if id is None else checked_id(id)}"
        return q.Publish(event_id, codec.name, key, Raw(data), event_id, Reply(), fresh=id is None)

    def send(self, command: Command[R], *, id: str | None = None, timeout: float = 30.0) -> R:
        """Send a command to the context or gateway that handles it, and return its answer.

        For what needs no saga. It is kept in the file of that context only: sent again with the same `id`, it is
        answered from there and not carried out twice (a gateway has no file: there it may be). A command that a saga
        of a context answers starts that saga, whose id is `send:` and `id`.
        Raises Rejected, CommandFailed (a technical failure; a saga that was cancelled or ran out of time), NoHandler,
        WaitTimeout (it may still be carried out), SagaParked and SagaConflict (of a saga that answers it),
        NotEncodable, RuntimeClosed, StoreFailed.
        """
        return cast(R, self._sender.send(command, id, timeout))

    async def send_async(self, command: Command[R], *, id: str | None = None, timeout: float = 30.0) -> R:
        """`send` for asyncio: does not block the loop."""
        return cast(R, await self._sender.send_async(command, id, timeout))

    # --- operators --------------------------------------------------------------------------------

    def cancel(self, id: str, reason: str = "cancelled by the application", *, timeout: float = 30.0) -> None:
        """Give a saga up: what was done is undone; return when that is decided, and on disk.

        While it is being undone, or over, a cancel changes nothing. Raises UnknownSaga, and NotAllowed when a pivot was
        passed or is under way, or the saga is suspended.
        """
        self._act(id, "cancel", s.Cancel(_reason(reason)), timeout)

    def retry(self, id: str, reason: str = "", *, step: str = "", timeout: float = 30.0) -> None:
        """Try again what is parked. `step`: the element or path, needed when several are.

        Raises UnknownSaga, NotAllowed.
        """
        self._act(
            id,
            "retry",
            s.Retry(_reason(reason) or "retried by an operator", checked_text("step", step)),
            timeout,
        )

    def skip(self, id: str, reason: str, *, step: str = "", timeout: float = 30.0) -> None:
        """Let the saga go on without what is parked; `self.<step>` is not reached then. Raises as `retry`."""
        self._act(id, "skip", s.Skip(_reason(reason), checked_text("step", step)), timeout)

    def mark_done(
        self, id: str, answer: object, reason: str, *, step: str = "", timeout: float = 30.0
    ) -> None:
        """Let the saga go on as if the parked step, or compensation, had been done with this answer.

        Raises as `retry`, and NotEncodable when `answer` is not of the type that the step's command is answered with.
        """

        why, step = _reason(reason), checked_text("step", step)

        def make(instance: Instance) -> Stimulus:
            visit = parked_visit(instance.state, step)
            data = b"null"
            if visit.undoes is None:
                function = instance.author.function(visit.element)
                if function is None or function.kind not in ("step", "call"):
                    raise NotAllowed(id, "mark_done", f"{visit.element} is no step; retry it or skip it")
                try:
                    data = codec_for(function.answer).encode(answer)
                except NotEncodable as error:
                    error.add_note(
                        f"mark_done of {visit.path} in saga {id!r} takes what its command is answered with"
                    )
                    raise
            return s.MarkDone(why, Raw(data), visit.path)

        self._act(id, "mark_done", make, timeout)

    def suspend(self, id: str, reason: str, *, timeout: float = 30.0) -> None:
        """Stop a saga: what comes in is held, no timer fires, until `resume`. Raises as `retry`."""
        self._act(id, "suspend", s.Suspend(_reason(reason)), timeout)

    def resume(self, id: str, reason: str = "", *, timeout: float = 30.0) -> None:
        """Let a suspended saga go on, with what came in meanwhile. Raises as `retry`."""
        self._act(id, "resume", s.Resume(_reason(reason) or "resumed by an operator"), timeout)

    def retry_deliveries(
        self,
        context: type[Context] | str,
        event: type[Event] | str | None = None,
        *,
        timeout: float = 30.0,
    ) -> int:
        """Let a context try events again that its listeners have failed on: all, or those of one type.

        `context` and `event` are classes or their names. Returns how many that are, when it is on disk that they are
        due; they are tried at once, those that were set aside once. Raises UsageError when this runtime has no such
        context, WaitTimeout (the context is busy; it will still be done), RuntimeClosed, StoreFailed.
        """
        refuse_in_actor("retry_deliveries")
        name = self._context_here(context)
        reply: Future[int] = Reply()
        request = RetryDeliveries(None if event is None else event_type_of(event), reply)
        return self._line.ask_context(name, request, reply, timeout)

    def forget_listener(
        self, context: type[Context] | str, event: type[Event] | str | None = None, *, timeout: float = 30.0
    ) -> int:
        """A context that is not here will never listen again (to this type of event): keep the log for it no longer.

        Returns to how many types it did, 0 when nothing is known of it. If it comes back all the same, it goes on
        behind what it took last, with what the log still has. Raises UsageError when it is here, RuntimeClosed,
        StoreFailed.
        """
        refuse_in_actor("forget_listener")
        event_type = None if event is None else event_type_of(event)
        request = q.ForgetListener(_context_name(context), event_type, Reply())
        return self._line.ask(request, request.reply, timeout)

    def _act(
        self, id: str, name: str, stimulus: Stimulus | Callable[[Instance], Stimulus], timeout: float
    ) -> None:
        refuse_in_actor(name)
        request = q.Act(known_id(id), name, stimulus, Reply())
        self._line.ask(request, request.reply, timeout)

    # --- the store --------------------------------------------------------------------------------

    def backup(self, directory: str | os.PathLike[str], *, timeout: float = 60.0) -> Copied:
        """Copy the whole store to `directory`, while sagas run; return when the copy is complete and on disk.

        The copy is of one moment across all files, and a store of its own: `saga verify` passes on it, and it can be
        opened, or copied to another place, as it is (docs/operations.md). Everything that was acknowledged before the
        call is in it. It is written beside, as `DIRECTORY.partial`, and renamed when all of it is there.

        - `directory`: is not there yet, or empty;
        - `timeout`: seconds that a context may go on with what it is handling before its part is copied.

        Raises CopyFailed (the place is taken, the disk is full, a context is busy for longer), and nothing is left
        then; RuntimeClosed, StoreFailed.
        """
        with self._upkeep:
            return back_up(self._line, self._open_crew, self._files, directory, timeout)

    async def backup_async(self, directory: str | os.PathLike[str], *, timeout: float = 60.0) -> Copied:
        """`backup` for asyncio: does not block the loop."""
        return await asyncio.to_thread(self.backup, directory, timeout=timeout)

    def prune(self, older_than: timedelta, *, timeout: float = 60.0) -> Pruned:
        """Let go of what ended longer ago than this and that nobody needs, while sagas run (docs/operations.md).

        These are sagas with their histories and tags, each with all that it has called; what contexts remember of their
        commands; events; what contexts remember of commands of `send`. It is done in small commits, so that a failure
        in between leaves some of it. The id of a saga (or `send`) that is gone can begin anew.

        `timeout`: seconds that a context may go on with what it is handling, each time. Returns what was let go of.
        Raises UsageError (also when a context is down), WaitTimeout, RuntimeClosed, StoreFailed, or another StoreError.
        """
        refuse_in_actor("prune")
        before_ms = self._clock.now_ms() - checked_age(older_than)
        self._open_crew()
        with self._upkeep, _Hands(self, timeout) as hands:
            return let_go(hands, before_ms)

    async def prune_async(self, older_than: timedelta, *, timeout: float = 60.0) -> Pruned:
        """`prune` for asyncio: does not block the loop."""
        return await asyncio.to_thread(self.prune, older_than, timeout=timeout)

    # --- tasks ------------------------------------------------------------------------------------

    def tasks(
        self,
        *,
        saga: type[Saga[Any]] | str | None = None,
        task: str | None = None,
        assignee: str | None = None,
        limit: int = 100,
    ) -> list[OpenTask]:
        """Return what persons are to decide, at most `limit` tasks, those of the sagas started first before others.

        - `saga`: the class or its name; `task`: the name of the element;
        - `assignee`: tasks of this person, "" for those of nobody in particular, None for all.
        """
        name = self._definitions.of(saga).graph.name if isinstance(saga, type) else saga
        return self._read(
            lambda reader: read_tasks(reader, saga=name, task=task, assignee=assignee, limit=limit)
        )

    def complete_task(
        self, id: str, answer: object = None, *, task: str = "", by: str = "", timeout: float = 30.0
    ) -> None:
        """Decide a task of the saga `id`; return when that is on disk.

        - `answer`: the decision, of the type that the task says;
        - `task`: its element or path, needed when several are open in the saga; `by`: who has decided.

        Raises UnknownSaga, NotAllowed when there is no such task (any more), NotEncodable when `answer` does not fit.
        """

        by, task = checked_text("by", by), checked_text("task", task)

        def make(instance: Instance) -> Stimulus:
            visit = open_task(instance.state, task)
            function = instance.author.function(visit.element)
            if function is None or function.kind != "task":
                what = "its class is not known to this runtime; add it to Runtime(sagas=[...])"
                raise NotAllowed(id, "complete_task", what)
            try:
                data = codec_for(function.answer).encode(answer)
            except NotEncodable as error:
                error.add_note(f"complete_task of {visit.path} in saga {id!r} takes what its task asks for")
                raise
            instance.author.forget(visit.element)
            return s.Decide(Raw(data), by, visit.path)

        self._act(id, "complete_task", make, timeout)

    def assign_task(
        self, id: str, assignee: str, *, task: str = "", by: str = "", timeout: float = 30.0
    ) -> None:
        """Say who is to decide a task, "": anybody. Raises as `complete_task`."""
        stimulus = s.Assign(
            checked_text("assignee", assignee), checked_text("by", by), checked_text("task", task)
        )
        self._act(id, "assign_task", stimulus, timeout)

    # --- looking ----------------------------------------------------------------------------------

    def history(self, id: str) -> list[HistoryEntry]:
        """Return everything that happened to a saga, in order. Raises UnknownSaga."""

        def read(reader: StoreReader) -> list[HistoryEntry]:
            row = reader.saga(known_id(id))
            if row is None:
                raise UnknownSaga(id)
            return [*read_history(reader.journal(row.no))]

        return self._read(read)

    def find(self, id: str) -> OverviewRow:
        """Return where a saga stands: its status, times, refusal and tags. Raises UnknownSaga.

        Like `history` and `list` it reads the file for a moment; from asyncio, use `asyncio.to_thread`.
        """

        def read(reader: StoreReader) -> OverviewRow:
            for row in reader.overview(id=known_id(id), limit=1):
                return row
            raise UnknownSaga(id)

        return self._read(read)

    def list(
        self,
        *,
        saga: type[Saga[Any]] | str | None = None,
        status: Status | str | Sequence[Status | str] | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int = 100,
        after: int | None = None,
    ) -> list[OverviewRow]:
        """Return sagas, the newest first, at most `limit`.

        - `saga`: the class or its name; `status`: one or several; `tags`: all of these must be there;
        - `after`: the `no` of the last row of the page before.
        """
        name = self._definitions.of(saga).graph.name if isinstance(saga, type) else saga
        statuses = None if status is None else checked_statuses(status)
        return self._read(
            lambda reader: reader.overview(saga=name, status=statuses, tags=tags, limit=limit, after=after)
        )

    def events(
        self,
        *,
        type: type[Event] | str | None = None,
        key: object = None,
        correlation: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> builtins.list[LoggedEvent]:
        """Return events of the log, the oldest first, at most `limit`.

        - `type`: of this class, or stored name (`GoodsFetched/1`); `key`: with this key, as the event has it;
        - `correlation`: of the story of this root saga, `send` or `publish`;
        - `after`: the `no` of the last row of the page before.

        Events that nobody needs any more are let go of after a while. Raises UsageError for arguments that make no
        sense.
        """
        name = None if type is None else event_type_of(type)
        wanted = None if type is None or isinstance(type, str) else type
        text = None if key is None else _key(key)
        if correlation is not None and not isinstance(correlation, str):
            raise UsageError(f"correlation={correlation!r:.80}: give an id, as a string")
        after, limit = checked_count("after", after, 0), checked_count("limit", limit, 1)
        rows = self._read(
            lambda reader: reader.events(
                type=name, key=text, correlation=correlation, after=after, limit=limit
            )
        )
        return [self._event_classes.logged(row, wanted) for row in rows]

    def deliveries(
        self,
        context: type[Context] | str | None = None,
        *,
        set_aside: bool | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> builtins.list[Delivery]:
        """Return the events that listeners have failed on, the oldest event first.

        - `context`: of this one only; `set_aside`: those that are set aside (True), or will be tried again (False);
        - `after`: the `event_no` of the last row of the page before; `limit`: how many, at most, and then those of
          the last event that are left, so that no page ends within an event.

        Raises UsageError for arguments that make no sense, or a context that this store does not have.
        """
        after, limit = checked_count("after", after, 0), checked_count("limit", limit, 1)
        only = None if context is None else _context_name(context)
        found = self._read_contexts(
            lambda reader: reader.retries(set_aside=set_aside, after=after, limit=limit), only
        )
        rows = sorted(
            ((row, name) for name, rows in found.items() for row in rows),
            key=lambda each: (each[0].event_no, each[1]),
        )
        last = rows[limit - 1][0].event_no if len(rows) >= limit else None
        return [
            self._event_classes.delivery(name, row)
            for row, name in rows
            if last is None or row.event_no <= last
        ]

    def trace(self, id: str) -> Trace:
        """Return the whole story that `id` belongs to: who commanded, who answered, who published, who listened.

        `id`: of a saga (a child saga, too), an event, a command, a `send` or a `publish`. What was let go of (old
        events, old answers of contexts) is not in it. Raises UnknownId when nothing has this id (any more).
        """
        return tell(gather(checked_id(id), _Sources(self)))

    def _read_contexts(self, read: Callable[[ContextReader], T], only: str | None = None) -> dict[str, T]:
        """Return context → what `read` finds in its file; those that are not here included."""
        self._open_crew()
        if self._files.in_memory:
            names = [each.name for each in self._participants if each.kind == "context"]
        else:
            with StoreReader.open(self._files.directory) as reader:
                names = reader.contexts()
        if only is not None and only not in names:
            raise UsageError(f"this store has no context {only!r}; there are {', '.join(names) or 'none'}")
        found: dict[str, T] = {}
        for name in names if only is None else [only]:
            if self._files.in_memory:
                reply: Future[T] = Reply()
                request = Consult(partial(_over, read, name), reply)
                found[name] = self._line.ask_context(name, request, reply, 30.0)
            else:
                with ContextReader.open(self._files, name) as context:
                    found[name] = read(context)
        return found

    def _context_here(self, context: type[Context] | str) -> str:
        """Return the name of a context of this runtime. Raises UsageError when it has no such one."""
        name = _context_name(context)
        names = [each.name for each in self._participants if each.kind == "context"]
        if name not in names:
            raise UsageError(f"this runtime has no context {name!r}; it has {', '.join(names) or 'none'}")
        return name

    def _read(self, read: Callable[[StoreReader], T]) -> T:
        self._open_crew()
        if self._files.in_memory:
            reply: Future[T] = Reply()
            request = q.Query(lambda connection: read(StoreReader.over(connection)), reply)
            return self._line.ask(request, reply, 30.0)
        with StoreReader.open(self._files.directory) as reader:
            return read(reader)

    # --- detail -----------------------------------------------------------------------------------

    def _carry_out(self, asked: Asked) -> Copied | Pruned:
        """Do what somebody outside has asked for."""
        if asked.directory is not None:
            return self.backup(asked.directory)
        if asked.older_than_ms is not None:
            return self.prune(timedelta(milliseconds=asked.older_than_ms))
        raise UsageError("what is asked for is nothing that this version of the program does")

    def _open_crew(self) -> Crew:
        crew = self._crew
        if crew is None:
            raise RuntimeClosed("the runtime is not open")
        if os.getpid() != self._pid:
            raise ForkedRuntime(self._pid, os.getpid())
        if crew.failure is not None:
            raise crew.failure
        if crew.closed:
            raise RuntimeClosed()
        return crew


def _reason(reason: str) -> str:
    return checked_text("reason", reason)


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


class _Hands:
    """What lets go of sagas, events and answers in the files of a runtime; see `retention.Hands`."""

    def __init__(self, runtime: Runtime, timeout: float) -> None:
        self._line, self._timeout, self.read = runtime._line, timeout, runtime._read
        self._here = [each.name for each in runtime._participants if each.kind == "context"]
        self._files, self._away = runtime._files, AwayContexts(runtime._files, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._away.__exit__(*error)

    def contexts(self) -> Sequence[str]:
        return self._here if self._files.in_memory else [n for n in data_files(self._files) if n != "saga"]

    def let_go(self, sagas: builtins.list[tuple[int, str]] | None, before_ms: int) -> int:
        reply: Future[int] = Reply()
        return self._line.ask(q.LetGo(sagas, before_ms, reply), reply, self._timeout)

    def forget(
        self, context: str, saga_ids: builtins.list[str], before_ms: int, after: str
    ) -> tuple[int, str | None]:
        if context not in self._here:
            return self._away.forget(context, saga_ids, before_ms, after)
        reply: Future[tuple[int, str | None]] = Reply()
        return self._line.ask_context(
            context, Forget(saga_ids, before_ms, after, reply), reply, self._timeout
        )


class _Sources:
    """What a story is gathered from, read as this runtime reads."""

    def __init__(self, runtime: Runtime) -> None:
        self.of_sagas, self.of_contexts = runtime._read, runtime._read_contexts


def _over(read: Callable[[ContextReader], T], name: str, connection: Any) -> T:
    return read(ContextReader.over(connection, name))


def _context_name(context: type[Context] | str) -> str:
    if isinstance(context, str):
        return str.__str__(context)
    if isinstance(context, type) and issubclass(context, Context):
        return participant_name(context)
    raise UsageError(f"{context!r:.80} is no context: give its class, or its name")


def _key(key: object) -> str:
    try:
        return key_text(key)
    except SagaError as error:
        raise UsageError(f"key={key!r:.80} cannot be the key of an event: {error}") from error
