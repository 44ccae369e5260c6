"""The store as a whole: a copy of it, and what is let go of."""

from __future__ import annotations

import asyncio
import builtins
import os
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Self

from saga.backing_up import back_up
from saga.coordination import requests as q
from saga.coordination.envelopes import Forget
from saga.handle import refuse_in_actor
from saga.line import Reply
from saga.retention import AwayContexts, Pruned, checked_age, let_go
from saga.runtime.wired import Wired
from saga.store import Copied, data_files

__all__ = ["Upkeep"]


class Upkeep(Wired):
    """Backs the store up, and lets go of what is over."""

    def backup(self, directory: str | os.PathLike[str], *, timeout: float = 60.0) -> Copied:
        """Copy the whole store to `directory`, while sagas run; return when the copy is complete and on disk.

        The copy is of one moment across all files, and a store of its own: `saga verify` passes on it, and it can be
        opened, or copied to another place, as it is (docs/operations.md). Everything that was acknowledged before the
        call is in it. It is written beside, as `DIRECTORY.partial`, and renamed when all of it is there.

        - `directory`: is not there yet, or empty;
        - `timeout`: seconds that a context may go on with what it is handling before its part is copied.

        Raises CopyFailed (the place is taken, the disk is full, a context is busy for longer), and nothing is left
        then; RuntimeClosed, StoreFailed.
        """
        with self._upkeep:
            return back_up(self._line, self._open_crew, self._files, directory, timeout)

    async def backup_async(self, directory: str | os.PathLike[str], *, timeout: float = 60.0) -> Copied:
        """`backup` for asyncio: does not block the loop."""
        return await asyncio.to_thread(self.backup, directory, timeout=timeout)

    def prune(self, older_than: timedelta, *, timeout: float = 60.0) -> Pruned:
        """Let go of what ended longer ago than this and that nobody needs, while sagas run (docs/operations.md).

        These are sagas with their histories and tags, each with all that it has called; what contexts remember of their
        commands; events; what contexts remember of commands of `send`. It is done in small commits, so that a failure
        in between leaves some of it. The id of a saga (or `send`) that is gone can begin anew.

        `timeout`: seconds that a context may go on with what it is handling, each time. Returns what was let go of.
        Raises UsageError (also when a context is down), WaitTimeout, RuntimeClosed, StoreFailed, or another StoreError.
        """
        refuse_in_actor("prune")
        before_ms = self._clock.now_ms() - checked_age(older_than)
        self._open_crew()
        with self._upkeep, _Hands(self, timeout) as hands:
            return let_go(hands, before_ms)

    async def prune_async(self, older_than: timedelta, *, timeout: float = 60.0) -> Pruned:
        """`prune` for asyncio: does not block the loop."""
        return await asyncio.to_thread(self.prune, older_than, timeout=timeout)


class _Hands:
    """What lets go of sagas, events and answers in the files of a runtime; see `retention.Hands`."""

    def __init__(self, runtime: Wired, timeout: float) -> None:
        self._line, self._timeout, self.read = runtime._line, timeout, runtime._read
        self._here = [each.name for each in runtime._participants if each.kind == "context"]
        self._files, self._away = runtime._files, AwayContexts(runtime._files, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._away.__exit__(*error)

    def contexts(self) -> Sequence[str]:
        return self._here if self._files.in_memory else [n for n in data_files(self._files) if n != "saga"]

    def let_go(self, sagas: builtins.list[tuple[int, str]] | None, before_ms: int) -> int:
        reply: Future[int] = Reply()
        return self._line.ask(q.LetGo(sagas, before_ms, reply), reply, self._timeout)

    def forget(
        self, context: str, saga_ids: builtins.list[str], before_ms: int, after: str
    ) -> tuple[int, str | None]:
        if context not in self._here:
            return self._away.forget(context, saga_ids, before_ms, after)
        reply: Future[tuple[int, str | None]] = Reply()
        return self._line.ask_context(
            context, Forget(saga_ids, before_ms, after, reply), reply, self._timeout
        )
