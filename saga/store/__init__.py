"""The store: SQLite files. The only place that knows SQL.

Rules
1. One writer per file: the coordinator owns saga.db, each context its own file. The owner opens its
   connection in its own thread, and is the only one to checkpoint. Everyone else opens `mode=ro`.
2. WAL and `synchronous=FULL` on every file; `BEGIN IMMEDIATE` always. What `commit` returned from is on disk.
3. The journal is append-only, and chained by digests per saga; a number once given is never given again.
4. One runtime per store, by a lock that lives and dies with its process.
5. Files know each other: the id of the store, an epoch, their own commit number and the highest they have
   heard of their peers. A missing, older or foreign file is refused before anything is written.
6. Nothing here knows what a record, a token or a thread is: bytes in, rows out. No clock: times come in as
   UTC ms.
7. Errors of sqlite3 and of the operating system do not get out; each becomes one of `saga.errors` or of
   `errors` here.
8. JSON is stored as text, times as UTC ms, so that SQL on the documented views is a public interface.
"""

from saga.store.asking import (
    Answered,
    Asked,
    answer,
    answer_to,
    ask,
    clear_requests,
    take_request,
    withdraw,
)
from saga.store.batch import (
    Batch,
    DefinitionRow,
    EventRow,
    IncidentRow,
    JournalRow,
    Participant,
    SagaRow,
    ScheduleRow,
    SuspectKey,
    SuspectRow,
    TimerRow,
    WaitRow,
)
from saga.store.context_rows import ContextChanges, InboxRow, OutboxRow, RetryRow, StoreState
from saga.store.context_store import ContextStore
from saga.store.copying import Copied, CopyPlace, Snapshot, copy_unowned, data_files, refuse_a_running_store
from saga.store.digest import FIRST, chain, digest_of, schedule_digest
from saga.store.errors import (
    CannotOpen,
    ConstraintFailed,
    DiskFull,
    FileLocked,
    NotAStore,
    TransactionLost,
    TryAgain,
)
from saga.store.files import MEMORY, StoreFiles
from saga.store.forms import FILLED, GAP, JSON, whole
from saga.store.integrity import Finding, verify
from saga.store.lock import Owner, OwnerLock, is_locked, read_owner
from saga.store.read_only import ReadOnly
from saga.store.reading import ContextFacts, OverviewRow, StoreFacts, StoreReader
from saga.store.running import COORDINATOR, UNNUMBERED, Cell, Running
from saga.store.saga_store import PRUNED_AT_ONCE, SagaStore

__all__ = [
    "COORDINATOR",
    "FILLED",
    "FIRST",
    "GAP",
    "JSON",
    "MEMORY",
    "PRUNED_AT_ONCE",
    "UNNUMBERED",
    "Answered",
    "Asked",
    "Batch",
    "CannotOpen",
    "Cell",
    "ConstraintFailed",
    "ContextChanges",
    "ContextFacts",
    "ContextStore",
    "Copied",
    "CopyPlace",
    "DefinitionRow",
    "DiskFull",
    "EventRow",
    "FileLocked",
    "Finding",
    "InboxRow",
    "IncidentRow",
    "JournalRow",
    "NotAStore",
    "OutboxRow",
    "OverviewRow",
    "Owner",
    "OwnerLock",
    "Participant",
    "ReadOnly",
    "RetryRow",
    "Running",
    "SagaRow",
    "SagaStore",
    "ScheduleRow",
    "Snapshot",
    "StoreFacts",
    "StoreFiles",
    "StoreReader",
    "StoreState",
    "SuspectKey",
    "SuspectRow",
    "TimerRow",
    "TransactionLost",
    "TryAgain",
    "WaitRow",
    "answer",
    "answer_to",
    "ask",
    "chain",
    "clear_requests",
    "copy_unowned",
    "data_files",
    "digest_of",
    "is_locked",
    "read_owner",
    "refuse_a_running_store",
    "schedule_digest",
    "take_request",
    "verify",
    "whole",
    "withdraw",
]
