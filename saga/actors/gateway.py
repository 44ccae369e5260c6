"""A gateway's actor: makes its calls, one after the other on its own thread, or several at once.

With `concurrency = 1` calls run on the actor's thread. With more, `def` handlers run on a pool of that many threads
and `async def` handlers on an event loop of their own, so many at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from saga.actors.loop import CallLoop
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
        self._loop: CallLoop | None = None
        self._local = threading.local()

    def open(self) -> None:
        """Make the gateway and its threads."""
        gateway = self._make()
        self._driver = GatewayDriver(gateway)
        concurrency, name = gateway.concurrency, f"saga-{self._name}"
        if concurrency > 1 and self._driver.has_sync:
            self._pool = Pool(concurrency, name, self._enter, self._in_pool, self._leave, self._failed)
        if self._driver.has_async:
            watch = partial(self._watch.add, self._name, self._hang_s)
            enter, unwatch = partial(enter_actor, self._name), self._watch.remove
            self._loop = CallLoop(concurrency, name, enter, self._in_loop, watch, unwatch, self._failed)

    def _enter(self) -> None:
        enter_actor(self._name)
        self._local.busy = self._watch.add(self._name, self._hang_s)

    def _leave(self) -> None:
        self._watch.remove(self._local.busy)

    # --- messages ---------------------------------------------------------------------------------

    def work(self, messages: list[Any]) -> None:
        """Make the calls, or see to it that they are made, until the runtime is being closed.

        Each answer leaves before the next call begins: nobody knows how long that takes, and should the process end
        meanwhile, what has ended would be begun again.
        """
        alone = self._pool is None and self._loop is None
        try:
            for n, message in enumerate(messages):
                if self.mailbox.shut:
                    break
                try:
                    if type(message) is not Deliver:
                        self._take(message)
                    elif alone:
                        self._call(message, self._busy)
                    else:
                        self._deliver(message)
                except BaseException:
                    self.mailbox.put_back(messages[n + 1 :])
                    raise
        finally:
            if self._loop is not None:
                self._loop.wake()

    def _take(self, message: Any) -> None:
        if type(message) is Inquire:
            self._inquire(message)
        elif type(message) is Direct:
            self._direct(message)
        else:
            assert type(message) is _Failed
            raise message.error

    def _deliver(self, message: Deliver) -> None:
        elsewhere = self._elsewhere(message)
        if elsewhere is None:
            self._call(message, self._busy)
        else:
            self._book.accept(message.command_id)
            elsewhere.submit(message)

    def _elsewhere(self, message: Deliver | Direct) -> CallLoop | Pool | None:
        """Return who is to make this call; None when it is made here and now."""
        if self._loop is not None:
            if self._driver.is_async(message.type):
                return self._loop
            if self._pool is None:
                self._loop.wake()  # what is to begin there does not wait for this call
        return self._pool

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
        elsewhere = self._elsewhere(message)
        if elsewhere is None:
            _reply(message, self._driver.call(message, self._busy))
        else:
            elsewhere.submit(message)

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

    async def _in_loop(self, message: Deliver | Direct, busy: Busy) -> None:
        if self.mailbox.shut:
            return  # see `_in_pool`
        if isinstance(message, Direct):
            _reply(message, await self._driver.call_async(message, busy))
        elif self._book.begin(message.command_id):
            self._end(message, await self._driver.call_async(message, busy))

    # --- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Wait for the calls that are running; those that wait do not begin."""
        for each in (self._pool, self._loop):
            if each is not None:
                each.close(wait=True)
        self._watch.remove(self._busy)

    def abandon(self) -> None:
        """See `Worker`. Commands that nobody has begun with come again; what the application sent does not."""
        left: list[Any] = []
        for each in (self._pool, self._loop):
            if each is not None:
                left += each.close(wait=False)
        for message in left:
            if type(message) is Deliver:
                self._book.lost(message.command_id)
        self.mailbox.put_back([message for message in left if type(message) is Direct])
        self._watch.remove(self._busy)


def _reply(message: Direct, ended: Ended) -> None:
    outcome, _, value, reason, code, _ = ended
    message.reply(outcome, value, reason, code)
