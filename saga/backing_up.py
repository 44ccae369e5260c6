"""A backup of the store that this process runs, while it runs. Why it is of one moment: docs/adr/0016.

Nobody is stopped: the coordinator takes its snapshot between two commits and puts a mark into the mailbox of each
context, which takes its own where the mark stands. Then the snapshots are copied, beside all that goes on.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from saga.coordination.requests import Cut
from saga.errors import CopyFailed, WaitTimeout
from saga.handle import refuse_in_actor
from saga.line import Line, Reply
from saga.store import Copied, CopyPlace, Snapshot, StoreFiles, data_files

__all__ = ["back_up"]

ATTEMPTS: Final = 3
"""A context that is restarted between the coordinator's snapshot and its own hears of a later commit than that one
has; then all is done again."""


def back_up(
    line: Line,
    go_on: Callable[[], object],
    files: StoreFiles,
    directory: str | os.PathLike[str],
    timeout: float,
) -> Copied:
    """Copy the store in `files`, which is run here, to `directory`; see `Runtime.backup`.

    `go_on` is called now and then, and raises when the runtime has ended.
    """
    refuse_in_actor("backup")
    if files.in_memory:
        raise CopyFailed(
            os.path.abspath(directory), "a store in memory cannot be copied; give it a directory"
        )
    for _ in range(ATTEMPTS):
        place = CopyPlace.take(directory, datetime.now(UTC).isoformat(timespec="seconds"))
        snapshots = _Snapshots(files)
        try:
            copied = place.write(snapshots.of_one_moment(line, directory, timeout), go_on)
        finally:
            place.give_up()
            snapshots.close()
        if copied is not None:
            return copied
    raise CopyFailed(
        os.path.abspath(directory), "contexts were restarted each time meanwhile; try again later"
    )


class _Snapshots:
    """The snapshots of all files. Each is taken in the thread of whoever writes to the file, between two commits."""

    def __init__(self, files: StoreFiles) -> None:
        self._files = files
        self._guard = threading.Lock()
        self._taken: dict[str, Snapshot] = {}
        self._closed = False
        self._is_there: dict[str, Reply[None]] = {name: Reply() for name in data_files(files)}
        """Whose snapshot is waited for."""
        self._marked = threading.Event()

    def of_one_moment(
        self, line: Line, directory: str | os.PathLike[str], timeout: float
    ) -> dict[str, Snapshot]:
        """Have all snapshots taken; return them by name, when they are there."""
        until = time.monotonic() + timeout
        for each in self._is_there.values():
            line.hold(each)
        reply: Reply[list[str]] = Reply()
        reply.add_done_callback(lambda _: self._marked.set())
        try:
            here = line.ask(Cut(self.take, reply), reply, timeout)
            for name in self._is_there.keys() - {"saga", *here}:
                self.take(name)  # nobody writes to it now
            for name, each in self._is_there.items():
                who = name
                each.result(max(0.0, until - time.monotonic()))
        except WaitTimeout:
            who = "the coordinator"
        except TimeoutError:
            pass
        else:
            with self._guard:
                return {name: self._taken[name] for name in self._is_there}
        what = f"{who} is busy with what began before, for more than {timeout:g} s; give it more time"
        raise CopyFailed(os.path.abspath(directory), what)

    def take(self, name: str) -> None:
        """Take the snapshot of one file; in the thread of whoever writes to it."""
        try:
            if name != "saga":
                # Else somebody whom an early one has answered might, through us, tell a late one of it.
                self._marked.wait()
            path = self._files.saga if name == "saga" else self._files.context(name)
            snapshot = Snapshot.take(path)
        except BaseException as error:
            self._is_there[name].set_exception(error)
            return
        with self._guard:
            if (
                self._closed or name in self._taken
            ):  # a context that dies at once is told again: the first one counts
                snapshot.close()
                return
            self._taken[name] = snapshot
        self._is_there[name].set_result(None)

    def close(self) -> None:
        """Let go of all files; also of those whose turn comes later."""
        with self._guard:
            self._closed = True
            for snapshot in self._taken.values():
                snapshot.close()
        for each in self._is_there.values():
            each.cancel()
