"""Events are published and commands are sent, by the application itself."""

from __future__ import annotations

from typing import TypeVar, cast

from msgspec import Raw

from saga.arguments import checked_id
from saga.codec import codec_for
from saga.coordination import requests as q
from saga.coordination.evaluation import key_text
from saga.errors import UsageError
from saga.handle import refuse_in_actor
from saga.ids import new_id
from saga.line import Reply
from saga.messages import Command, Event, key_field
from saga.runtime.wired import Wired

__all__ = ["Messaging"]

R = TypeVar("R")


class Messaging(Wired):
    """Publishes events, and sends commands to contexts."""

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
