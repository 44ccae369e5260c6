"""The supervisor: restarts the actors that have died, and reports those that hang.

A participant is restarted with its mailbox as it is, from its file; at most 5 times in 60 seconds, then it is
down: the sagas that need it are parked, the others go on. A coordinator that dies ends the runtime, and so does a write
of unknown outcome: what is on disk is only known after everything was opened anew.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import pykka

from saga.actors.worker import Crash
from saga.coordination.guard import Watch, describe
from saga.errors import ForkedRuntime, StoreFailed
from saga.log import Log

__all__ = ["HANGS_EXIT_CODE", "SupervisorActor"]

log = Log("saga.supervisor")

RESTARTS = 5
RESTARTS_WITHIN_S = 60.0
HANGS_EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: a service manager restarts the process, the journal recovers."""

LOOK = object()
"""The message that makes the supervisor look for hanging calls."""


class SupervisorActor(pykka.ThreadingActor):
    """Takes `Crash` and `LOOK`. The callbacks are called on its thread."""

    use_daemon_thread = True

    def __init__(
        self,
        watch: Watch,
        on_hang: Literal["alarm", "exit"],
        restart: Callable[[str], None],
        lower: Callable[[str, str], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        super().__init__()
        self._watch, self._on_hang = watch, on_hang
        self._restart, self._lower, self._fail = restart, lower, fail
        self._crashes: dict[str, deque[float]] = {}

    def on_receive(self, message: Any) -> None:
        """Never raises."""
        threading.current_thread().name = "saga-supervisor"
        try:
            if isinstance(message, Crash):
                self._crashed(message)
            elif message is LOOK:
                self._look()
        except BaseException as error:
            log.error("supervisor_failed", reason=describe(error))

    def _crashed(self, crash: Crash) -> None:
        if crash.name == "coordinator" or isinstance(crash.error, StoreFailed | ForkedRuntime):
            self._fail(crash.error)
            return
        crashes = self._crashes.setdefault(crash.name, deque())
        now = time.monotonic()
        crashes.append(now)
        while now - crashes[0] > RESTARTS_WITHIN_S:
            crashes.popleft()
        if len(crashes) > RESTARTS:
            reason = describe(crash.error, trace=False)
            log.error("participant_down", participant=crash.name, reason=reason)
            self._lower(crash.name, reason)
        else:
            log.warning("participant_restarted", participant=crash.name, restarts=len(crashes))
            self._restart(crash.name)

    def _look(self) -> None:
        for name, what, seconds, stack in self._watch.overdue():
            log.error("call_hangs", participant=name, call=what, seconds=round(seconds, 1), stack=stack)
            if self._on_hang == "exit" and name != "coordinator":
                sys.stderr.write(f"saga: {name} hangs in {what} for {seconds:.0f} s, exiting\n")
                sys.stderr.flush()
                os._exit(HANGS_EXIT_CODE)
