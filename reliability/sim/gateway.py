"""A gateway on one thread: what `saga.actors.gateway` does, as turns that a scheduler lets happen one by one.

Rules
1. A call begins in one turn and ends in a later one, so that anything may happen meanwhile. Its effect is had at its
   beginning or at its end, as chance has it.
2. With `concurrency = 1` the mailbox waits while a call runs; with more, calls wait in a queue of their own.
3. When the gateway dies, calls that run go on to their end, as threads do; those in the queue are lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reliability.sim.boxes import CallBox
from reliability.sim.props import Ended as ProcessEnded
from saga.coordination.envelopes import UNSET, Answer, Answers, Deliver, Direct, Inquire, Port
from saga.coordination.gateway import NULL, Ended, GatewayDriver
from saga.coordination.guard import Busy
from saga.participants import Gateway
from saga.seams import seam

__all__ = ["Call", "SimGateway"]


@dataclass(eq=False, slots=True)
class Call:
    """A call that is running."""

    message: Deliver | Direct
    busy: Busy
    ended: Ended | None
    """How it has ended already, which nobody knows yet."""


class SimGateway:
    """Makes the calls of one gateway. `busy` makes what one is noted with, `free` gives that back."""

    def __init__(
        self,
        name: str,
        gateway: Gateway,
        box: CallBox,
        coordinator: Port,
        busy: Callable[[], Busy],
        free: Callable[[Busy], None],
        gone: Callable[[], bool],
    ) -> None:
        """`gone` returns whether the process has ended: in the middle of a call, perhaps."""
        self.name, self.box, self._coordinator = name, box, coordinator
        self.driver = GatewayDriver(gateway)
        self._concurrency = gateway.concurrency
        self._busy, self._free, self._gone = busy, free, gone
        self._queue: deque[Deliver | Direct] = deque()
        self._answers: list[Answer] = []
        self.running: list[Call] = []

    @property
    def can_take(self) -> bool:
        """Whether it looks into its mailbox now."""
        return bool(self.box.messages) and (self._concurrency > 1 or not self.running)

    @property
    def can_begin(self) -> bool:
        """Whether a call that waits can begin."""
        return bool(self._queue) and len(self.running) < self._concurrency

    def take(self, most: int, early: Callable[[], bool]) -> None:
        """Take messages, until a call keeps it from taking more. `early`: whether an effect is had at once."""
        box = self.box
        for _ in range(min(most, len(box))):
            (message,) = box.take(1)
            if isinstance(message, Inquire):
                self.report()
                outcome = box.book.inquire(message)
                if outcome is not None:
                    self._resolve(message, outcome)
            elif self._concurrency > 1:
                if isinstance(message, Deliver):
                    box.book.accept(message.command_id)
                self._queue.append(message)
            elif isinstance(message, Direct) or box.book.begin(message.command_id):
                self._begin(message, early())
                break
        if not self.running:
            self.report()

    def begin(self, early: Callable[[], bool]) -> None:
        """Begin with a call that waits."""
        message = self._queue.popleft()
        if isinstance(message, Direct) or self.box.book.begin(message.command_id):
            self._begin(message, early())

    def _begin(self, message: Deliver | Direct, early: bool) -> None:
        busy = self._busy()
        call = Call(message, busy, self._call(message, busy) if early else None)
        busy.begin(message.type, message.number)
        self.running.append(call)

    def _call(self, message: Deliver | Direct, busy: Busy) -> Ended:
        ended = self.driver.call(message, busy)
        if self._gone():
            raise ProcessEnded  # nobody is there any more who could say how it has ended
        return ended

    def end(self, call: Call) -> None:
        """A call ends, and its answer leaves."""
        message = call.message
        ended = call.ended or self._call(message, call.busy)
        call.busy.end()
        self._free(call.busy)
        self.running.remove(call)
        if isinstance(message, Direct):
            outcome, _, value, reason, code, _ = ended
            message.reply(outcome, value, reason, code)
            return
        self._answers.append(self.driver.answer(message, ended))
        self.report()
        inquiry = self.box.book.end(message.command_id)
        if inquiry is not None:
            self._resolve(inquiry, "unknown")

    def report(self) -> None:
        """Let answers leave."""
        if self._answers:
            answers, self._answers = self._answers, []
            self._tell(answers)

    def _resolve(self, inquiry: Inquire, outcome: str) -> None:
        self._tell([Answer(inquiry.saga_no, inquiry.path, f"resolved-{outcome}", NULL, UNSET)])

    def _tell(self, answers: list[Answer]) -> None:
        self._coordinator.post(Answers(self.name, answers, [], 0, 0))
        seam("gateway.after-answer")

    def die(self) -> list[Call]:
        """Lose what waits and what has not left; return the calls that run, which end all the same.

        Commands that the application has sent are back in the mailbox.
        """
        direct: list[Any] = [message for message in self._queue if isinstance(message, Direct)]
        for message in self._queue:
            if isinstance(message, Deliver):
                self.box.book.lost(message.command_id)
        self.box.messages.extendleft(reversed(direct))
        self._queue.clear()
        self._answers.clear()
        return self.running
