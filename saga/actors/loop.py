"""An event loop on which an actor's asynchronous calls go on: so many at a time, the others wait as messages.

1. Each call is a task in a context of its own (`contextvars`): what a handler sets there no other one sees.
2. A call that has begun has one of so many places, and what it is busy with can be seen there when it hangs.
3. A handler that stops its loop stops no other.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from saga.coordination.guard import Busy

__all__ = ["CallLoop"]


class _Place:
    """Where a call goes on, and after it another one."""

    __slots__ = ("busy", "task")

    def __init__(self, watch: Callable[[Callable[[], str]], Busy]) -> None:
        self.task: asyncio.Task[None] | None = None
        """The loop itself forgets what it runs."""
        self.busy = watch(lambda: _trace_of(self.task))


class CallLoop:
    """An event loop in a thread of its own, with so many places for calls."""

    def __init__(
        self,
        size: int,
        name: str,
        enter: Callable[[], None],
        carry_out: Callable[[Any, Busy], Coroutine[Any, Any, None]],
        watch: Callable[[Callable[[], str]], Busy],
        unwatch: Callable[[Busy], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`enter` is called in the thread, at its beginning; `watch` returns a new `Busy`, given what tells where its
        call is, and `unwatch` is called with it at the end; `failed` is called with what `carry_out` raises."""
        self._size, self._enter, self._carry_out = size, enter, carry_out
        self._watch, self._unwatch, self._failed = watch, unwatch, failed
        self._waiting: deque[Any] = deque()
        self._awake = True
        """Whether the loop knows of all that waits."""
        self._places: list[_Place] = []
        self._free: list[_Place] = []
        self._over = False
        self._loop = asyncio.new_event_loop()
        self._context = contextvars.Context()
        self._thread = threading.Thread(target=self._run, name=f"{name}-loop", daemon=True)
        self._thread.start()

    def submit(self, message: object) -> None:
        """Have a message carried out, from the next `wake` on. Only the actor submits."""
        self._waiting.append(message)
        self._awake = False

    def wake(self) -> None:
        """Let what was submitted begin, all at once: to wake the loop takes longer than to begin a call."""
        if not self._awake:
            self._awake = True
            self._loop.call_soon_threadsafe(self._begin)

    def close(self, *, wait: bool) -> list[Any]:
        """Let the loop end when the calls have that have begun; return the messages that nobody has begun with."""
        left = []
        while (message := self._next()) is not None:
            left.append(message)
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop)
        if wait:
            self._thread.join()
        return left

    # --- on the loop's thread -----------------------------------------------------------------------

    def _run(self) -> None:
        self._enter()
        asyncio.set_event_loop(self._loop)
        try:
            while not self._over:
                self._loop.run_forever()  # until the end, or a handler stops it
        finally:
            self._loop.close()
            for place in self._places:
                self._unwatch(place.busy)

    def _begin(self) -> None:
        """Begin with what waits, as long as there are places."""
        while self._free or len(self._places) < self._size:
            message = self._next()
            if message is None:
                return
            place = self._free.pop() if self._free else self._new_place()
            call = self._call(place, message)
            place.task = self._loop.create_task(call, context=self._context.copy())

    def _next(self) -> Any:
        """Return the next message that waits, None when none does; any thread may ask."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _new_place(self) -> _Place:
        place = _Place(self._watch)
        self._places.append(place)
        return place

    async def _call(self, place: _Place, message: Any) -> None:
        try:
            await self._carry_out(message, place.busy)
        except BaseException as error:
            self._failed(error)
        finally:
            self._free.append(place)
            if self._waiting:
                self._begin()

    async def _finish(self) -> None:
        calls = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*calls, return_exceptions=True)
        self._over = True
        self._loop.call_soon(self._loop.stop)


def _trace_of(task: asyncio.Task[Any] | None) -> str:
    """Return where a task waits: the way down from await to await; nothing while it is running."""
    lines: list[str] = []
    at: Any = None if task is None else task.get_coro()
    while at is not None:
        frame = getattr(at, "cr_frame", None) or getattr(at, "gi_frame", None)
        if frame is None:
            break
        if getattr(at, "cr_running", False) and getattr(at, "cr_await", None) is None:
            return ""  # the stack of its thread tells more
        lines += traceback.format_stack(frame, limit=1)
        at = getattr(at, "cr_await", None) or getattr(at, "gi_yieldfrom", None)
    return "".join(lines)
