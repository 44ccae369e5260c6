"""What the parts of a `Runtime` are built on: the crew at work, the line to it, and readers of the files."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from saga.actors.crew import Crew
from saga.arguments import known_id
from saga.clock import Clock
from saga.coordination import requests as q
from saga.coordination.definitions import Definitions
from saga.coordination.envelopes import Consult
from saga.coordination.instances import Instance
from saga.coordination.participation import Participant
from saga.errors import ForkedRuntime, RuntimeClosed, UsageError
from saga.event_log import EventClasses
from saga.handle import refuse_in_actor
from saga.line import Line, Reply
from saga.machine import Stimulus
from saga.participants import Context, participant_name
from saga.sending import Sender
from saga.store import StoreFiles, StoreReader
from saga.store.inspection import ContextReader

__all__ = ["Wired", "context_name"]

T = TypeVar("T")


class Wired:
    """What the parts of a `Runtime` share. `Runtime` sets all of it."""

    _definitions: Definitions
    _participants: list[Participant]
    _files: StoreFiles
    _clock: Clock
    _event_classes: EventClasses
    _pid: int
    _crew: Crew | None
    _line: Line
    _sender: Sender
    _upkeep: threading.Lock
    """One backup or pruning at a time: both look at files of contexts that are not here."""

    def _open_crew(self) -> Crew:
        crew = self._crew
        if crew is None:
            raise RuntimeClosed("the runtime is not open")
        if os.getpid() != self._pid:
            raise ForkedRuntime(self._pid, os.getpid())
        if crew.failure is not None:
            raise crew.failure
        if crew.closed:
            raise RuntimeClosed()
        return crew

    def _act(
        self, id: str, name: str, stimulus: Stimulus | Callable[[Instance], Stimulus], timeout: float
    ) -> None:
        refuse_in_actor(name)
        request = q.Act(known_id(id), name, stimulus, Reply())
        self._line.ask(request, request.reply, timeout)

    def _read_contexts(self, read: Callable[[ContextReader], T], only: str | None = None) -> dict[str, T]:
        """Return context → what `read` finds in its file; those that are not here included."""
        self._open_crew()
        if self._files.in_memory:
            names = [each.name for each in self._participants if each.kind == "context"]
        else:
            with StoreReader.open(self._files.directory) as reader:
                names = reader.contexts()
        if only is not None and only not in names:
            raise UsageError(f"this store has no context {only!r}; there are {', '.join(names) or 'none'}")
        found: dict[str, T] = {}
        for name in names if only is None else [only]:
            if self._files.in_memory:
                reply: Future[T] = Reply()
                request = Consult(partial(_over, read, name), reply)
                found[name] = self._line.ask_context(name, request, reply, 30.0)
            else:
                with ContextReader.open(self._files, name) as context:
                    found[name] = read(context)
        return found

    def _context_here(self, context: type[Context] | str) -> str:
        """Return the name of a context of this runtime. Raises UsageError when it has no such one."""
        name = context_name(context)
        names = [each.name for each in self._participants if each.kind == "context"]
        if name not in names:
            raise UsageError(f"this runtime has no context {name!r}; it has {', '.join(names) or 'none'}")
        return name

    def _read(self, read: Callable[[StoreReader], T]) -> T:
        self._open_crew()
        if self._files.in_memory:
            reply: Future[T] = Reply()
            request = q.Query(lambda connection: read(StoreReader.over(connection)), reply)
            return self._line.ask(request, reply, 30.0)
        with StoreReader.open(self._files.directory) as reader:
            return read(reader)


def _over(read: Callable[[ContextReader], T], name: str, connection: Any) -> T:
    return read(ContextReader.over(connection, name))


def context_name(context: type[Context] | str) -> str:
    """Return the name of a context, given as its class or as that. Raises UsageError for what is neither."""
    if isinstance(context, str):
        return str.__str__(context)
    if isinstance(context, type) and issubclass(context, Context):
        return participant_name(context)
    raise UsageError(f"{context!r:.80} is no context: give its class, or its name")
