"""Where messages to an actor are put: a deque, and one message that wakes the actor however many there are.

It outlives the actor: when one dies its successor finds everything that was not taken.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import pykka

__all__ = ["WAKE", "Mailbox"]

WAKE = object()
"""The one message that is sent through pykka when a mailbox is no longer empty."""


class Mailbox:
    """Any number of threads post; the one actor it is attached to takes."""

    __slots__ = ("_awake", "_messages", "_ref")

    def __init__(self) -> None:
        self._messages: deque[Any] = deque()
        self._ref: pykka.ActorRef[Any] | None = None
        self._awake = False

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
        count = min(len(messages), most)
        return [messages.popleft() for _ in range(count)]

    def rest(self) -> None:
        """After `take`: wake again if something was left."""
        if self._messages and not self._awake:
            self._wake()

    def _wake(self) -> None:
        ref = self._ref
        if ref is None:
            return
        self._awake = True
        try:
            ref.tell(WAKE)
        except pykka.ActorDeadError:
            self._awake = False  # its successor is woken when it is attached
