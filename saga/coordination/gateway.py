"""What a gateway does with what arrives: calls to the outside world, at least once each, with their key.

Rules
1. An answer or a `Rejected` says what was done. Whatever else a call ends in, its outcome is unknown: the
   effect may have happened. It is tried again with the same key.
2. An inquiry waits for a call that is running, and makes void one that has not begun. About a call of an earlier
   life of the process nothing is known.
3. `CallBook` may be used from several threads; `GatewayDriver` is used from the threads that call.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Raw

from saga.codec import codec_for
from saga.coordination.envelopes import UNSET, Answer, Deliver, Direct, Inquire
from saga.coordination.guard import Busy, describe, is_a, refusal_of, words_of
from saga.errors import NotDecodable, NotEncodable
from saga.messages import Rejected, answer_type, type_name
from saga.participants import Gateway, call_key, handlers_of
from saga.seams import seam

__all__ = ["CallBook", "GatewayDriver"]

NULL = Raw(b"null")
Ended = tuple[str, Raw, object, str, str, bool]
"""Outcome, encoded answer, decoded answer, reason, code, unknown: as an `Answer` ends."""


class GatewayDriver:
    """Drives one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._handlers: dict[str, _Handler] = {
            type_name(command): _Handler(gateway, command, name)
            for command, name in handlers_of(type(gateway)).items()
        }

    @property
    def has_sync(self) -> bool:
        """Whether there is a `def` handler."""
        return any(not handler.is_async for handler in self._handlers.values())

    @property
    def has_async(self) -> bool:
        """Whether there is an `async def` handler."""
        return any(handler.is_async for handler in self._handlers.values())

    def is_async(self, type: str) -> bool:
        """Return whether commands of this type have an `async def` handler."""
        return self._handlers[type].is_async

    def call(self, message: Deliver | Direct, busy: Busy) -> Ended:
        """Run the handler of a command; never raises."""
        handler = self._handlers[message.type]
        call_key.set(message.command_id)  # until the next call: nothing else on this thread looks at it
        busy.begin(handler.name, message.number)
        try:
            seam("gateway.before-call")
            value = message.value
            result = handler.call(handler.decode(message) if value is UNSET else value)
            seam("gateway.after-call")
            return handler.ended(result)
        except BaseException as error:
            return handler.failed(error)
        finally:
            busy.end()

    async def call_async(self, message: Deliver | Direct, busy: Busy) -> Ended:
        """Run the `async def` handler of a command; never raises."""
        handler = self._handlers[message.type]
        call_key.set(message.command_id)
        busy.begin(f"{handler.name}({message.command_id})", message.number)
        try:
            seam("gateway.before-async-call")
            value = message.value
            result = await handler.call(handler.decode(message) if value is UNSET else value)
            seam("gateway.after-async-call")
            return handler.ended(result)
        except BaseException as error:
            return handler.failed(error)
        finally:
            busy.end()

    @staticmethod
    def answer(message: Deliver, ended: Ended) -> Answer:
        """Return the answer that leaves for the coordinator."""
        return Answer(message.saga_no, message.path, *ended)


class _Handler:
    """A method that handles commands of one type."""

    def __init__(self, gateway: Gateway, command: type[Any], name: str) -> None:
        self.name = f"{type(gateway).__name__}.{name}"
        self.call: Callable[[Any], Any] = getattr(gateway, name)
        self.is_async = inspect.iscoroutinefunction(self.call)
        self.command = codec_for(command)
        self.answer = codec_for(answer_type(command))

    def decode(self, message: Deliver | Direct) -> Any:
        return self.command.decode(bytes(message.command))

    def ended(self, result: object) -> Ended:
        refusal = refusal_of(result) if isinstance(result, Rejected) else None
        if refusal is not None:
            return "refused", NULL, None, *refusal, False
        try:
            data, twin = self.answer.roundtrip(result)
        except NotEncodable as error:
            reason = f"{self.name} answered what cannot be stored: {words_of(error)}"
            return "failed", NULL, None, reason, "", True
        return "done", Raw(data), twin, "", "", False

    def failed(self, error: BaseException) -> Ended:
        refusal = refusal_of(error)
        if refusal is not None:
            return "refused", NULL, None, *refusal, False
        if is_a(error, NotDecodable):
            return "failed", NULL, None, words_of(error), "", False
        return "failed", NULL, None, f"{self.name} raised\n{describe(error)}", "", True


class CallBook:
    """Which calls are waiting, which are running, and who inquires about them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._void: set[str] = set()
        """Calls that must not begin: somebody inquires about them, or was told that they never will."""
        self._waiting: dict[str, bool] = {}
        """Calls that were accepted and have not begun, and whether whoever inquired about them was told."""
        self._running: set[str] = set()
        self._dropped: set[str] = set()
        """Calls that did not begin, since they were void, and whose inquiry is still to come."""
        self._inquiries: dict[str, Inquire] = {}
        """About running calls."""

    def posted(self, messages: Iterable[object]) -> None:
        """These messages are about to be posted. An inquiry makes void what was posted before it and has not begun;
        a command that is sent again after that (an operator's decision) may begin."""
        with self._lock:
            for message in messages:
                if type(message) is Inquire:
                    if message.command_id not in self._running:
                        self._void.add(message.command_id)
                elif self._void and type(message) is Deliver:
                    self._void.discard(message.command_id)
                    self._dropped.discard(message.command_id)

    def accept(self, command_id: str) -> None:
        """The call is queued somewhere; `begin` comes when it is its turn. A call that begins at once need not be
        accepted before."""
        with self._lock:
            self._waiting[command_id] = False

    def begin(self, command_id: str) -> bool:
        """Return whether the call may begin; then it is running. Of two calls of one command the second may not
        begin while the first is running, which answers for both."""
        with self._lock:
            told = self._waiting.pop(command_id, False) if self._waiting else False
            if command_id in self._void:
                if told:
                    self._void.discard(command_id)
                else:
                    self._dropped.add(command_id)
                return False
            if command_id in self._running:
                return False
            self._running.add(command_id)
            return True

    def end(self, command_id: str) -> Inquire | None:
        """The call has ended; return the inquiry that waits for it, if one does."""
        with self._lock:
            self._running.discard(command_id)
            return self._inquiries.pop(command_id, None) if self._inquiries else None

    def inquire(self, inquiry: Inquire) -> str | None:
        """Return `not-done` or `unknown`, or None when the call is running: then `end` returns the inquiry."""
        command_id = inquiry.command_id
        with self._lock:
            if command_id in self._running:
                self._inquiries[command_id] = inquiry
                return None
            if command_id in self._waiting:
                self._waiting[command_id] = True  # it stays void, so that this stays true
                not_begun = True
            else:
                not_begun = command_id in self._dropped or not inquiry.delivered
                self._dropped.discard(command_id)
                self._void.discard(command_id)
        return "unknown" if inquiry.repeated or not not_begun else "not-done"
