"""Long-running business processes on actors, inside one Python process.

The promised names. What is not listed here may move. Importing this package loads the language in which sagas
and contexts are written; what runs them is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from saga.errors import (
    BadSchedule,
    CommandFailed,
    CopyFailed,
    CorruptStore,
    DataLossDetected,
    DefinitionChanged,
    DefinitionError,
    ForkedRuntime,
    NoHandler,
    NotAllowed,
    NotDecodable,
    NotEncodable,
    NotInstalled,
    NotReached,
    Overloaded,
    PayloadTooLarge,
    Problem,
    RuntimeClosed,
    SagaConflict,
    SagaError,
    SagaParked,
    ScheduleConflict,
    SchemaTooNew,
    StoredDataError,
    StoreError,
    StoreFailed,
    StoreInUse,
    StoreNotFound,
    UnknownId,
    UnknownSaga,
    UsageError,
    WaitTimeout,
)
from saga.flow import (
    PerItem,
    Retry,
    Saga,
    again,
    answer,
    call,
    choice,
    compensate,
    condition,
    each,
    end,
    items,
    parallel,
    publish,
    race,
    refuse,
    repeat,
    scope,
    sleep,
    step,
    task,
    wait,
)
from saga.messages import Command, Event, Key, Rejected
from saga.participants import Context, Gateway

if TYPE_CHECKING:
    from saga.clock import ScaledClock, SystemClock, VirtualClock
    from saga.coordination.outcome import Outcome, Refusal
    from saga.event_log import Delivery, LoggedEvent
    from saga.handle import Handle
    from saga.history import HistoryEntry
    from saga.machine import Status
    from saga.retention import Pruned
    from saga.runtime import Runtime, Start
    from saga.schedules import Schedule
    from saga.store import Copied
    from saga.story import Trace, TraceEntry
    from saga.tasks import OpenTask

__all__ = [
    "BadSchedule",
    "Command",
    "CommandFailed",
    "Context",
    "Copied",
    "CopyFailed",
    "CorruptStore",
    "DataLossDetected",
    "DefinitionChanged",
    "DefinitionError",
    "Delivery",
    "Event",
    "ForkedRuntime",
    "Gateway",
    "Handle",
    "HistoryEntry",
    "Key",
    "LoggedEvent",
    "NoHandler",
    "NotAllowed",
    "NotDecodable",
    "NotEncodable",
    "NotInstalled",
    "NotReached",
    "OpenTask",
    "Outcome",
    "Overloaded",
    "PayloadTooLarge",
    "PerItem",
    "Problem",
    "Pruned",
    "Refusal",
    "Rejected",
    "Retry",
    "Runtime",
    "RuntimeClosed",
    "Saga",
    "SagaConflict",
    "SagaError",
    "SagaParked",
    "ScaledClock",
    "Schedule",
    "ScheduleConflict",
    "SchemaTooNew",
    "Start",
    "Status",
    "StoreError",
    "StoreFailed",
    "StoreInUse",
    "StoreNotFound",
    "StoredDataError",
    "SystemClock",
    "Trace",
    "TraceEntry",
    "UnknownId",
    "UnknownSaga",
    "UsageError",
    "VirtualClock",
    "WaitTimeout",
    "again",
    "answer",
    "call",
    "choice",
    "compensate",
    "condition",
    "each",
    "end",
    "items",
    "parallel",
    "publish",
    "race",
    "refuse",
    "repeat",
    "scope",
    "sleep",
    "step",
    "task",
    "wait",
]

_LAZY = {
    "Copied": "saga.store",
    "Delivery": "saga.event_log",
    "Handle": "saga.handle",
    "HistoryEntry": "saga.history",
    "LoggedEvent": "saga.event_log",
    "OpenTask": "saga.tasks",
    "Outcome": "saga.coordination.outcome",
    "Refusal": "saga.coordination.outcome",
    "Pruned": "saga.retention",
    "Runtime": "saga.runtime",
    "ScaledClock": "saga.clock",
    "Schedule": "saga.schedules",
    "Start": "saga.runtime",
    "Status": "saga.machine",
    "SystemClock": "saga.clock",
    "Trace": "saga.story",
    "TraceEntry": "saga.story",
    "VirtualClock": "saga.clock",
}
"""What runs sagas needs pykka, sqlite-utils and structlog, which are slow to import: it is loaded when asked for."""


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'saga' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value
