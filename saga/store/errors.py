"""Errors that stay inside the engine: whoever drives a store catches these and decides.

    StoreError
    ├── TryAgain                nothing was written; the same call may be made again, unchanged
    │   ├── DiskFull            there is no space; goes on by itself when there is
    │   └── FileLocked          another program holds a write lock on the file
    ├── ConstraintFailed        the rows do not fit the schema: divide the batch, park whose they are
    ├── TransactionLost         user code left the transaction of a context in no state to be committed
    ├── CannotOpen              a file or directory cannot be opened, created or read
    └── NotAStore               a SQLite file which is none of ours

All derive from `saga.errors.StoreError`, so that one which gets out is still an error of this library.
"""

from __future__ import annotations

from saga.errors import StoreError

__all__ = [
    "CannotOpen",
    "ConstraintFailed",
    "DiskFull",
    "FileLocked",
    "NotAStore",
    "TransactionLost",
    "TryAgain",
]


class TryAgain(StoreError):
    """Nothing was written, and the connection is as it was before; the same call may be made again."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(f"{path}: {what}")


class DiskFull(TryAgain):
    """There is no space left for the file. What was stored before is intact."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "the disk is full; free some space (what is running goes on by itself)")


class FileLocked(TryAgain):
    """Another program holds a write lock on the file, longer than the busy timeout."""

    def __init__(self, path: str) -> None:
        super().__init__(
            path, "another program is writing to it; end that program, only the runtime may write"
        )


class ConstraintFailed(StoreError):
    """Rows of a batch do not fit the schema; the whole batch was rolled back.

    `part` is the attribute of the batch that the rows stand in, such as `journal`.
    """

    def __init__(self, path: str, part: str, what: str) -> None:
        self.path, self.part, self.what = path, part, what
        super().__init__(f"{path}: rows of {part} were refused: {what}")


class TransactionLost(StoreError):
    """User code has ended the transaction, or left it so that it cannot be committed; everything in it is
    lost.

    `INSERT OR ROLLBACK`, a trigger with `RAISE(ROLLBACK)` and a full disk do that, and a statement that
    writes and whose rows were not all read (`INSERT ... RETURNING`).
    """

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(f"{path}: {what}")


class CannotOpen(StoreError):
    """A file or directory of the store cannot be opened, created or read."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(f"{path}: {what}")


class NotAStore(StoreError):
    """The file is a SQLite database of something else. It was left untouched."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(f"{path} is {what}; move it away, or use another directory. It was left untouched")
