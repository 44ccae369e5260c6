"""Mailboxes: what `saga.actors.mailbox` is to threads. What has passed is kept for a while: it may come again."""

from __future__ import annotations

from collections import deque
from typing import Any

from saga.coordination.gateway import CallBook

__all__ = ["Box", "CallBox"]


class Box:
    """Where messages to one actor are put."""

    def __init__(self) -> None:
        self.messages: deque[Any] = deque()
        self.passed: deque[Any] = deque(maxlen=24)
        """What was taken out last."""

    def __len__(self) -> int:
        return len(self.messages)

    def post(self, message: object) -> None:
        """See `Port`."""
        self.messages.append(message)

    def post_many(self, messages: list[Any]) -> None:
        """See `Port`."""
        self.messages.extend(messages)

    def take(self, most: int) -> list[Any]:
        """Take messages out, at most so many."""
        taken = [self.messages.popleft() for _ in range(min(most, len(self.messages)))]
        self.passed.extend(taken)
        return taken


class CallBox(Box):
    """The mailbox of a gateway: an inquiry makes a call void as soon as it is posted."""

    def __init__(self) -> None:
        super().__init__()
        self.book = CallBook()

    def post_many(self, messages: list[Any]) -> None:
        """See `Port`."""
        self.book.posted(messages)
        super().post_many(messages)
