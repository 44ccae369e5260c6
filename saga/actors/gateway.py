"""A gateway's actor: makes its calls, one after the other on its own thread, or several at once.

With `concurrency = 1` calls run on the actor's thread. With more, `def` handlers run on a pool of that many threads
and `async def` handlers on an event loop of their own, so many at a time.
"""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from saga.actors.mailbox import Mailbox
from saga.actors.pool import Pool
from saga.actors.worker import Crash, Worker, enter_actor
from saga.coordination.envelopes import UNSET, Answer, Answers, Deliver, Direct, Inquire, Port
from saga.coordination.gateway import NULL, CallBook, Ended, GatewayDriver
from saga.coordination.guard import Busy, Watch
from saga.participants import Gateway
from saga.seams import seam

__all__ = ["GatewayActor", "GatewayMailbox"]


class GatewayMailbox(Mailbox):
    """A mailbox that makes a call void as soon as an inquiry about it is posted."""

    __slots__ = ("book",)

    def __init__(self, book: CallBook) -> None:
        super().__init__()
        self.book = book

    def post_many(self, messages: list[Any]) -> None:
        """See `Mailbox`."""
        self.book.posted(messages)
        super().post_many(messages)


class _Failed(NamedTuple):
    """A thread or task of the gateway has died of this: so does its actor."""

    error: BaseException


class GatewayActor(Worker):
    """Makes the calls of one gateway."""

    def __init__(
        self,
        name: str,
        mailbox: GatewayMailbox,
        crashed: Callable[[Crash], None],
        *,
        make: Callable[[], Gateway],
        coordinator: Port,
        watch: Watch,
        hang_s: float,
    ) -> None:
        super().__init__(name, mailbox, crashed)
        self._make, self._coordinator = make, coordinator
        self._watch, self._hang_s = watch, hang_s
        self._book = mailbox.book
        self._busy = watch.add(name, hang_s)
        self._driver: GatewayDriver
        self._pool: Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread: threading.Thread | None = None
        self._loop_over = False
        self._slots: asyncio.Semaphore | None = None
        self._for_loop: list[Coroutine[Any, Any, None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._local = threading.local()

    def open(self) -> None:
        """Make the gateway and its threads."""
        gateway = self._make()
        self._driver = GatewayDriver(gateway)
        concurrency = gateway.concurrency
        if concurrency > 1 and self._driver.has_sync:
            self._pool = Pool(
                concurrency, f"saga-{self._name}", self._enter, self._in_pool, self._leave, self._failed
            )
        if self._driver.has_async:
            self._loop = asyncio.new_event_loop()
            self._slots = asyncio.Semaphore(concurrency)
            self._loop_thread = threading.Thread(
                target=self._run_loop, name=f"saga-{self._name}-loop", daemon=True
            )
            self._loop_thread.start()

    def _enter(self) -> None:
        enter_actor(self._name)
        self._local.busy = self._watch.add(self._name, self._hang_s)

    def _leave(self) -> None:
        self._watch.remove(self._local.busy)

    def _run_loop(self) -> None:
        enter_actor(self._name)
        assert self._loop is not None
        asyncio.set_event_loop(self._loop)
        try:
            while not self._loop_over:
                self._loop.run_forever()  # a handler that stops its loop stops no other
        finally:
            self._loop.close()

    # --- messages ---------------------------------------------------------------------------------

    def work(self, messages: list[Any]) -> None:
        """Make the calls, or see to it that they are made, until the runtime is being closed.

        Each answer leaves before the next call begins: nobody knows how long that takes, and should the process end
        meanwhile, what has ended would be begun again.
        """
        try:
            for n, message in enumerate(messages):
                if self.mailbox.shut:
                    break
                try:
                    if type(message) is Deliver:
                        self._deliver(message)
                    else:
                        self._take(message)
                except BaseException:
                    self.mailbox.put_back(messages[n + 1 :])
                    raise
        finally:
            self._wake_loop()

    def _take(self, message: Any) -> None:
        if type(message) is Inquire:
            self._inquire(message)
        elif type(message) is Direct:
            self._direct(message)
        else:
            assert type(message) is _Failed
            raise message.error

    def _deliver(self, message: Deliver) -> None:
        if self._loop is not None and self._driver.is_async(message.type):
            self._book.accept(message.command_id)
            self._in_loop(self._call_async(message))
        elif self._pool is not None:
            self._book.accept(message.command_id)
            self._pool.submit(message)
        else:
            self._wake_loop()  # what was to begin there does not wait for this call
            self._call(message, self._busy)

    def _call(self, message: Deliver, busy: Busy) -> None:
        """Make a call, unless it is void or was begun before."""
        if self._book.begin(message.command_id):
            self._end(message, self._driver.call(message, busy))

    def _end(self, message: Deliver, ended: Ended) -> None:
        """Tell how a call has ended: the answer first, it is what an inquiry that has waited for it is about."""
        self._tell(self._driver.answer(message, ended))
        inquiry = self._book.end(message.command_id)
        if inquiry is not None:
            self._resolve(inquiry, "unknown")  # a call that has failed leaves the outcome unknown

    def _direct(self, message: Direct) -> None:
        if self._driver.is_async(message.type):
            self._in_loop(self._direct_async(message))
        elif self._pool is not None:
            self._pool.submit(message)
        else:
            self._wake_loop()
            _reply(message, self._driver.call(message, self._busy))

    def _inquire(self, message: Inquire) -> None:
        outcome = self._book.inquire(message)
        if outcome is not None:
            self._resolve(message, outcome)

    def _resolve(self, inquiry: Inquire, outcome: str) -> None:
        seam("gateway.before-resolution")
        self._tell(Answer(inquiry.saga_no, inquiry.path, f"resolved-{outcome}", NULL, UNSET))

    def _tell(self, answer: Answer) -> None:
        self._coordinator.post(Answers(self._name, [answer], [], 0, 0))
        seam("gateway.after-answer")

    def _failed(self, error: BaseException) -> None:
        self.mailbox.post(_Failed(error))

    # --- in other threads -------------------------------------------------------------------------

    def _in_pool(self, message: Deliver | Direct) -> None:
        if self.mailbox.shut:
            return  # the next life of the runtime makes this call
        if isinstance(message, Direct):
            _reply(message, self._driver.call(message, self._local.busy))
        else:
            self._call(message, self._local.busy)

    def _in_loop(self, call: Coroutine[Any, Any, None]) -> None:
        self._for_loop.append(call)

    def _wake_loop(self) -> None:
        """Hand over what the event loop is to do, all at once: to wake it takes longer than to begin a call."""
        if self._for_loop:
            assert self._loop is not None
            calls, self._for_loop = self._for_loop, []
            self._loop.call_soon_threadsafe(self._begin, calls)

    def _begin(self, calls: list[Coroutine[Any, Any, None]]) -> None:
        assert self._loop is not None
        for call in calls:
            task = self._loop.create_task(self._guarded(call))
            self._tasks.add(task)  # the loop itself forgets what it runs
            task.add_done_callback(self._tasks.discard)

    async def _guarded(self, call: Coroutine[Any, Any, None]) -> None:
        assert self._slots is not None
        try:
            async with self._slots:
                await call
        except BaseException as error:
            self._failed(error)

    async def _call_async(self, message: Deliver) -> None:
        if not self.mailbox.shut and self._book.begin(message.command_id):
            self._end(message, await self._watched(message))

    async def _direct_async(self, message: Direct) -> None:
        if not self.mailbox.shut:
            _reply(message, await self._watched(message))

    async def _watched(self, message: Deliver | Direct) -> Ended:
        """Make a call, which is reported like any other when it hangs: each has a `Busy` of its own."""
        busy = self._watch.add(self._name, self._hang_s, _trace_of(asyncio.current_task()))
        try:
            return await self._driver.call_async(message, busy)
        finally:
            self._watch.remove(busy)

    # --- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Wait for the calls that are running; those that wait do not begin."""
        if self._pool is not None:
            self._pool.close(wait=True)
        self._stop_loop()
        if self._loop_thread is not None:
            self._loop_thread.join()
        self._watch.remove(self._busy)

    def abandon(self) -> None:
        """See `Worker`. Commands that nobody has begun with come again; what the application sent does not."""
        if self._pool is not None:
            left = self._pool.close(wait=False)
            for message in left:
                if type(message) is Deliver:
                    self._book.lost(message.command_id)
            self.mailbox.put_back([message for message in left if type(message) is Direct])
        self._stop_loop()
        self._watch.remove(self._busy)

    def _stop_loop(self) -> None:
        if self._loop is None:
            return
        loop = self._loop

        async def finish() -> None:
            calls = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            await asyncio.gather(*calls, return_exceptions=True)
            self._loop_over = True
            loop.call_soon(loop.stop)

        asyncio.run_coroutine_threadsafe(finish(), loop)


def _reply(message: Direct, ended: Ended) -> None:
    outcome, _, value, reason, code, _ = ended
    message.reply(outcome, value, reason, code)


def _trace_of(task: asyncio.Task[Any] | None) -> Callable[[], str]:
    """Return what tells where a task waits: the way down from await to await; nothing while it is running."""

    def trace() -> str:
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

    return trace
