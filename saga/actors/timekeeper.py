"""The timekeeper: waits for the next due time on behalf of everybody.

It wakes at least once a second: a clock may jump, and a machine may sleep, while a thread's wait does not notice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pykka

from saga.actors.mailbox import Mailbox
from saga.clock import Clock
from saga.coordination.guard import describe
from saga.log import Log

__all__ = ["RUN", "Timekeeper", "TimekeeperActor"]

log = Log("saga.timekeeper")

RUN = object()
"""The message that sets a timekeeper's actor to work."""

LONGEST_WAIT_S = 1.0
JUMP_S = 1.0
"""A difference between the system's clock and the monotonic one that is worth a line in the log."""


class Timekeeper:
    """Who wants to be woken when. Called from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._due: dict[str, tuple[int, Mailbox, object]] = {}
        self._stopped = False
        self.every_second: Callable[[], None] = lambda: None
        """Called about once a second, from the timekeeper's thread."""
        clock.on_move(self._changed.set)

    def wake_at(self, name: str, due_ms: int | None, mailbox: Mailbox, message: object) -> None:
        """Post `message` at this time; it replaces what was asked for under this name, None asks for nothing."""
        with self._lock:
            known = self._due.get(name)
            if due_ms is None:
                self._due.pop(name, None)
                return
            if known is not None and known[0] == due_ms:
                return
            self._due[name] = (due_ms, mailbox, message)
        if known is None or due_ms < known[0]:
            self._changed.set()

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped = True
        self._changed.set()

    def run(self) -> None:
        """Wait and post, until stopped."""
        last_beat = time.monotonic()
        offset = time.time() - last_beat
        while not self._stopped:
            self._changed.wait(self._post_due())
            self._changed.clear()
            beat = time.monotonic()
            if beat - last_beat >= LONGEST_WAIT_S:
                last_beat = beat
                jump = time.time() - beat - offset
                if abs(jump) > JUMP_S:
                    offset += jump
                    log.warning("clock_jump", seconds=round(jump, 3))
                self.every_second()

    def _post_due(self) -> float:
        """Post what is due; return how many seconds to wait."""
        wait = LONGEST_WAIT_S
        with self._lock:
            due = []
            for name, entry in list(self._due.items()):
                left = self._clock.seconds_until(entry[0])
                if left is None:
                    continue
                if left <= 0:
                    due.append(entry)
                    del self._due[name]
                else:
                    wait = min(wait, left)
        for _, mailbox, message in due:
            mailbox.post(message)
        return wait


class TimekeeperActor(pykka.ThreadingActor):
    """Lends its thread to a timekeeper. Its one message takes as long as the runtime lives."""

    use_daemon_thread = True

    def __init__(self, timekeeper: Timekeeper) -> None:
        super().__init__()
        self._timekeeper = timekeeper

    def on_receive(self, message: Any) -> None:
        """Run until stopped; the one message is `RUN`."""
        threading.current_thread().name = "saga-timekeeper"
        while True:
            try:
                self._timekeeper.run()
                break
            except BaseException as error:
                log.error("timekeeper_failed", reason=describe(error))
        self.stop()
