"""Threads that make calls for an actor. All are daemons: one that hangs does not keep the process from ending.

That is why this is not a `concurrent.futures.ThreadPoolExecutor`, whose threads the interpreter waits for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

__all__ = ["Pool"]

END = object()


class Pool:
    """So many threads, which carry out messages, first come first served."""

    def __init__(
        self,
        size: int,
        name: str,
        enter: Callable[[], None],
        carry_out: Callable[[Any], None],
        leave: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`enter` and `leave` are called in each thread, at its beginning and its end; `failed` with what `carry_out`
        raises."""
        self._size, self._name = size, name
        self._enter, self._carry_out, self._leave, self._failed = enter, carry_out, leave, failed
        self._messages: SimpleQueue[Any] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, message: object) -> None:
        """Have a message carried out. Only the actor submits."""
        self._messages.put(message)
        if len(self._threads) < self._size:
            name = f"{self._name}-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self, *, wait: bool) -> list[Any]:
        """Let the threads end with what they are doing now; return the messages that nobody has begun with."""
        left = []
        try:
            while True:
                left.append(self._messages.get_nowait())
        except Empty:
            pass
        for _ in self._threads:
            self._messages.put(END)
        if wait:
            for thread in self._threads:
                thread.join()
        return left

    def _work(self) -> None:
        self._enter()
        while (message := self._messages.get()) is not END:
            try:
                self._carry_out(message)
            except BaseException as error:
                self._failed(error)
        self._leave()
