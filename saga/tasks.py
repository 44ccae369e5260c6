"""Tasks: what persons are to decide in sagas, as an application lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from saga.store import StoreReader
from saga.times import utc

__all__ = ["OpenTask", "read_tasks"]


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task that waits for a person.

    - `saga_id`, `saga`: id of the saga, and the name of its definition;
    - `task`: name of the element, such as `approve_budget`; `path`: of the visit, such as `approve_budget.1`;
    - `subject`: what the person is shown, as plain JSON values; `answer_type`: stored name of the type of the decision,
      `null` when the task is only to be done;
    - `assignee`: who is to decide, None: anybody; `since`, `due_at`: in UTC, the latter None when there is time.
    """

    saga_id: str
    saga: str
    task: str
    path: str
    subject: Any
    answer_type: str
    assignee: str | None
    since: datetime
    due_at: datetime | None


def read_tasks(
    reader: StoreReader, *, saga: str | None, task: str | None, assignee: str | None, limit: int
) -> list[OpenTask]:
    """Return the open tasks in the order in which their sagas were started; see `StoreReader.open_tasks`."""
    return list(_tasks(reader.open_tasks(saga=saga, task=task, assignee=assignee, limit=limit)))


def _tasks(rows: Iterable[Any]) -> Iterable[OpenTask]:
    for saga_id, saga, row in rows:
        yield OpenTask(
            saga_id,
            saga,
            row.task,
            row.path,
            msgspec.json.decode(row.subject),
            row.answer_type,
            row.assignee,
            utc(row.since_ms),
            None if row.due_ms is None else utc(row.due_ms),
        )
