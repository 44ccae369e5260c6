"""Commands of the application: to whoever handles them, a context, a gateway, or a saga that answers them.

A command to a participant does not pass through the coordinator. One that a saga answers starts that saga, once,
since its id is that of the command.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from msgspec import Raw

from saga.actors.crew import Crew
from saga.arguments import checked_id
from saga.codec import codec_for
from saga.coordination import requests as q
from saga.coordination.definitions import Definitions
from saga.coordination.envelopes import Direct
from saga.coordination.outcome import Outcome
from saga.coordination.participation import Participant
from saga.errors import CommandFailed, NoHandler, WaitTimeout
from saga.flow.definition import Definition
from saga.handle import Handle, refuse_in_actor
from saga.ids import new_id
from saga.line import Line, Reply
from saga.messages import RESERVED_CODES, Command, Rejected, type_name

__all__ = ["Sender"]


class Sender:
    """Sends commands and returns their answers. `crew`: see `Line`."""

    def __init__(
        self,
        participants: Iterable[Participant],
        definitions: Definitions,
        line: Line,
        crew: Callable[[], Crew],
    ) -> None:
        self._routes = {command: each.name for each in participants for command in each.commands}
        self._answering = definitions.answering
        self._line, self._crew = line, crew

    def send(self, command: Command[Any], id: str | None, timeout: float) -> Any:
        """See `Runtime.send`."""
        definition = self._answering.get(type(command))
        if definition is not None:
            until = time.monotonic() + timeout
            request = self._start(definition, command, id)
            [completion] = self._line.ask(request, request.reply, timeout)
            handle = self._line.handle(completion)
            return _answer_of(handle.wait(max(0.0, until - time.monotonic())), handle.id)
        command_id, reply = self._post(command, id)
        try:
            return reply.result(timeout)
        except TimeoutError:
            self._line.drop(reply)
            raise WaitTimeout(f"command {command_id!r}", timeout) from None

    async def send_async(self, command: Command[Any], id: str | None, timeout: float) -> Any:
        """See `Runtime.send_async`."""
        definition = self._answering.get(type(command))
        if definition is not None:
            until = time.monotonic() + timeout
            request = self._start(definition, command, id)
            [completion] = await self._line.ask_async(request, request.reply, timeout)
            handle = self._line.handle(completion)
            try:
                outcome = await asyncio.wait_for(_outcome_of(handle), max(0.0, until - time.monotonic()))
            except TimeoutError:
                raise WaitTimeout(f"command {handle.id!r}", timeout) from None
            return _answer_of(outcome, handle.id)
        command_id, reply = self._post(command, id)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(reply), timeout)
        except TimeoutError:
            self._line.drop(reply)
            raise WaitTimeout(f"command {command_id!r}", timeout) from None

    def _start(self, definition: Definition, command: Command[Any], id: str | None) -> q.StartSagas:
        refuse_in_actor("send")
        data, twin = codec_for(definition.input).roundtrip(command)
        start = q.Start(definition, f"send:{_command_id(id)}", Raw(data), twin, {}, 0)
        return q.StartSagas([start], Reply())

    def _post(self, command: Command[Any], id: str | None) -> tuple[str, Future[Any]]:
        refuse_in_actor("send")
        crew = self._crew()
        participant = self._routes.get(type(command))
        if participant is None:
            raise NoHandler(type_name(type(command)))
        codec = codec_for(type(command))
        data, twin = codec.roundtrip(command)
        command_id = _command_id(id)
        reply: Future[Any] = Reply()
        self._line.hold(reply)

        def answer(outcome: str, value: object, reason: str, code: str) -> None:
            if outcome == "done":
                reply.set_result(value)
            elif outcome == "refused":
                reply.set_exception(Rejected(reason, code=code))
            else:
                reply.set_exception(CommandFailed(command_id, reason))

        crew.mailboxes[participant].post(Direct(f"send:{command_id}", codec.name, Raw(data), twin, answer))
        if crew.closed or crew.failure is not None:  # it may have closed while we posted
            self._crew()
        if participant in crew.down:
            crew.refuse_direct(participant)
        return command_id, reply


def _command_id(id: str | None) -> str:
    return new_id() if id is None else checked_id(id)


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
