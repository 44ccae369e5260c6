"""Where messages to an actor are put: a deque, and one message that wakes the actor however many there are.

It outlives the actor: when one dies its successor finds everything that was not taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pykka

__all__ = ["WAKE", "Mailbox"]

WAKE = object()
"""The one message that is sent through pykka when a mailbox is no longer empty."""


class Mailbox:
    """Any number of threads post; the one actor it is attached to takes."""

    __slots__ = ("_awake", "_messages", "_ref", "shut")

    def __init__(self) -> None:
        self._messages: deque[Any] = deque()
        self._ref: pykka.ActorRef[Any] | None = None
        self._awake = False
        self.shut = False
        """Nothing is taken out any more: the runtime is being closed, or has failed."""

    def __len__(self) -> int:
        return len(self._messages)

    def attach(self, ref: pykka.ActorRef[Any] | None) -> None:
        """Wake this actor from now on; nobody for None. What lies here is for it."""
        self._ref = ref
        self._awake = False
        if self._messages:
            self._wake()

    def post(self, message: object) -> None:
        """Put a message in."""
        self._messages.append(message)
        if not self._awake:
            self._wake()

    def post_many(self, messages: list[Any]) -> None:
        """Put messages in, in order."""
        self._messages.extend(messages)
        if not self._awake:
            self._wake()

    def take(self, most: int) -> list[Any]:
        """Take what is there, at most so many; only the actor does this."""
        self._awake = False  # before looking: what is posted from now on wakes again, at worst for nothing
        messages = self._messages
        count = 0 if self.shut else min(len(messages), most)
        return [messages.popleft() for _ in range(count)]

    def rest(self) -> None:
        """After `take`: wake again if something was left."""
        if self._messages and not self._awake and not self.shut:
            self._wake()

    def put_back(self, messages: Sequence[Any]) -> None:
        """Put back to the front, in order, what was taken in vain; only the actor does this."""
        self._messages.extendleft(reversed(messages))

    def empty(self) -> list[Any]:
        """Take everything out, when no actor is there any more that would."""
        taken = []
        with suppress(IndexError):  # others may still post
            while True:
                taken.append(self._messages.popleft())
        return taken

    def _wake(self) -> None:
        ref = self._ref
        if ref is None:
            return
        self._awake = True
        try:
            ref.tell(WAKE)
        except pykka.ActorDeadError:
            self._awake = False  # its successor is woken when it is attached
