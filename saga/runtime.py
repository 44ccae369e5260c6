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
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, Self, TypeVar, cast

from msgspec import Raw

from saga.actors.crew import Crew, Settings
from saga.clock import Clock, SystemClock
from saga.codec import codec_for
from saga.coordination import requests as q
from saga.coordination.cron import Missed, Overlap, Recurrence
from saga.coordination.definitions import Definitions
from saga.coordination.envelopes import Direct, RetryDeliveries
from saga.coordination.evaluation import key_text
from saga.coordination.instances import Instance
from saga.coordination.outcome import Completion, Outcome
from saga.coordination.participation import Given, read_participants
from saga.coordination.schedules import new_row
from saga.errors import (
    BadSchedule,
    CommandFailed,
    ForkedRuntime,
    NoHandler,
    NotAllowed,
    NotEncodable,
    Overloaded,
    RuntimeClosed,
    UnknownSaga,
    WaitTimeout,
)
from saga.flow.saga import Saga
from saga.handle import Handle, refuse_in_actor
from saga.history import HistoryEntry, read_history
from saga.machine import Status, Stimulus
from saga.machine import stimuli as s
from saga.machine.acting import open_task, parked_visit
from saga.messages import RESERVED_CODES, Command, Event, Rejected, key_field, type_name
from saga.participants import Context
from saga.schedules import Schedule, read_schedules, run_id, schedule_of
from saga.store import OverviewRow, OwnerLock, ScheduleRow, StoreFiles, StoreReader
from saga.tasks import OpenTask, read_tasks

__all__ = ["Runtime", "Start"]

I = TypeVar("I")  # noqa: E741 - I as in input
R = TypeVar("R")
T = TypeVar("T")

GRACE_S = 1.0
"""Seconds that a request which has begun is waited for beyond its timeout: mostly its commit is under way."""

MOST_ID = 500
"""Characters of an id, at most; ids are repeated in every message of a saga."""


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
        self._routes = {command: each.name for each in self._participants for command in each.commands}
        self._answering = {
            command: definition.saga for command, definition in self._definitions.answering.items()
        }
        self._files = StoreFiles.at(store)
        self._clock: Clock = clock or SystemClock()
        self._settings = Settings(
            cache=cache, max_active=max_active, hang_limit_s=hang_limit.total_seconds(), on_hang=on_hang
        )
        self._close_timeout = close_timeout
        self._pid = os.getpid()
        self._lock: OwnerLock | None = None
        self._crew: Crew | None = None
        self._outstanding: set[Future[Any]] = set()
        self._guard = threading.Lock()

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
            crew = Crew(
                self._files, self._lock, self._definitions, self._participants, self._clock, self._settings
            )
            try:
                crew.open()
            except BaseException:
                self._release()
                raise
            crew.on_failure = self._fail_outstanding
            self._crew = crew
        return self

    def close(self, timeout: float | None = None) -> bool:
        """End what is running, waiting at most `timeout` seconds for it, and give the store back.

        What was not finished goes on when the store is opened again. Closing twice does no harm. Returns whether
        everything ended in order; handles that are waited for raise RuntimeClosed.
        """
        crew, pid = self._crew, os.getpid()
        if crew is None or pid != self._pid:
            return True
        with self._guard:
            if crew.closed:
                return True
            in_order = crew.close(self._close_timeout if timeout is None else timeout)
            error = crew.failure or RuntimeClosed()
            crew.completions.fail_all(error)
            self._fail_outstanding(error)
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

    def run_forever(self) -> None:
        """Wait until SIGTERM or SIGINT, then return (from the main thread only); close afterwards, or leave the `with`.

        A second signal ends the process at once. Raises StoreFailed when the runtime ends by itself.
        """
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
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

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
        crew = self._open_crew()
        request = self._start_request(starts)
        completions = self._wait(crew, request, request.reply, timeout)
        return self._handles(completions)

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
        crew = self._open_crew()
        request = self._start_request(starts)
        completions = await self._wait_async(crew, request, request.reply, timeout)
        return self._handles(completions)

    def _handles(self, completions: Iterable[Completion]) -> list[Handle]:
        look, check = self._look, self._open_crew
        return [Handle(completion, look, check) for completion in completions]

    def handle(self, id: str) -> Handle:
        """Return a handle of a saga that was started before; waiting for one that is not there raises UnknownSaga."""
        crew = self._open_crew()
        return Handle(crew.completions.of(id), self._look, self._open_crew)

    def _start_request(self, starts: Iterable[Start[Any]]) -> q.StartSagas:
        refuse_in_actor("start")
        return q.StartSagas([self._start_of(start) for start in starts], _Reply())

    def _start_of(self, start: Start[Any]) -> q.Start:
        definition = self._definitions.of(start.saga)
        data, twin = codec_for(definition.input).roundtrip(start.input)
        saga_id = uuid.uuid4().hex if start.id is None else _checked_id(start.id)
        return q.Start(definition, saga_id, Raw(data), twin, _checked_tags(start.tags), _at_ms(start.at))

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
        refuse_in_actor("schedule")
        crew = self._open_crew()
        definition = self._definitions.of(saga)
        newest = self._definitions.newest(definition.graph.name)
        if newest is not None and newest is not definition:
            what = f"runs are of the newest version in this runtime, which is {newest.graph.version}; schedule that"
            raise BadSchedule("saga", f"{definition.graph.name} version {definition.graph.version}", what)
        recurrence = Recurrence(cron, time_zone)
        data, _ = codec_for(definition.input).roundtrip(input)
        _checked_id(name, MOST_ID - len(run_id("", 0)), "name")
        row = new_row(definition, name, data, _checked_tags(tags or {}), cron, time_zone, missed, overlap)
        reply: Future[ScheduleRow] = _Reply()
        return schedule_of(self._wait(crew, q.SetSchedule(row, recurrence, replace, reply), reply, timeout))

    def unschedule(self, name: str, *, timeout: float = 30.0) -> bool:
        """Start no more runs of a schedule; return whether there was one, when that is on disk.

        Runs that have begun go on. Raises RuntimeClosed, StoreFailed.
        """
        refuse_in_actor("unschedule")
        reply: Future[bool] = _Reply()
        return self._wait(self._open_crew(), q.DropSchedule(name, reply), reply, timeout)

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
        return self._wait(self._open_crew(), request, request.reply, timeout)

    async def publish_async(self, event: Event, *, id: str | None = None, timeout: float = 30.0) -> bool:
        """`publish` for asyncio: does not block the loop."""
        request = self._publish_request(event, id)
        return await self._wait_async(self._open_crew(), request, request.reply, timeout)

    def _publish_request(self, event: Event, id: str | None) -> q.Publish:
        refuse_in_actor("publish")
        codec = codec_for(type(event))
        data, twin = codec.roundtrip(event)
        field_name = key_field(type(event))
        key = None if field_name is None else key_text(getattr(twin, field_name))
        event_id = f"runtime:{uuid.uuid4().hex if id is None else _checked_id(id)}"
        return q.Publish(event_id, codec.name, key, Raw(data), event_id, _Reply())

    def send(self, command: Command[R], *, id: str | None = None, timeout: float = 30.0) -> R:
        """Send a command to the context or gateway that handles it, and return its answer.

        For what needs no saga. It is kept in the file of that context only: sent again with the same `id`, it is
        answered from there and not carried out twice (a gateway has no file: there it may be). A command that a saga
        of a context answers starts that saga, whose id is `send:` and `id`.
        Raises Rejected, CommandFailed (a technical failure), NoHandler, WaitTimeout (it may still be carried out),
        NotEncodable, RuntimeClosed, StoreFailed.
        """
        if type(command) in self._answering:
            started = self._start_of_command(command, id)
            handle = self.start_many([started], timeout=timeout)[0]
            return cast(R, _answer_of(handle.wait(timeout), handle.id))
        command_id, reply = self._send(command, id)
        try:
            answer: R = reply.result(timeout)
        except TimeoutError:
            self._outstanding.discard(reply)
            raise WaitTimeout(f"command {command_id!r}", timeout) from None
        return answer

    async def send_async(self, command: Command[R], *, id: str | None = None, timeout: float = 30.0) -> R:
        """`send` for asyncio: does not block the loop."""
        if type(command) in self._answering:
            started = self._start_of_command(command, id)
            handle = (await self.start_many_async([started], timeout=timeout))[0]
            try:
                return cast(R, _answer_of(await asyncio.wait_for(_outcome_of(handle), timeout), handle.id))
            except TimeoutError:
                raise WaitTimeout(f"command {handle.id!r}", timeout) from None
        command_id, reply = self._send(command, id)
        try:
            answer: R = await asyncio.wait_for(asyncio.wrap_future(reply), timeout)
        except TimeoutError:
            self._outstanding.discard(reply)
            raise WaitTimeout(f"command {command_id!r}", timeout) from None
        return answer

    def _start_of_command(self, command: Command[Any], id: str | None) -> Start[Any]:
        """Return the start of the saga that answers a command; its id is the command's, so that it is started once."""
        refuse_in_actor("send")
        command_id = uuid.uuid4().hex if id is None else _checked_id(id)
        return Start(self._answering[type(command)], command, f"send:{command_id}")

    def _send(self, command: Command[Any], id: str | None) -> tuple[str, Future[Any]]:
        refuse_in_actor("send")
        crew = self._open_crew()
        participant = self._routes.get(type(command))
        if participant is None:
            raise NoHandler(type_name(type(command)))
        codec = codec_for(type(command))
        data, twin = codec.roundtrip(command)
        command_id = uuid.uuid4().hex if id is None else _checked_id(id)
        reply: Future[Any] = _Reply()
        self._outstanding.add(reply)

        def answer(outcome: str, value: object, reason: str, code: str) -> None:
            self._outstanding.discard(reply)
            if outcome == "done":
                reply.set_result(value)
            elif outcome == "refused":
                reply.set_exception(Rejected(reason, code=code))
            else:
                reply.set_exception(CommandFailed(command_id, reason))

        crew.mailboxes[participant].post(Direct(f"send:{command_id}", codec.name, Raw(data), twin, answer))
        if crew.closed or crew.failure is not None:  # it may have closed while we posted
            self._open_crew()
        if participant in crew.down:
            crew.refuse_direct(participant)
        return command_id, reply

    # --- operators --------------------------------------------------------------------------------

    def cancel(self, id: str, reason: str = "cancelled by the application", *, timeout: float = 30.0) -> None:
        """Give a saga up: what was done is undone; return when that is decided, and on disk.

        While it is being undone, or over, a cancel changes nothing. Raises UnknownSaga, and NotAllowed when a pivot was
        passed or is under way, or the saga is suspended.
        """
        self._act(id, "cancel", s.Cancel(reason), timeout)

    def retry(self, id: str, reason: str = "", *, step: str = "", timeout: float = 30.0) -> None:
        """Try again what is parked. `step`: the element or path, needed when several are.

        Raises UnknownSaga, NotAllowed.
        """
        self._act(id, "retry", s.Retry(reason or "retried by an operator", step), timeout)

    def skip(self, id: str, reason: str, *, step: str = "", timeout: float = 30.0) -> None:
        """Let the saga go on without what is parked; `self.<step>` is not reached then. Raises as `retry`."""
        self._act(id, "skip", s.Skip(reason, step), timeout)

    def mark_done(
        self, id: str, answer: object, reason: str, *, step: str = "", timeout: float = 30.0
    ) -> None:
        """Let the saga go on as if the parked step, or compensation, had been done with this answer.

        Raises as `retry`, and NotEncodable when `answer` is not of the type that the step's command is answered with.
        """

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
            return s.MarkDone(reason, Raw(data), visit.path)

        self._act(id, "mark_done", make, timeout)

    def suspend(self, id: str, reason: str, *, timeout: float = 30.0) -> None:
        """Stop a saga: what comes in is held, no timer fires, until `resume`. Raises as `retry`."""
        self._act(id, "suspend", s.Suspend(reason), timeout)

    def resume(self, id: str, reason: str = "", *, timeout: float = 30.0) -> None:
        """Let a suspended saga go on, with what came in meanwhile. Raises as `retry`."""
        self._act(id, "resume", s.Resume(reason or "resumed by an operator"), timeout)

    def retry_deliveries(self, context: type[Context], event: type[Event] | None = None) -> None:
        """Let a context try events again that its listeners have failed on: all, or those of one type."""
        crew = self._open_crew()
        name = next((each.name for each in self._participants if each.cls is context), None)
        if name is None:
            raise NoHandler(context.__name__)
        crew.mailboxes[name].post(RetryDeliveries(None if event is None else type_name(event)))

    def _act(
        self, id: str, name: str, stimulus: Stimulus | Callable[[Instance], Stimulus], timeout: float
    ) -> None:
        refuse_in_actor(name)
        request = q.Act(id, name, stimulus, _Reply())
        self._wait(self._open_crew(), request, request.reply, timeout)

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
        self._act(id, "assign_task", s.Assign(assignee, by, task), timeout)

    # --- looking ----------------------------------------------------------------------------------

    def history(self, id: str) -> list[HistoryEntry]:
        """Return everything that happened to a saga, in order. Raises UnknownSaga."""

        def read(reader: StoreReader) -> list[HistoryEntry]:
            row = reader.saga(id)
            if row is None:
                raise UnknownSaga(id)
            return [*read_history(reader.journal(row.no))]

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
        statuses = None if status is None else _statuses(status)
        return self._read(
            lambda reader: reader.overview(saga=name, status=statuses, tags=tags, limit=limit, after=after)
        )

    def _read(self, read: Callable[[StoreReader], T]) -> T:
        crew = self._open_crew()
        if self._files.in_memory:
            reply: Future[T] = _Reply()
            request = q.Query(lambda connection: read(StoreReader.over(connection)), reply)
            return self._wait(crew, request, reply, 30.0)
        with StoreReader.open(self._files.directory) as reader:
            return read(reader)

    # --- detail -----------------------------------------------------------------------------------

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

    def _look(self, completion: Completion) -> None:
        self._open_crew().post(q.Look(completion))

    def _post(self, crew: Crew, request: object, reply: Future[Any]) -> None:
        self._outstanding.add(reply)
        reply.add_done_callback(self._outstanding.discard)
        crew.post(request)
        if crew.closed or crew.failure is not None:  # it may have closed while we posted
            self._open_crew()

    def _wait(self, crew: Crew, request: object, reply: Future[T], timeout: float) -> T:
        """Have the coordinator carry out `request`; return its reply."""
        self._post(crew, request, reply)
        try:
            return reply.result(timeout)
        except TimeoutError:
            self._withdraw(crew, request, timeout)
        try:
            return reply.result(GRACE_S)
        except TimeoutError:
            raise _begun(request, timeout) from None

    async def _wait_async(self, crew: Crew, request: object, reply: Future[T], timeout: float) -> T:
        self._post(crew, request, reply)
        waiting = asyncio.wrap_future(reply)
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), timeout)
        except TimeoutError:
            self._withdraw(crew, request, timeout)
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), GRACE_S)
        except TimeoutError:
            raise _begun(request, timeout) from None

    def _withdraw(self, crew: Crew, request: object, timeout: float) -> None:
        """The time is up: take a start back that has not begun, so that nothing is stored when Overloaded is raised."""
        if isinstance(request, q.StartSagas) and request.claim():
            raise Overloaded(crew.active, self._settings.max_active, timeout)

    def _fail_outstanding(self, error: BaseException) -> None:
        for reply in list(self._outstanding):
            reply.set_exception(error)
        self._outstanding.clear()


class _Reply(Future[T]):
    """A reply of which the first counts: the one that was asked for, or that the runtime has ended."""

    def set_result(self, result: T) -> None:
        with suppress(InvalidStateError):
            super().set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        with suppress(InvalidStateError):
            super().set_exception(exception)


async def _outcome_of(handle: Handle) -> Outcome:
    return await handle


def _answer_of(outcome: Outcome, command_id: str) -> Any:
    """Return the answer of a saga that has answered a command; raise Rejected or CommandFailed when it was undone."""
    refusal = outcome.refusal
    if refusal is None:
        return outcome.answer
    if refusal.code in RESERVED_CODES:
        raise CommandFailed(command_id, f"{refusal.reason} [{refusal.code}]")
    raise Rejected(refusal.reason, code=refusal.code)


def _begun(request: object, timeout: float) -> WaitTimeout:
    """Return the error for what has begun and is not on disk yet, since the disk is full or slow."""
    what = "the start" if isinstance(request, q.StartSagas) else f"the {type(request).__name__.lower()}"
    return WaitTimeout(
        f"{what} (it has begun, and may still come to be stored; ask again with the same id)", timeout
    )


def _checked_id(id: str, most: int = MOST_ID, what: str = "id") -> str:
    if not isinstance(id, str) or not id or len(id) > most or not id.isprintable():
        raise NotEncodable(what, "", f"{id!r:.80} is no {what}: write 1 to {most} printable characters")
    return id


def _checked_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    for key, value in tags.items():
        for text in (key, value):
            if not isinstance(text, str) or not text.isprintable() or len(text) > MOST_ID:
                raise NotEncodable(
                    "tags", str(key), f"{text!r:.80} is no text of at most {MOST_ID} printable characters"
                )
    return dict(tags)


def _at_ms(at: datetime | None) -> int:
    if at is None:
        return 0
    if at.tzinfo is None:
        raise NotEncodable("at", "", f"{at!r} has no time zone; write it with tzinfo=UTC")
    return -(-(at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))


def _statuses(status: Status | str | Sequence[Status | str]) -> Sequence[str]:
    given = [status] if isinstance(status, str) else status
    try:
        return [Status(each).value for each in given]
    except ValueError as error:
        known = ", ".join(each.value for each in Status)
        raise NotEncodable("status", "", f"{error}; write one of {known}") from None
