"""What a context does with what arrives: one transaction for the effects, the answers, the events and the inbox.

Rules
1. A command's writes, its stored answer and its events are one transaction with its inbox row. The answer leaves
   after the commit. A command that is repeated gets the stored answer; its handler is not run again.
2. `raise Rejected` takes the handler's writes back, `return Rejected` keeps them. Anything else that is raised,
   `SystemExit` included, is a failed attempt: its writes are taken back, and nothing else is touched.
3. An inquiry finds the stored answer, or leaves a tombstone, after which the command never runs.
4. Many commands share a commit, each in a savepoint. A batch that is lost is run again, one by one.
5. An event is taken in the transaction that moves the listener's position behind it. When the listener fails the
   event is kept here, with its payload: it is tried again later, then set aside, and holds up no other event. One that
   ends the process is set aside untried.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from msgspec import Raw

from saga.codec import codec_for
from saga.coordination.envelopes import (
    UNSET,
    Answer,
    Answers,
    Consult,
    Deliver,
    Direct,
    Forget,
    Inquire,
    Mark,
    Notify,
    OutboxTaken,
    Port,
    Published,
    Recall,
    Recalled,
    Released,
    RetryDeliveries,
    RetryEvent,
)
from saga.coordination.evaluation import key_text
from saga.coordination.guard import Busy, describe, is_a, refusal_of, words_of
from saga.coordination.requests import Heard
from saga.errors import NotEncodable, UsageError
from saga.flow.graph import RetryPolicy
from saga.log import Log
from saga.messages import Event, Rejected, answer_type, key_field, type_name
from saga.participants import Context, handlers_of, listeners_of
from saga.seams import seam
from saga.store import (
    ConstraintFailed,
    ContextChanges,
    ContextStore,
    InboxRow,
    RetryRow,
    TransactionLost,
    TryAgain,
)

__all__ = ["ContextDriver", "ContextWorld", "RetryDue"]

log = Log("saga.context")

BATCH = 256
"""Messages in one commit, at most: as many commands as the credit lets in, and more events."""

BATCH_S = 0.020
"""Seconds after which a batch is committed, so that the first answer does not wait for a slow last one."""

EVENTS_S = 0.060
"""The same for a batch of nothing but events, whose publishers wait for no answer."""

PRUNE_EVERY = 256
"""How far the floor moves before inbox rows below it are deleted."""

LISTENER_RETRY = RetryPolicy(attempts=5, first_ms=500, factor=4.0, max_ms=60_000, jitter=0.0)
"""A listener that fails is tried again after 0.5, 2, 8 and 32 s, then the event is set aside for it."""

RETRIES_AT_ONCE = 64
"""Deliveries that are due again which are read from the file at once: there may be very many of them."""

NULL = Raw(b"null")

_ASKED = (Deliver, Inquire, Direct)
"""Messages about a command that may be in the inbox already."""


class RetryDue:
    """Time has come to try listeners again."""


class ContextWorld(Protocol):
    """What a context's driver needs of the world."""

    def now_ms(self) -> int:
        """Return the time, UTC ms."""

    def wake_at(self, due_ms: int | None) -> None:
        """See to it that a `RetryDue` comes at this time."""

    def pause(self, attempt: int) -> bool:
        """Wait a little before the same commit is tried again; False when the runtime is being closed."""

    def closing(self) -> bool:
        """Return whether the runtime is being closed: no new batch is begun."""

    def monotonic(self) -> float:
        """Return seconds of a clock that nobody sets: how long something takes."""


class ContextDriver:
    """Drives one context, on its own thread."""

    def __init__(
        self,
        context: Context,
        store: ContextStore,
        coordinator: Port,
        world: ContextWorld,
        busy: Busy,
        suspects: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """`suspects`: see `Suspects.listening`."""
        self.context = context
        self._store = store
        self._coordinator = coordinator
        self._world = world
        self._busy = busy
        self._handlers = {
            type_name(c): _Handler(context, c, name) for c, name in handlers_of(type(context)).items()
        }
        self._listeners = {
            type_name(e): _Listener(context, e, name) for e, name in listeners_of(type(context)).items()
        }
        self._positions: dict[str, int] = {}
        self._pruned_to = store.floor
        self._suspects = dict(suspects)
        self._messages: deque[object] = deque()
        """What is being handled; what this context wants to do next is put behind it."""
        self._outbox_told = False
        """Whether the coordinator was told what an earlier life of this context has left in the outbox."""
        self._take: dict[type, Callable[[Any], None]] = {
            Deliver: self._deliver,
            Inquire: self._inquire,
            Direct: self._direct,
            Notify: self._notify,
            OutboxTaken: self._outbox_taken,
            Recall: self._recall,
            RetryDeliveries: self._retry_deliveries,
            RetryDue: self._retry_due,
            RetryEvent: self._retry_event,
            Released: lambda _: self._after.append(self._wake),
            Consult: self._consult,
            Forget: self._forget,
            Mark: self._mark,
        }
        # of the transaction at hand
        self._changes = ContextChanges()
        self._known: dict[str, InboxRow] = {}
        self._answers: list[Answer] = []
        self._read_to = 0
        self._until = 0.0
        """When it ends, whatever is left; by the monotonic clock."""
        self._after: list[Callable[[], None]] = []
        self._cause = ("", "")
        context.db = store.db
        context._saga_publish = self._publish

    def open_positions(self, last_event_no: int) -> dict[str, int]:
        """Return event type → position; a new listener starts where its context says. Committed when returned."""
        stored = self._store.positions()
        start = last_event_no if self.context.listen_from == "now" else 0
        self._positions = {name: stored.get(name, start) for name in self._listeners}
        if self._positions.keys() - stored.keys():
            changes = ContextChanges()
            changes.positions = self._positions
            self._store.begin()
            self._store.commit(changes)
        seam("context.positions-known")
        self._drop_suspects()
        return self._positions

    def _drop_suspects(self) -> None:
        """Tell the coordinator of which suspected events nothing will come: they were taken, or are set aside."""
        rows = self._store.retries_of(list(self._suspects)) if self._suspects else []
        waiting = {row.event_no for row in rows if row.due_ms is not None}
        taken = min(self._positions.values(), default=0)
        set_aside = {row.event_no for row in rows} - waiting
        self._heard([no for no in self._suspects if no in set_aside or (no <= taken and no not in waiting)])

    def _heard(self, nos: Sequence[int]) -> None:
        for no in nos:
            self._suspects.pop(no, None)
        if nos:
            self._coordinator.post(Heard(self._store.name, tuple(nos)))

    def tell_outbox(self) -> None:
        """Tell the coordinator what is in the outbox: an earlier life may have died before it could."""
        events = self._outbox()
        if events:
            self._coordinator.post(Answers(self._store.name, [], events, self._store.commit_no, 0))

    # --- batches ----------------------------------------------------------------------------------

    def handle(self, messages: deque[object]) -> None:
        """Take all messages, batch by batch, or until the runtime is being closed.

        Raises StoreFailed and what else ends a context's file; in `messages` is then what is to be taken again.
        """
        self._messages = messages
        while messages and not self._world.closing():
            batch = [messages.popleft() for _ in range(min(len(messages), BATCH))]
            try:
                batch = self._commit_batch(batch)
            finally:
                messages.extendleft(reversed(batch))

    def _commit_batch(self, batch: list[object]) -> list[object]:
        """Run a batch in one transaction; return those that were left for the next one."""
        attempt = 0
        while True:
            try:
                return self._transaction(batch)
            except (TransactionLost, ConstraintFailed) as error:
                if len(batch) > 1:
                    for message in batch:
                        self._commit_batch([message])
                else:
                    self._lost(batch[0], error)
                return []
            except TryAgain as error:
                attempt += 1
                log.error("commit_postponed", path=error.path, reason=error.what, attempt=attempt)
                if not self._world.pause(attempt):
                    raise

    def _transaction(self, batch: list[object]) -> list[object]:
        self._changes = changes = ContextChanges()
        self._answers, self._after, self._read_to = [], [], 0
        ids = [message.command_id for message in batch if isinstance(message, _ASKED)]
        self._known = self._store.answers(ids) if ids else {}
        monotonic = self._world.monotonic
        self._until = monotonic() + (BATCH_S if ids else EVENTS_S)
        done = 0
        self._store.begin()
        try:
            for message in batch:
                self._take[type(message)](message)
                done += 1
                if monotonic() > self._until:
                    break
            if changes.is_empty:
                self._store.rollback()
            else:
                self._prune()
                seam("context.before-commit")
                self._store.commit(changes)
                seam("context.after-commit")
        except BaseException:
            if self._store.check_transaction():
                self._store.rollback()
            raise
        self._report()
        return batch[done:]

    def _report(self) -> None:
        """Everything is on disk: let the answers and events leave, in one envelope."""
        changes, store = self._changes, self._store
        events = self._new_events() if changes.outbox else []
        if self._answers or events or self._read_to:
            self._coordinator.post(Answers(store.name, self._answers, events, store.commit_no, self._read_to))
        if changes.retries or changes.retries_due:
            self._wake()
        for act in self._after:
            act()
        if changes.positions:
            self._positions.update(changes.positions)
        seam("context.after-answer")

    def _new_events(self) -> list[Published]:
        """Return the events of this transaction; in the first one, behind those that an earlier life has left.

        The coordinator takes the outbox by number: told a later one first, it would think that it has the others.
        """
        if not self._outbox_told:
            return self._outbox()
        outbox = self._changes.outbox
        first = self._store.outbox_no - len(outbox) + 1
        return [
            Published(first + i, id, type, key, Raw(data), at, correlation, causation or "")
            for i, (id, type, key, data, at, correlation, causation) in enumerate(outbox)
        ]

    def _outbox(self) -> list[Published]:
        """Return everything in the outbox."""
        self._outbox_told = True
        rows = self._store.outbox_after(0)
        return [Published(*row[:4], Raw(row.payload), *row[5:7], row.causation or "") for row in rows]

    def _lost(self, message: object, error: Exception) -> None:
        """A message whose transaction cannot be committed, all by itself: a failed attempt."""
        self._changes, self._answers, self._after, self._read_to = ContextChanges(), [], [], 0
        reason = describe(error, trace=False)
        if isinstance(message, Deliver):
            self._answers.append(_failed(message, f"{self._handlers[message.type].name}: {reason}"))
        elif isinstance(message, Direct):
            message.reply("failed", None, f"{self._handlers[message.type].name}: {reason}", "")
        elif isinstance(message, Notify):
            reason = f"{self._listeners[message.type].name}: {reason}"
            self._store.begin()
            self._listener_failed(message, reason)
            if message.attempt == 1:
                self._changes.positions[message.type] = message.no
                self._read_to = message.no  # else the relay takes it to be at work on it, and sends no more
            self._store.commit(self._changes)
        else:
            raise error
        self._report()

    def _prune(self) -> None:
        floor = self._changes.floor
        if floor - self._pruned_to >= PRUNE_EVERY:
            self._store.prune(floor)
            self._after.append(lambda: self._pruned(floor))

    def _pruned(self, floor: int) -> None:
        """What was below this floor is gone, and that is on disk."""
        self._pruned_to = floor

    # --- commands ---------------------------------------------------------------------------------

    def _deliver(self, message: Deliver) -> None:
        changes = self._changes
        if message.floor > changes.floor:
            changes.floor = message.floor
        if message.commit_no > changes.coordinator_commit_no:
            changes.coordinator_commit_no = message.commit_no
        known = self._known.get(message.command_id)
        if known is not None:
            if known.outcome != "tombstone":  # of a command that is void nobody expects an answer
                self._answers.append(_stored(message.saga_no, message.path, known, ""))
            return
        if message.number < self._store.floor:
            log.info(
                "stale_command", command_id=message.command_id, number=message.number, floor=self._store.floor
            )
            return
        self._cause = (message.correlation, message.command_id)
        outcome, answer, value, reason, code = self._run(
            message.type, message.command, message.value, message.number
        )
        if outcome == "failed":
            self._answers.append(_failed(message, reason))
            return
        self._remember(message.command_id, message.number, outcome, answer, code, reason)
        self._answers.append(Answer(message.saga_no, message.path, outcome, Raw(answer), value, reason, code))

    def _direct(self, message: Direct) -> None:
        known = self._known.get(message.command_id)
        if known is None:
            self._cause = (message.command_id, message.command_id)
            outcome, answer, value, reason, code = self._run(
                message.type, message.command, message.value, message.number
            )
            if outcome != "failed":
                self._remember(message.command_id, None, outcome, answer, code, reason)
                self._changes.sent.append((message.command_id, message.type))
        else:
            outcome, reason, code, value = known.outcome, known.reason or "", known.code or "", None
            if known.answer is not None:
                try:
                    value = self._handlers[message.type].answer.decode(known.answer)
                except BaseException as error:
                    outcome = "failed"
                    reason = (
                        f"its stored answer is that of another command, or cannot be read: {describe(error)}"
                    )
        self._after.append(lambda: message.reply(outcome, value, reason, code))

    def _run(
        self, type: str, command: Raw, value: object, number: int
    ) -> tuple[str, bytes, object, str, str]:
        """Run a handler in a savepoint; return outcome, encoded answer, decoded answer, reason and code."""
        handler = self._handlers[type]
        store, outbox = self._store, self._changes.outbox
        if value is UNSET:
            try:
                value = handler.command.decode(bytes(command))
            except BaseException as error:
                return "failed", b"null", None, describe(error, trace=False), ""
        store.savepoint()
        published = len(outbox)
        self._busy.begin(type, number)
        try:
            result = handler.call(value)
            refusal = refusal_of(result) if isinstance(result, Rejected) else None
            if refusal is not None:
                store.release()
                return "refused", b"null", None, *refusal
            answer, twin = handler.answer.roundtrip(result)
            store.release()
            return "done", answer, twin, "", ""
        except TransactionLost:
            raise
        except BaseException as error:
            outage = store.outage(error)
            if outage is not None:
                raise outage from error
            store.explain(error)
            del outbox[published:]
            store.undo()
            refusal = refusal_of(error)
            if refusal is not None:
                return "refused", b"null", None, *refusal
            if is_a(error, NotEncodable):
                return "failed", b"null", None, f"{handler.name}: {words_of(error)}", ""
            return "failed", b"null", None, f"{handler.name} raised\n{describe(error)}", ""
        finally:
            self._busy.end()

    def _remember(
        self, command_id: str, number: int | None, outcome: str, answer: bytes, code: str, reason: str
    ) -> None:
        done, now = outcome == "done", self._world.now_ms()
        row = InboxRow(
            command_id, number, outcome, answer if done else None, code or None, None if done else reason, now
        )
        self._changes.inbox.append(row)
        self._known[command_id] = row

    def _inquire(self, message: Inquire) -> None:
        known = self._known.get(message.command_id)
        if known is None and message.number < self._store.floor:
            log.info(
                "stale_inquiry", command_id=message.command_id, number=message.number, floor=self._store.floor
            )
        elif known is None:
            self._remember(message.command_id, message.number, "tombstone", b"null", "", "")
            seam("context.tombstone-laid")
            self._answers.append(Answer(message.saga_no, message.path, "resolved-not-done", NULL, UNSET))
        elif known.outcome == "tombstone":
            self._answers.append(Answer(message.saga_no, message.path, "resolved-not-done", NULL, UNSET))
        else:
            self._answers.append(_stored(message.saga_no, message.path, known, "resolved-"))

    def _recall(self, message: Recall) -> None:
        stored = self._store.answers([command_id for command_id, _, _ in message.commands])
        for command_id, saga_no, path in message.commands:
            known = stored.get(command_id)
            if known is not None and known.outcome != "tombstone":
                self._answers.append(_stored(saga_no, path, known, ""))
        events = self._outbox()
        self._coordinator.post(Answers(self._store.name, self._answers, events, self._store.commit_no, 0))
        seam("context.recalled")
        self._answers = []
        self._after.append(lambda: self._coordinator.post(Recalled(message.no)))

    # --- events -----------------------------------------------------------------------------------

    def _publish(self, event: Event) -> None:
        """`Context.publish`, while a handler or listener runs."""
        if not self._busy.what:
            raise RuntimeError(f"{type(self.context).__name__}.publish was called outside of a handler")
        if not is_a(event, Event):
            raise UsageError(f"publish takes an Event, not a {type(event).__name__}")
        codec = codec_for(type(event))
        data, twin = codec.roundtrip(event)
        field = key_field(type(event))
        key = None if field is None else key_text(getattr(twin, field))
        number = self._store.outbox_no + len(self._changes.outbox) + 1
        correlation, causation = self._cause
        self._changes.outbox.append(
            (
                f"{self._store.name}:{number}",
                codec.name,
                key,
                data,
                self._world.now_ms(),
                correlation,
                causation,
            )
        )

    def _outbox_taken(self, message: OutboxTaken) -> None:
        self._changes.relayed_no = max(self._changes.relayed_no, message.no)

    def _notify(self, message: Notify) -> None:
        listener = self._listeners[message.type]
        if message.attempt > 1:
            self._try_again(listener, message)
            return
        self._read_to = max(self._read_to, message.no)
        position = self._changes.positions.get(message.type, self._positions[message.type])
        if message.no <= position:
            if message.no in self._suspects and not self._store.attempts(message.no, message.type):
                self._after.append(lambda: self._heard([message.no]))
            return
        reason, untried = self._attempt(listener, message)
        if reason is not None:
            self._listener_failed(message, reason, last=untried)
        self._changes.positions[message.type] = message.no

    def _attempt(self, listener: _Listener, message: Notify) -> tuple[str | None, bool]:
        """Run a listener, unless it ends the process; return why it failed, if it did, and whether it was not run."""
        if message.no not in self._suspects:
            return self._listen(listener, message), False
        untried = self._suspects[message.no]
        self._after.append(lambda: self._heard([message.no]))
        return untried or self._listen(listener, message), bool(untried)

    def _try_again(self, listener: _Listener, message: Notify) -> None:
        """Try a listener on an event again, unless that was done meanwhile: it may have been asked for twice."""
        key = (message.no, message.type)
        if key in self._changes.retries or self._store.attempts(*key) != message.attempt - 1:
            return
        reason, untried = self._attempt(listener, message)
        if reason is not None:
            self._listener_failed(message, reason, last=untried)
        else:
            self._changes.retries[key] = None

    def _retry_event(self, message: RetryEvent) -> None:
        """Try the listeners on an event again now that they have failed on before."""
        rows = self._store.retries_of([message.no])
        again = [_again(row) for row in rows if row.event_type in self._listeners]
        self._after.append(lambda: self._messages.extend(again))

    def _listen(self, listener: _Listener, message: Notify) -> str | None:
        """Run a listener in a savepoint; return why it failed, or None."""
        store, outbox = self._store, self._changes.outbox
        self._cause = (message.correlation, message.event_id)
        store.savepoint()
        published = len(outbox)
        self._busy.begin(f"{listener.name}({message.event_id})", -message.no)
        try:
            listener.call(listener.event.decode(bytes(message.event)))
            store.release()
            return None
        except TransactionLost:
            raise
        except BaseException as error:
            outage = store.outage(error)
            if outage is not None:
                raise outage from error
            store.explain(error)
            del outbox[published:]
            store.undo()
            return f"{listener.name} raised\n{describe(error)}"
        finally:
            self._busy.end()

    def _listener_failed(self, message: Notify, reason: str, *, last: bool = False) -> None:
        attempt, now, due = message.attempt, self._world.now_ms(), None
        if attempt < LISTENER_RETRY.attempts and not last:
            due = now + LISTENER_RETRY.delay_ms(attempt, 0.0)
        else:
            log.error("event_set_aside", context=self._store.name, event_id=message.event_id, reason=reason)
        seam("context.listener-failed")
        self._changes.retries[message.no, message.type] = (
            attempt,
            due,
            reason,
            now,
            message.event_id,
            message.correlation,
            bytes(message.event),
        )

    def _wake(self) -> None:
        self._world.wake_at(self._store.next_retry(self._listeners))

    def _retry_due(self, message: RetryDue) -> None:
        """Take up what is due again, some at a time; what follows the last of them wakes this anew."""
        due = self._store.due_retries(self._world.now_ms(), self._listeners, RETRIES_AT_ONCE)
        again = [_again(row) for row in due]
        self._after.append(lambda: self._messages.extend(again))
        if not due:
            self._wake()  # the clock was set back since, or it was asked for twice

    def _retry_deliveries(self, message: RetryDeliveries) -> None:
        """A person wants what has failed to be tried again."""
        count = self._store.retry_now(message.type, self._world.now_ms())
        self._changes.retries_due = count > 0
        self._after.append(lambda: message.reply.set_result(count))

    def _forget(self, message: Forget) -> None:
        """Sagas and what was sent are let go of."""
        gone = self._store.forget_sagas(message.saga_ids) if message.saga_ids else 0
        sent = (
            self._store.forget_sent(message.sent_before_ms, message.after)
            if not message.saga_ids
            else (0, None)
        )
        self._changes.forgot = self._changes.forgot or gone + sent[0] > 0
        self._after.append(lambda: message.reply.set_result(sent))

    def _mark(self, message: Mark) -> None:
        """What is behind it belongs to another transaction."""
        self._until = 0.0
        self._after.append(lambda: message.take(self._store.name))

    def _consult(self, message: Consult) -> None:
        """Let somebody look at this file, when what this batch changes is in it."""

        def answer() -> None:
            try:
                message.reply.set_result(self._store.consult(message.read))
            except BaseException as error:
                message.reply.set_exception(error)

        self._after.append(answer)


def _again(row: RetryRow) -> Notify:
    """Return an event that a listener has failed on, to be tried again."""
    return Notify(
        row.event_no, row.event_id, row.event_type, Raw(row.payload), row.correlation, row.attempt + 1
    )


class _Handler:
    """A method that handles commands of one type."""

    def __init__(self, context: Context, command: type[Any], name: str) -> None:
        self.name = f"{type(context).__name__}.{name}"
        self.call = getattr(context, name)
        self.command = codec_for(command)
        self.answer = codec_for(answer_type(command))


class _Listener:
    """A method that listens to events of one type."""

    def __init__(self, context: Context, event: type[Any], name: str) -> None:
        self.name = f"{type(context).__name__}.{name}"
        self.call = getattr(context, name)
        self.event = codec_for(event)


def _failed(message: Deliver, reason: str) -> Answer:
    return Answer(message.saga_no, message.path, "failed", NULL, UNSET, reason)


def _stored(saga_no: int, path: str, row: InboxRow, prefix: str) -> Answer:
    """Return the answer that is stored in an inbox row."""
    if row.outcome == "done":
        return Answer(saga_no, path, f"{prefix}done", Raw(row.answer or b"null"), UNSET)
    return Answer(saga_no, path, f"{prefix}refused", NULL, UNSET, row.reason or "", row.code or "")
