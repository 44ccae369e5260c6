"""The base of our actors: a thread that opens its resources, takes messages, and closes.

Nothing leaves `on_receive`: whatever is raised ends this actor alone, and is told to the supervisor.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, NamedTuple

import pykka

from saga.actors.mailbox import WAKE, Mailbox
from saga.coordination.guard import describe, leave_fork
from saga.log import Log

__all__ = ["Close", "Crash", "Open", "Worker", "enter_actor", "in_actor"]

log = Log("saga.actors")


class _Inside(threading.local):
    """Whose thread this is. A default in the class: without it, asking would raise and catch an error each time."""

    name: str | None = None


_inside = _Inside()


def in_actor() -> str | None:
    """Return the name of the actor whose thread this is, or None: blocking calls are refused in one."""
    return _inside.name


def enter_actor(name: str) -> None:
    """From now on this thread is that of the actor `name`, or one that works for it."""
    _inside.name = name


class Open(NamedTuple):
    """Open what this actor works with, in its thread; the reply has what `open` returned or raised."""

    reply: Future[Any]


class Close(NamedTuple):
    """Finish and stop; the reply comes when everything is closed."""

    reply: Future[None]


class Crash(NamedTuple):
    """An actor has died of this."""

    name: str
    error: BaseException


class Worker(pykka.ThreadingActor):
    """An actor with a mailbox. Subclasses say what to open, how to work and what to close."""

    use_daemon_thread = True

    def __init__(self, name: str, mailbox: Mailbox, crashed: Callable[[Crash], None]) -> None:
        super().__init__()
        self._name, self._pid = name, os.getpid()
        self.mailbox = mailbox
        self._crashed = crashed
        self._over = False
        """It is closed or has died: what pykka still has for it, above all a wake, is for its successor."""

    def open(self) -> Any:
        """Open what is needed; whatever is raised here goes to whoever asked, and the actor stops."""
        raise NotImplementedError

    def work(self, messages: list[Any]) -> None:
        """Take these messages."""
        raise NotImplementedError

    def close(self) -> None:
        """Close what was opened; the mailbox may still hold messages."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Let go of what was opened, if anything was, without writing anything; after a crash, also one in `open`."""
        raise NotImplementedError

    @staticmethod
    def _create_actor_inbox() -> SimpleQueue[Any]:
        """Return what pykka puts our wakes in. Its own, `queue.Queue`, is written in Python; this one is quicker."""
        return SimpleQueue()

    most = 1_024
    """Messages taken at once."""

    def on_receive(self, message: Any) -> None:
        """Take one message from pykka; never raises."""
        if self._over:
            if isinstance(message, Close):
                message.reply.set_result(None)
            return
        try:
            if message is WAKE:
                self.work(self.mailbox.take(self.most))
                self.mailbox.rest()
            elif isinstance(message, Open):
                self._open(message)
            elif isinstance(message, Close):
                self._close(message)
        except BaseException as error:
            leave_fork(self._pid, self._name)
            self._die(error)

    def _open(self, message: Open) -> None:
        enter_actor(self._name)
        threading.current_thread().name = f"saga-{self._name}"
        try:
            opened = self.open()
            leave_fork(self._pid, f"opening {self._name}")
        except BaseException as error:
            leave_fork(self._pid, f"opening {self._name}")
            self._over = True
            self._let_go()
            message.reply.set_exception(error)
            self.stop()
            return
        self.mailbox.attach(self.actor_ref)
        message.reply.set_result(opened)

    def _close(self, message: Close) -> None:
        self._over = True
        try:
            self.close()
            message.reply.set_result(None)
        except BaseException as error:
            log.error("close_failed", actor=self._name, reason=describe(error))
            message.reply.set_exception(error)
        finally:
            self.mailbox.attach(None)
            self.stop()

    def _let_go(self) -> None:
        try:
            self.abandon()
        except BaseException as error:
            log.error("abandon_failed", actor=self._name, reason=describe(error))

    def _die(self, error: BaseException) -> None:
        self._over = True
        self.mailbox.attach(None)
        self._let_go()
        log.error("actor_died", actor=self._name, reason=describe(error))
        try:
            self._crashed(Crash(self._name, error))
        finally:
            self.stop()  # last: nobody tells it anything any more, and behind this a `Close` would have no reply
