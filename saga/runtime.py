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
import secrets
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Generic, Literal, Self, TypeVar

from msgspec import Raw

from saga.actors.crew import Crew, Settings
from saga.clock import Clock, SystemClock
from saga.codec import codec_for
from saga.coordination import requests as q
from saga.coordination.definitions import Definitions
from saga.coordination.envelopes import Consult, Direct, RetryDeliveries
from saga.coordination.evaluation import key_text
from saga.coordination.instances import Instance
from saga.coordination.outcome import Completion
from saga.coordination.participation import Given, Participant, read_participants
from saga.errors import (
    CommandFailed,
    ForkedRuntime,
    NoHandler,
    NotAllowed,
    NotEncodable,
    Overloaded,
    RuntimeClosed,
    SagaError,
    UnknownSaga,
    UsageError,
    WaitTimeout,
)
from saga.event_log import Delivery, EventClasses, LoggedEvent, checked_count, event_type_of
from saga.flow.definition import Definition
from saga.flow.saga import Saga
from saga.handle import Handle, refuse_in_actor
from saga.history import HistoryEntry, read_history
from saga.machine import Status, Stimulus
from saga.machine import stimuli as s
from saga.machine.acting import parked_visit
from saga.messages import Command, Event, Rejected, key_field, type_name
from saga.participants import Context, participant_name
from saga.store import OverviewRow, OwnerLock, StoreFiles, StoreReader
from saga.store.inspection import ContextReader
from saga.story import Trace, gather, tell

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
        return [Handle(completion, self._look, self._open_crew) for completion in completions]

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
        return [Handle(completion, self._look, self._open_crew) for completion in completions]

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
        event_id = f"runtime:{_event_id() if id is None else _checked_id(id)}"
        return q.Publish(event_id, codec.name, key, Raw(data), event_id, _Reply(), fresh=id is None)

    def send(self, command: Command[R], *, id: str | None = None, timeout: float = 30.0) -> R:
        """Send a command to the context or gateway that handles it, and return its answer.

        For what needs no saga. It is kept in the file of that context only: sent again with the same `id`, it is
        answered from there and not carried out twice (a gateway has no file: there it may be).
        Raises Rejected, CommandFailed (a technical failure), NoHandler, WaitTimeout (it may still be carried out),
        NotEncodable, RuntimeClosed, StoreFailed.
        """
        command_id, reply = self._send(command, id)
        try:
            answer: R = reply.result(timeout)
        except TimeoutError:
            self._outstanding.discard(reply)
            raise WaitTimeout(f"command {command_id!r}", timeout) from None
        return answer

    async def send_async(self, command: Command[R], *, id: str | None = None, timeout: float = 30.0) -> R:
        """`send` for asyncio: does not block the loop."""
        command_id, reply = self._send(command, id)
        try:
            answer: R = await asyncio.wait_for(asyncio.wrap_future(reply), timeout)
        except TimeoutError:
            self._outstanding.discard(reply)
            raise WaitTimeout(f"command {command_id!r}", timeout) from None
        return answer

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
                if function is None or function.kind != "step":
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
        crew = self._open_crew()
        name = self._context_here(context)
        reply: Future[int] = _Reply()
        request = RetryDeliveries(None if event is None else event_type_of(event), reply)
        return self._ask_context(crew, name, request, reply, timeout)

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
        request = q.ForgetListener(_context_name(context), event_type, _Reply())
        return self._wait(self._open_crew(), request, request.reply, timeout)

    def _act(
        self, id: str, name: str, stimulus: Stimulus | Callable[[Instance], Stimulus], timeout: float
    ) -> None:
        refuse_in_actor(name)
        request = q.Act(id, name, stimulus, _Reply())
        self._wait(self._open_crew(), request, request.reply, timeout)

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
        return tell(gather(_checked_id(id), _Sources(self)))

    def _read_contexts(self, read: Callable[[ContextReader], T], only: str | None = None) -> dict[str, T]:
        """Return context → what `read` finds in its file; those that are not here included."""
        crew = self._open_crew()
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
                reply: Future[T] = _Reply()
                request = Consult(partial(_over, read, name), reply)
                found[name] = self._ask_context(crew, name, request, reply, 30.0)
            else:
                with ContextReader.open(self._files, name) as context:
                    found[name] = read(context)
        return found

    def _ask_context(self, crew: Crew, name: str, request: object, reply: Future[T], timeout: float) -> T:
        """Have a context carry out `request`; return its reply."""
        refuse_in_actor(type(request).__name__.lower())
        self._outstanding.add(reply)
        reply.add_done_callback(self._outstanding.discard)
        crew.mailboxes[name].post(request)
        if crew.closed or crew.failure is not None:  # it may have closed while we posted
            self._open_crew()
        if name in crew.down:
            crew.refuse_direct(name)
        try:
            return reply.result(timeout)
        except TimeoutError:
            raise WaitTimeout(f"{type(request).__name__.lower()} at {name}", timeout) from None

    def _context_here(self, context: type[Context] | str) -> str:
        """Return the name of a context of this runtime. Raises UsageError when it has no such one."""
        name = _context_name(context)
        names = [each.name for each in self._participants if each.kind == "context"]
        if name not in names:
            raise UsageError(f"this runtime has no context {name!r}; it has {', '.join(names) or 'none'}")
        return name

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


def _event_classes(participants: Iterable[Participant], definitions: Iterable[Definition]) -> set[type[Any]]:
    """Return the event classes that are listened to, waited for, or start sagas."""
    found: set[type[Any]] = {event for each in participants for event in each.events}
    for definition in definitions:
        messages = (function.message for function in definition.functions.values())
        found.update(each for each in messages if each is not None and issubclass(each, Event))
        if definition.started_by_event:
            found.add(definition.input)
    return found


class _Sources:
    """What a story is gathered from, read as this runtime reads."""

    def __init__(self, runtime: Runtime) -> None:
        self.of_sagas, self.of_contexts = runtime._read, runtime._read_contexts


def _over(read: Callable[[ContextReader], T], name: str, connection: Any) -> T:
    return read(ContextReader.over(connection, name))


def _context_name(context: type[Context] | str) -> str:
    if isinstance(context, str):
        return context
    if isinstance(context, type) and issubclass(context, Context):
        return participant_name(context)
    raise UsageError(f"{context!r:.80} is no context: give its class, or its name")


def _key(key: object) -> str:
    try:
        return key_text(key)
    except SagaError as error:
        raise UsageError(f"key={key!r:.80} cannot be the key of an event: {error}") from error


class _Reply(Future[T]):
    """A reply of which the first counts: the one that was asked for, or that the runtime has ended."""

    def set_result(self, result: T) -> None:
        with suppress(InvalidStateError):
            super().set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        with suppress(InvalidStateError):
            super().set_exception(exception)


def _event_id() -> str:
    """Return a new id. They begin with the time, so that those of one hour stand together in the index of the log:
    with random ones each event would write to a page of its own."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def _begun(request: object, timeout: float) -> WaitTimeout:
    """Return the error for what has begun and is not on disk yet, since the disk is full or slow."""
    what = "the start" if isinstance(request, q.StartSagas) else f"the {type(request).__name__.lower()}"
    return WaitTimeout(
        f"{what} (it has begun, and may still come to be stored; ask again with the same id)", timeout
    )


def _checked_id(id: str) -> str:
    if not isinstance(id, str) or not id or len(id) > MOST_ID or not id.isprintable():
        raise NotEncodable("id", "", f"{id!r:.80} is no id: write 1 to {MOST_ID} printable characters")
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
