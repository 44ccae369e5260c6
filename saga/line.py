"""The application's line to the coordinator: requests go in, replies come back, or the runtime has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, TypeVar

from saga.actors.crew import Crew
from saga.coordination import requests as q
from saga.coordination.outcome import Completion
from saga.errors import Overloaded, WaitTimeout
from saga.handle import Handle, refuse_in_actor

__all__ = ["Line", "Reply"]

T = TypeVar("T")

GRACE_S = 1.0
"""Seconds that a request which has begun is waited for beyond its timeout: mostly its commit is under way."""


class Reply(Future[T]):
    """A reply of which the first counts: the one that was asked for, or that the runtime has ended."""

    def set_result(self, result: T) -> None:
        """Set the result, unless there is one."""
        with suppress(InvalidStateError):
            super().set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        """Set the exception, unless there is a result."""
        with suppress(InvalidStateError):
            super().set_exception(exception)


class Line:
    """Requests to the coordinator, from any thread. `crew` returns the crew at work, or raises when there is none;
    `max_active` is what `Overloaded` tells."""

    def __init__(self, crew: Callable[[], Crew], max_active: int) -> None:
        self._crew, self._max_active = crew, max_active
        self._outstanding: set[Future[Any]] = set()

    def handle(self, completion: Completion) -> Handle:
        """Return a handle of the saga whose end is announced there."""
        return Handle(completion, self._look, self._crew)

    def handles(self, completions: list[Completion]) -> list[Handle]:
        """Return a handle for each."""
        return [self.handle(completion) for completion in completions]

    def _look(self, completion: Completion) -> None:
        self._crew().post(q.Look(completion))

    def hold(self, reply: Future[Any]) -> None:
        """Let a reply fail when the runtime ends before it comes."""
        self._outstanding.add(reply)
        reply.add_done_callback(self._outstanding.discard)

    def drop(self, reply: Future[Any]) -> None:
        """Nobody waits for a reply any more."""
        self._outstanding.discard(reply)

    def fail_all(self, error: BaseException) -> None:
        """The runtime has ended: tell everybody who waits."""
        for reply in list(self._outstanding):
            reply.set_exception(error)
        self._outstanding.clear()

    def ask(self, request: object, reply: Future[T], timeout: float) -> T:
        """Have the coordinator carry out `request`; return its reply.

        Raises what the reply raises; after `timeout` seconds Overloaded (a start that has not begun: it is withdrawn)
        or WaitTimeout (it may still be carried out).
        """
        crew = self._post(request, reply)
        try:
            return reply.result(timeout)
        except TimeoutError:
            self._withdraw(crew, request, timeout)
        try:
            return reply.result(GRACE_S)
        except TimeoutError:
            raise _begun(request, timeout) from None

    async def ask_async(self, request: object, reply: Future[T], timeout: float) -> T:
        """`ask` for asyncio: does not block the loop."""
        crew = self._post(request, reply)
        waiting = asyncio.wrap_future(reply)
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), timeout)
        except TimeoutError:
            self._withdraw(crew, request, timeout)
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), GRACE_S)
        except TimeoutError:
            raise _begun(request, timeout) from None

    def ask_context(self, name: str, request: object, reply: Future[T], timeout: float) -> T:
        """Have a context carry out `request`; return its reply. Raises WaitTimeout after `timeout` seconds."""
        what = type(request).__name__.lower()
        refuse_in_actor(what)
        crew = self._crew()
        self.hold(reply)
        crew.mailboxes[name].post(request)
        if crew.closed or crew.failure is not None:  # it may have closed while we posted
            self._crew()
        if name in crew.down:
            crew.refuse_direct(name)
        try:
            return reply.result(timeout)
        except TimeoutError:
            raise WaitTimeout(f"{what} at {name}", timeout) from None

    def _post(self, request: object, reply: Future[Any]) -> Crew:
        crew = self._crew()
        self.hold(reply)
        crew.post(request)
        if crew.closed or crew.failure is not None:  # it may have closed while we posted
            self._crew()
        return crew

    def _withdraw(self, crew: Crew, request: object, timeout: float) -> None:
        """The time is up: take a start back that has not begun, so that nothing is stored when Overloaded is raised."""
        if isinstance(request, q.StartSagas) and request.claim():
            self.drop(request.reply)
            raise Overloaded(crew.active, self._max_active, timeout)


def _begun(request: object, timeout: float) -> WaitTimeout:
    """Return the error for what has begun and is not on disk yet, since the disk is full or slow."""
    what = "the start" if isinstance(request, q.StartSagas) else f"the {type(request).__name__.lower()}"
    return WaitTimeout(
        f"{what} (it has begun, and may still come to be stored; ask again with the same id)", timeout
    )
