"""`Handle`: one saga, as whoever started it sees it. Waits from threads and from asyncio alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import Any

import msgspec

from saga.actors.worker import in_actor
from saga.coordination.outcome import Completion, Outcome, Result
from saga.errors import UsageError, WaitTimeout

__all__ = ["Handle", "refuse_in_actor"]


class Handle(msgspec.Struct, eq=False):
    """One saga. Cheap: thousands may be held and waited for at once.

    `id` is the saga's id. `handle.wait(timeout)` waits in a thread, `await handle` in asyncio; the loop is not blocked.
    """

    # Made by the runtime.
    _completion: Completion
    _look: Callable[[Completion], None]
    """Has the coordinator announce what is known of the saga."""
    _check: Callable[[], object]
    """Raises when there is no coordinator any more that could."""

    @property
    def id(self) -> str:
        """The id of the saga."""
        return self._completion.saga_id

    def __repr__(self) -> str:
        return f"<Handle {self.id!r}>"

    def wait(self, timeout: float | None = None) -> Outcome:
        """Wait until the saga has ended, at most `timeout` seconds (None: for ever), and return how.

        A refusal is an outcome, not an exception. Raises WaitTimeout when the time is up, SagaParked when a person is
        needed, UnknownSaga when there is no such saga, RuntimeClosed or StoreFailed when the runtime has ended, and
        UsageError in the thread of a context or gateway, which would wait for itself. The saga goes on in any case.
        """
        refuse_in_actor("wait")
        result = self._completion.outcome
        return _outcome(self._wait(timeout) if result is None else result)

    def _wait(self, timeout: float | None) -> Result:
        """Wait in this thread. A bare lock is what an Event is made of, and wakes in half of its time."""
        told = threading.Lock()
        told.acquire()
        found: list[Result] = []

        def tell(result: Result) -> None:
            found.append(result)
            told.release()

        result = self._ask(tell)
        if result is not None:
            return result
        if not told.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            self._completion.remove(tell)
            raise WaitTimeout(f"saga {self.id!r}", timeout or 0.0)
        return found[0]

    def __await__(self) -> Generator[Any, None, Outcome]:
        """Wait until the saga has ended, and return how. Raises as `wait` does; use `asyncio.timeout` for a limit."""
        refuse_in_actor("await")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def tell(result: Result) -> None:
            try:
                loop.call_soon_threadsafe(_set, future, result)
            except RuntimeError:  # the loop was closed meanwhile; nobody waits any more
                pass

        result = self._ask(tell)
        if result is None:
            try:
                result = yield from future.__await__()
            finally:
                self._completion.remove(tell)
        return _outcome(result)

    def _ask(self, tell: Callable[[Result], None]) -> Result | None:
        completion = self._completion
        if completion.outcome is None:
            self._check()  # before the lock in `add`: a fork may have taken a copy of it that is held for ever
        result = completion.add(tell)
        if result is None and not completion.followed:
            completion.followed = True
            self._look(completion)
        return result


def _set(future: asyncio.Future[Result], result: Result) -> None:
    if not future.done():
        future.set_result(result)


def _outcome(result: Result) -> Outcome:
    if isinstance(result, BaseException):
        raise result.with_traceback(None)
    return result


def refuse_in_actor(action: str) -> None:
    """Raise UsageError in the thread of an actor: it would wait for itself."""
    name = in_actor()
    if name is not None:
        raise UsageError(
            f"{action} was called in the thread of {name!r}, which would wait for itself; "
            f"contexts talk by commands of a saga and by events"
        )
