"""Every error this library raises, in one tree. The first branch says whose fault it is.

    SagaError
    ├── DefinitionError             the author: a saga, context or message type is written wrongly
    ├── UsageError                  the caller: a call that cannot be carried out as it stands
    │   ├── NotReached              a value was read before its element was reached
    │   ├── NotEncodable            a value that cannot be stored, with the path of the field
    │   │   └── PayloadTooLarge     a value that is stored too large
    │   ├── SagaConflict            the id exists with another saga or another input
    │   ├── UnknownSaga             no such saga instance
    │   │   └── UnknownId           nothing at all has this id, neither saga nor event nor command
    │   ├── NotAllowed              the action does not fit the state the saga is in
    │   ├── NoHandler               nobody in this runtime handles the command
    │   ├── BadSchedule             a cron expression, time zone or policy that makes no sense
    │   ├── ScheduleConflict        a schedule of this name exists, and is another one
    │   ├── NotInstalled            an optional package that the call needs is not installed
    │   ├── WaitTimeout             the time given to a wait is up
    │   ├── SagaParked              the saga waits for a person
    │   ├── CommandFailed           a command sent directly failed for a technical reason
    │   ├── Overloaded              too much is in progress; try again later
    │   ├── RuntimeClosed           the runtime is closed, or is closing
    │   └── ForkedRuntime           the runtime belongs to another process
    ├── StoredDataError             the stored data: what is on disk is not what was written
    │   ├── NotDecodable            stored bytes that do not fit their type
    │   ├── SchemaTooNew            written by a newer version of this library
    │   ├── DefinitionChanged       live sagas were started with another graph of the same version
    │   ├── CorruptStore            a digest, a constraint or SQLite's own check does not hold
    │   └── DataLossDetected        a file is missing, older than its peers, or foreign
    └── StoreError                  the environment: disk, permissions, another process
        ├── StoreInUse              another runtime owns the store
        ├── StoreNotFound           there is no store at this path
        ├── StoreFailed             a write failed and its outcome is unknown; the runtime stops
        └── CopyFailed              a backup, or a restore, could not be made

Errors keep their facts as attributes, and each message says what is wrong, where, and what to do.
A business refusal is not an error of this library: it is a value, `saga.Rejected` (see `messages`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "BadSchedule",
    "CommandFailed",
    "CopyFailed",
    "CorruptStore",
    "DataLossDetected",
    "DefinitionChanged",
    "DefinitionError",
    "ForkedRuntime",
    "NoHandler",
    "NotAllowed",
    "NotDecodable",
    "NotEncodable",
    "NotInstalled",
    "NotReached",
    "Overloaded",
    "PayloadTooLarge",
    "Problem",
    "RuntimeClosed",
    "SagaConflict",
    "SagaError",
    "SagaParked",
    "ScheduleConflict",
    "SchemaTooNew",
    "StoreError",
    "StoreFailed",
    "StoreInUse",
    "StoreNotFound",
    "StoredDataError",
    "UnknownId",
    "UnknownSaga",
    "UsageError",
    "WaitTimeout",
]


class SagaError(Exception):
    """The root of all errors of this library."""


# --- the author -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a definition: where, what, and what to do about it."""

    element: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.element}: {self.what}; {self.remedy}"


class DefinitionError(SagaError):
    """A definition is wrong. All problems found are reported at once in `problems`."""

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        count = len(self.problems)
        super().__init__(f"{subject}: {count} problem{'s' if count != 1 else ''}{lines}")


# --- the caller -----------------------------------------------------------------------------------


class UsageError(SagaError):
    """The call cannot be carried out as it stands; nothing was changed."""


class NotReached(UsageError):
    """`self.<leaf>` was read before the saga reached that leaf.

    Not an `AttributeError`, so that `hasattr` and `getattr` with a default do not hide the mistake.
    """

    def __init__(self, saga: str, element: str) -> None:
        self.saga, self.element = saga, element
        super().__init__(
            f"{saga}.{element} was not reached, so it has no value; "
            f"read it only in elements that the flow reaches after it"
        )


class NotEncodable(UsageError):
    """A value cannot be stored. `path` is the field, such as `items[2].price`."""

    def __init__(self, type_name: str, path: str, why: str) -> None:
        self.type_name, self.path, self.why = type_name, path, why
        where = f"{type_name}.{path}" if path else type_name
        super().__init__(f"{where}: {why}")


class PayloadTooLarge(NotEncodable):
    """A value encodes to more bytes than allowed. `size` and `limit` are in bytes."""

    def __init__(self, type_name: str, path: str, size: int, limit: int) -> None:
        self.size, self.limit = size, limit
        super().__init__(
            type_name,
            path,
            f"is {size:,} bytes when encoded, the limit is {limit:,}; "
            f"store large content elsewhere and pass a reference to it",
        )


class SagaConflict(UsageError):
    """The id is taken by a saga of another definition or with another input."""

    def __init__(self, saga_id: str, recorded: str, given: str) -> None:
        self.saga_id, self.recorded, self.given = saga_id, recorded, given
        super().__init__(
            f"saga {saga_id!r} exists as {recorded}, and was now to be started as {given}; use another id, "
            f"or the same definition and input to get a handle of the existing one"
        )


class UnknownSaga(UsageError):
    """There is no saga instance of this id in the store."""

    def __init__(self, saga_id: str) -> None:
        self.saga_id = saga_id
        super().__init__(f"no saga {saga_id!r} in this store; `saga list` shows the ids there are")


class UnknownId(UnknownSaga):
    """Nothing that is (still) in the store has this id: no saga, no event, no command."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.args = (
            f"nothing in this store has the id {id!r}; give that of a saga, an event, a command, a send or a publish",
        )


class NotAllowed(UsageError):
    """The action does not fit the state the saga is in; the saga is as it was."""

    def __init__(self, saga_id: str, action: str, why: str) -> None:
        self.saga_id, self.action, self.why = saga_id, action, why
        super().__init__(f"cannot {action} saga {saga_id!r}: {why}")


class NoHandler(UsageError):
    """No context or gateway of this runtime handles commands of this type."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name
        super().__init__(
            f"no handler for {type_name}; add the context or gateway that handles it to Runtime(contexts=[...])"
        )


class BadSchedule(UsageError):
    """A schedule cannot be kept as it was given. `argument` is that of `Runtime.schedule`, `value` what it was."""

    def __init__(self, argument: str, value: object, why: str) -> None:
        self.argument, self.value, self.why = argument, value, why
        super().__init__(f"{argument}={value!r:.120}: {why}")


class ScheduleConflict(UsageError):
    """A schedule of this name exists, and is another one. `differences` are the arguments that differ."""

    def __init__(self, name: str, differences: Sequence[str]) -> None:
        self.name, self.differences = name, tuple(differences)
        super().__init__(
            f"schedule {name!r} exists with another {', '.join(self.differences)}; "
            f"use another name, or replace=True to put this one in its place"
        )


class NotInstalled(UsageError):
    """The call needs a package that is optional and not installed. `extra` is what to install."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what}, which is not installed: pip install '{extra}'")


class WaitTimeout(UsageError, TimeoutError):
    """The saga (or answer) was not there when the time was up. It goes on; wait again or look later."""

    def __init__(self, what: str, timeout_s: float) -> None:
        self.what, self.timeout_s = what, timeout_s
        super().__init__(f"{what} is not done after {timeout_s:g} s; it goes on, and can be waited for again")


class SagaParked(UsageError):
    """The saga cannot go on without a person. `reason` says why, `elements` where."""

    def __init__(self, saga_id: str, elements: Sequence[str], reason: str) -> None:
        self.saga_id, self.elements, self.reason = saga_id, tuple(elements), reason
        super().__init__(
            f"saga {saga_id!r} is parked at {', '.join(self.elements)}: {reason.splitlines()[-1] if reason else ''}; "
            f"see `saga show {saga_id}`, then retry, skip or mark_done"
        )


class CommandFailed(UsageError):
    """A command sent with `Runtime.send` failed for a technical reason; send it again with the same id."""

    def __init__(self, command_id: str, reason: str) -> None:
        self.command_id, self.reason = command_id, reason
        super().__init__(f"command {command_id!r} failed: {reason}; it may be sent again with the same id")


class Overloaded(UsageError):
    """Too much is in progress. Nothing was stored; try again later."""

    def __init__(self, active: int, limit: int, timeout_s: float) -> None:
        self.active, self.limit, self.timeout_s = active, limit, timeout_s
        super().__init__(
            f"{active:,} sagas are active, the limit is {limit:,}, and it stayed so for {timeout_s:g} s; "
            f"nothing was stored, try again later"
        )


class RuntimeClosed(UsageError):
    """The runtime was closed, or is closing. What was acknowledged is on disk."""

    def __init__(self, what: str = "the runtime is closed") -> None:
        super().__init__(f"{what}; open a new Runtime on the same store to go on")


class ForkedRuntime(UsageError):
    """The runtime was opened in another process, of which this one is a fork."""

    def __init__(self, owner_pid: int, pid: int) -> None:
        self.owner_pid, self.pid = owner_pid, pid
        super().__init__(
            f"this runtime belongs to process {owner_pid}, and is used in its fork {pid}; "
            f"open the runtime after the fork"
        )


# --- the stored data ------------------------------------------------------------------------------


class StoredDataError(SagaError):
    """What is on disk is not what was written, or cannot be used by this version. Nothing was changed."""


class NotDecodable(StoredDataError):
    """Stored or received bytes do not fit the type they are said to be of."""

    def __init__(self, type_name: str, why: str) -> None:
        self.type_name, self.why = type_name, why
        super().__init__(
            f"a stored {type_name} does not fit its type: {why}; if the class was changed, give it a new "
            f"version with __saga_type__, or a default to the new field"
        )


class SchemaTooNew(StoredDataError):
    """The file was written by a newer version of this library; it was left untouched."""

    def __init__(self, path: str, found: int, known: int) -> None:
        self.path, self.found, self.known = path, found, known
        super().__init__(
            f"{path} has schema {found}, this version of saga knows up to {known}; upgrade saga-actors, "
            f"the file was left untouched"
        )


class DefinitionChanged(StoredDataError):
    """Live sagas were started with another graph, or other message types, of the same name and version."""

    def __init__(self, name: str, version: int, live: int, what: str) -> None:
        self.name, self.version, self.live, self.what = name, version, live, what
        super().__init__(
            f"{name} version {version} differs from the one {live} live saga{'s' if live != 1 else ''} "
            f"started with ({what}); give the new one version={version + 1} and register both"
        )


class CorruptStore(StoredDataError):
    """A check of the stored data failed. Nothing was dispatched."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(f"{path} is damaged: {what}; restore the whole directory from a backup")


class DataLossDetected(StoredDataError):
    """A file of the store is missing, older than its peers, or belongs to another store."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(
            f"{path}: {what}; restore the whole directory from one backup. Nothing was dispatched"
        )


# --- the environment ------------------------------------------------------------------------------


class StoreError(SagaError):
    """The store cannot be used here and now."""


class StoreInUse(StoreError):
    """Another runtime owns the store. The facts of its lock file are in the attributes."""

    def __init__(self, path: str, pid: int | None, host: str | None, since: str | None) -> None:
        self.path, self.pid, self.host, self.since = path, pid, host, since
        owner = f"process {pid} on {host} since {since}" if pid is not None else "another process"
        super().__init__(f"{path} is in use by {owner}; stop that one first, or use another directory")


class StoreNotFound(StoreError):
    """There is no store at this path."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"no store at {path}: a store is a directory that holds saga.db")


class StoreFailed(StoreError):
    """A write failed, and whether it is on disk is unknown. The runtime has stopped; its journal recovers."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(f"{path}: {what}; the runtime has stopped, open it again once the cause is mended")


class CopyFailed(StoreError):
    """A backup, or a restore, could not be made. Nothing is left of it, and what was to be copied is as it was."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(f"no copy was made at {path}: {what}")
