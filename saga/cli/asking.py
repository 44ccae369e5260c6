"""Ask the program that runs a store to do something, and wait until it is done."""

from __future__ import annotations

import time
import uuid
from typing import Final

from saga.errors import StoreError
from saga.store import Asked, StoreFiles, answer_to, ask, is_locked, read_owner, withdraw

__all__ = ["asked_of_owner"]

ANSWERED_WITHIN_S: Final = 15.0
"""Seconds within which a program that works takes a request: it looks once a second."""

LOOK_EVERY_S: Final = 0.05


def asked_of_owner(
    files: StoreFiles, *, directory: str | None = None, older_than_ms: int | None = None
) -> dict[str, object]:
    """Have the program that runs the store do what `Asked` says; return the facts of what came of it.

    Raises StoreError when that has failed, the program does not take the request, or ends meanwhile; UsageError when
    somebody else asks for something.
    """
    asked = Asked(uuid.uuid4().hex, directory, older_than_ms)
    owner = read_owner(files)
    who = "the program" if owner is None else f"process {owner.pid} on {owner.host}"
    ask(files, asked)
    until = time.monotonic() + ANSWERED_WITHIN_S
    try:
        while (answered := answer_to(files, asked)) is None:
            if time.monotonic() > until and withdraw(files, asked):
                what = "does not answer: it is stopped, is of an older version, or runs as another user"
                raise StoreError(f"{who}, which runs {files.directory}, {what}")
            ended = not is_locked(files) or read_owner(files) != owner
            if ended and (answered := answer_to(files, asked)) is None:
                raise StoreError(f"{who}, which ran {files.directory}, has ended; try again")
            if answered is not None:
                break
            time.sleep(LOOK_EVERY_S)
    except BaseException:
        withdraw(files, asked)
        raise
    if answered.error:
        raise StoreError(answered.error)
    return answered.facts
