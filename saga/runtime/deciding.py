"""What persons are to decide: listed, decided, handed on."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from saga.arguments import checked_text
from saga.codec import codec_for
from saga.coordination.instances import Instance
from saga.errors import NotAllowed, NotEncodable
from saga.flow.saga import Saga
from saga.machine import Stimulus
from saga.machine import stimuli as s
from saga.machine.acting import open_task
from saga.runtime.wired import Wired
from saga.tasks import OpenTask, read_tasks

__all__ = ["Deciding"]


class Deciding(Wired):
    """Lists and completes tasks."""

    def tasks(
        self,
        *,
        saga: type[Saga[Any]] | str | None = None,
        task: str | None = None,
        assignee: str | None = None,
        limit: int = 100,
    ) -> list[OpenTask]:
        """Return what persons are to decide, at most `limit` tasks, those of the sagas started first before others.

        - `saga`: the class or its name; `task`: the name of the element;
        - `assignee`: tasks of this person, "" for those of nobody in particular, None for all.
        """
        name = self._definitions.of(saga).graph.name if isinstance(saga, type) else saga
        return self._read(
            lambda reader: read_tasks(reader, saga=name, task=task, assignee=assignee, limit=limit)
        )

    def complete_task(
        self, id: str, answer: object = None, *, task: str = "", by: str = "", timeout: float = 30.0
    ) -> None:
        """Decide a task of the saga `id`; return when that is on disk.

        - `answer`: the decision, of the type that the task says;
        - `task`: its element or path, needed when several are open in the saga; `by`: who has decided.

        Raises UnknownSaga, NotAllowed when there is no such task (any more), NotEncodable when `answer` does not fit.
        """

        by, task = checked_text("by", by), checked_text("task", task)

        def make(instance: Instance) -> Stimulus:
            visit = open_task(instance.state, task)
            function = instance.author.function(visit.element)
            if function is None or function.kind != "task":
                what = "its class is not known to this runtime; add it to Runtime(sagas=[...])"
                raise NotAllowed(id, "complete_task", what)
            try:
                data = codec_for(function.answer).encode(answer)
            except NotEncodable as error:
                error.add_note(f"complete_task of {visit.path} in saga {id!r} takes what its task asks for")
                raise
            instance.author.forget(visit.element)
            return s.Decide(Raw(data), by, visit.path)

        self._act(id, "complete_task", make, timeout)

    def assign_task(
        self, id: str, assignee: str, *, task: str = "", by: str = "", timeout: float = 30.0
    ) -> None:
        """Say who is to decide a task, "": anybody. Raises as `complete_task`."""
        stimulus = s.Assign(
            checked_text("assignee", assignee), checked_text("by", by), checked_text("task", task)
        )
        self._act(id, "assign_task", stimulus, timeout)
