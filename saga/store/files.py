"""Where the files of a store are.

    <directory>/saga.db           journal, instances, waits, timers, event log; the coordinator alone writes it
    <directory>/<context>.db      one per context, written by that context alone
    <directory>/runtime.lock      held by the runtime that owns the store
    <directory>/runtime.running   what that runtime is carrying out right now; a hint, can be deleted
    <directory>/runtime.request   what somebody outside asks of it (see `asking`); can be deleted

`MEMORY` instead of a directory keeps every file in memory: each is private to the connection that opened it,
so all reads go through the owner, and all is gone at the end.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from saga.store.errors import CannotOpen

__all__ = ["MEMORY", "StoreFiles"]

MEMORY = ":memory:"

SAGA_FILE = "saga.db"
LOCK_FILE = "runtime.lock"
RUNNING_FILE = "runtime.running"


@dataclass(frozen=True, slots=True)
class StoreFiles:
    """The paths of one store; nothing is opened or created by asking for them."""

    directory: str
    """Absolute path of the directory, or `MEMORY`."""

    @classmethod
    def at(cls, directory: str | os.PathLike[str]) -> StoreFiles:
        """Return the files of the store in `directory` (made absolute), or in memory for `MEMORY`."""
        path = os.fspath(directory)
        return cls(path if path == MEMORY else os.path.abspath(path))

    @property
    def in_memory(self) -> bool:
        """Whether the store lives in memory only."""
        return self.directory == MEMORY

    @property
    def saga(self) -> str:
        """Path of the coordinator's file, or `MEMORY`."""
        return MEMORY if self.in_memory else os.path.join(self.directory, SAGA_FILE)

    @property
    def lock(self) -> str:
        """Path of the lock file. ValueError for a store in memory, which has none."""
        if self.in_memory:
            raise ValueError("a store in memory has no lock file")
        return os.path.join(self.directory, LOCK_FILE)

    @property
    def running(self) -> str:
        """Path of the file that says what is being carried out. ValueError for a store in memory, which has none."""
        if self.in_memory:
            raise ValueError("a store in memory has no file of what is being carried out")
        return os.path.join(self.directory, RUNNING_FILE)

    def context(self, name: str) -> str:
        """Return the path of the file of context `name`, or `MEMORY`.

        Raises CannotOpen for a name that is no file name of its own: `saga` is taken by the coordinator.
        """
        if not name.isidentifier() or name == "saga":
            raise CannotOpen(
                self.directory, f"a context cannot keep its data under the name {name!r}; rename its class"
            )
        return MEMORY if self.in_memory else os.path.join(self.directory, f"{name}.db")

    def context_names(self) -> list[str]:
        """Return the names that have a database file beside saga.db, in alphabetical order.

        Some may be files of other programs: only what is in them tells. Empty for a store in memory.
        """
        if self.in_memory:
            return []
        try:
            return sorted(
                path.stem
                for path in Path(self.directory).glob("*.db")
                if path.name != SAGA_FILE and path.stem.isidentifier() and path.is_file()
            )
        except OSError as error:
            raise CannotOpen(self.directory, error.strerror or str(error)) from error

    def make_directory(self) -> None:
        """Create the directory, with its parents, where it is missing. Raises CannotOpen with the reason."""
        if self.in_memory:
            return
        try:
            os.makedirs(self.directory, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise CannotOpen(
                self.directory, "there is a file of this name; a store is a directory"
            ) from error
        except OSError as error:
            raise CannotOpen(self.directory, f"the directory cannot be created: {error.strerror}") from error
