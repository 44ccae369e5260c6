"""What a context does with commands: each is carried out once, and its answer is kept.

Rules
1. A command's writes, its stored answer and its events are one transaction with its inbox row. A command that is
   repeated gets the stored answer; its handler is not run again.
2. `raise Rejected` takes the handler's writes back, `return Rejected` keeps them. Anything else that is raised,
   `SystemExit` included, is a failed attempt: its writes are taken back, and nothing else is touched.
3. An inquiry finds the stored answer, or leaves a tombstone, after which the command never runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Raw

from saga.codec import codec_for
from saga.coordination.envelopes import UNSET, Answer, Deliver, Direct, Inquire
from saga.coordination.guard import Busy, describe, is_a, refusal_of, words_of
from saga.coordination.transaction import Transaction, take_back
from saga.errors import NotEncodable
from saga.log import Log
from saga.messages import Rejected, answer_type, type_name
from saga.participants import Context, handlers_of
from saga.seams import seam
from saga.store import ContextStore, InboxRow, TransactionLost

__all__ = ["Handlers"]

log = Log("saga.context")

NULL = Raw(b"null")


class Handlers:
    """The handlers of one context, and its inbox."""

    def __init__(self, context: Context, store: ContextStore, busy: Busy, now_ms: Callable[[], int]) -> None:
        """`now_ms`: see `ContextWorld`."""
        self._store, self._busy, self._now_ms = store, busy, now_ms
        self._handlers = {
            type_name(c): _Handler(context, c, name) for c, name in handlers_of(type(context)).items()
        }

    def deliver(self, message: Deliver, transaction: Transaction) -> None:
        """Carry out a command of a saga, unless it is answered, void, or over."""
        changes = transaction.changes
        if message.floor > changes.floor:
            changes.floor = message.floor
        if message.commit_no > changes.coordinator_commit_no:
            changes.coordinator_commit_no = message.commit_no
        known = transaction.known.get(message.command_id)
        if known is not None:
            if known.outcome != "tombstone":  # of a command that is void nobody expects an answer
                transaction.answers.append(_stored(message.saga_no, message.path, known, ""))
            return
        if message.number < self._store.floor:
            log.info(
                "stale_command", command_id=message.command_id, number=message.number, floor=self._store.floor
            )
            return
        transaction.cause = (message.correlation, message.command_id)
        outcome, answer, value, reason, code = self._run(message, transaction)
        if outcome == "failed":
            transaction.answers.append(_failed(message, reason))
            return
        self._remember(transaction, message.command_id, message.number, outcome, answer, code, reason)
        transaction.answers.append(
            Answer(message.saga_no, message.path, outcome, Raw(answer), value, reason, code)
        )

    def direct(self, message: Direct, transaction: Transaction) -> None:
        """Carry out a command of the application, unless it is answered."""
        known = transaction.known.get(message.command_id)
        if known is None:
            transaction.cause = (message.command_id, message.command_id)
            outcome, answer, value, reason, code = self._run(message, transaction)
            if outcome != "failed":
                self._remember(transaction, message.command_id, None, outcome, answer, code, reason)
                transaction.changes.sent.append((message.command_id, message.type))
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
        transaction.after.append(lambda: message.reply(outcome, value, reason, code))

    def inquire(self, message: Inquire, transaction: Transaction) -> None:
        """Say what became of a command, and see to it that this stays true."""
        known = transaction.known.get(message.command_id)
        if known is None and message.number < self._store.floor:
            log.info(
                "stale_inquiry", command_id=message.command_id, number=message.number, floor=self._store.floor
            )
        elif known is None:
            self._remember(transaction, message.command_id, message.number, "tombstone", b"null", "", "")
            seam("context.tombstone-laid")
            transaction.answers.append(
                Answer(message.saga_no, message.path, "resolved-not-done", NULL, UNSET)
            )
        elif known.outcome == "tombstone":
            transaction.answers.append(
                Answer(message.saga_no, message.path, "resolved-not-done", NULL, UNSET)
            )
        else:
            transaction.answers.append(_stored(message.saga_no, message.path, known, "resolved-"))

    def answered(self, commands: Sequence[tuple[str, int, str]]) -> list[Answer]:
        """Return the stored answers to those of these commands (id, saga number, path) that have one."""
        stored = self._store.answers([command_id for command_id, _, _ in commands])
        return [
            _stored(saga_no, path, known, "")
            for command_id, saga_no, path in commands
            if (known := stored.get(command_id)) is not None and known.outcome != "tombstone"
        ]

    def lost(self, message: Deliver | Direct, reason: str, transaction: Transaction) -> None:
        """The transaction of a command, which was alone in it, could not be committed: a failed attempt."""
        reason = f"{self._handlers[message.type].name}: {reason}"
        if isinstance(message, Deliver):
            transaction.answers.append(_failed(message, reason))
        else:
            message.reply("failed", None, reason, "")

    def _run(
        self, message: Deliver | Direct, transaction: Transaction
    ) -> tuple[str, bytes, object, str, str]:
        """Run a handler in a savepoint; return outcome, encoded answer, decoded answer, reason and code."""
        handler, value = self._handlers[message.type], message.value
        store, outbox = self._store, transaction.changes.outbox
        if value is UNSET:
            try:
                value = handler.command.decode(bytes(message.command))
            except BaseException as error:
                return "failed", b"null", None, describe(error, trace=False), ""
        store.savepoint()
        published = len(outbox)
        self._busy.begin(message.type, message.number)
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
            take_back(error, store, transaction, published)
            refusal = refusal_of(error)
            if refusal is not None:
                return "refused", b"null", None, *refusal
            if is_a(error, NotEncodable):
                return "failed", b"null", None, f"{handler.name}: {words_of(error)}", ""
            return "failed", b"null", None, f"{handler.name} raised\n{describe(error)}", ""
        finally:
            self._busy.end()

    def _remember(
        self,
        transaction: Transaction,
        command_id: str,
        number: int | None,
        outcome: str,
        answer: bytes,
        code: str,
        reason: str,
    ) -> None:
        done, now = outcome == "done", self._now_ms()
        row = InboxRow(
            command_id, number, outcome, answer if done else None, code or None, None if done else reason, now
        )
        transaction.changes.inbox.append(row)
        transaction.known[command_id] = row


class _Handler:
    """A method that handles commands of one type."""

    def __init__(self, context: Context, command: type[Any], name: str) -> None:
        self.name = f"{type(context).__name__}.{name}"
        self.call = getattr(context, name)
        self.command = codec_for(command)
        self.answer = codec_for(answer_type(command))


def _failed(message: Deliver, reason: str) -> Answer:
    return Answer(message.saga_no, message.path, "failed", NULL, UNSET, reason)


def _stored(saga_no: int, path: str, row: InboxRow, prefix: str) -> Answer:
    """Return the answer that is stored in an inbox row."""
    if row.outcome == "done":
        return Answer(saga_no, path, f"{prefix}done", Raw(row.answer or b"null"), UNSET)
    return Answer(saga_no, path, f"{prefix}refused", NULL, UNSET, row.reason or "", row.code or "")
