"""The program whose store is backed up: it moves money as fast as it may, and lets go of what is over.

    python -m reliability.backups.program STORE ACKNOWLEDGED SALT

Each line that it reads is a directory for a backup; it answers `made` or `failed` and why. What was acknowledged to it
is written to a file, a line each, as soon as it is: `start ID`, `grant ID`, `note ID`. It ends with its input.
"""

from __future__ import annotations

import logging
import sys
import threading
from datetime import timedelta
from pathlib import Path

import structlog

from reliability.backups.bank import CONTEXTS, KINDS, SAGAS, Grant, Note, Order, Transfer
from saga import Runtime, SagaError, Start

AT_ONCE = 8
"""Transfers that are started in one commit."""

REST_S = 0.02
"""Between two of these, so that the store does not grow faster than it is looked at."""

KEPT = timedelta(seconds=1)
PRUNED_EVERY_S = 0.3


def main(store: str, acknowledged: Path, salt: str) -> None:
    """Run until the input ends."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    over = threading.Event()
    with Runtime(store, contexts=CONTEXTS, sagas=SAGAS) as runtime:
        threads = [
            threading.Thread(target=_transfer, args=(runtime, acknowledged, salt, over), daemon=True),
            threading.Thread(target=_grant, args=(runtime, acknowledged, salt, over), daemon=True),
            threading.Thread(target=_prune, args=(runtime, over), daemon=True),
        ]
        for thread in threads:
            thread.start()
        print("ready", flush=True)
        for line in sys.stdin:
            try:
                runtime.backup(line.strip())
                print("made", flush=True)
            except SagaError as error:
                print("failed", error, flush=True)
        over.set()
        for thread in threads:
            thread.join()


def _transfer(runtime: Runtime, acknowledged: Path, salt: str, over: threading.Event) -> None:
    number = 0
    with acknowledged.open("a", buffering=1) as lines:
        while not over.wait(REST_S):
            ids = [f"{KINDS[n % len(KINDS)]}-{salt}-{n}" for n in range(number, number + AT_ONCE)]
            number += AT_ONCE
            runtime.start_many(Start(Transfer, Order(id, 10 + len(id)), id) for id in ids)
            lines.write("".join(f"start {id}\n" for id in ids))


def _grant(runtime: Runtime, acknowledged: Path, salt: str, over: threading.Event) -> None:
    """Tell Savings of each grant that Giro has confirmed: whoever has the note has the grant, too."""
    number = 0
    with acknowledged.open("a", buffering=1) as lines:
        while not over.wait(REST_S / 4):
            number += 1
            id = f"{salt}-{number}"
            runtime.send(Grant(id, number), id=f"grant-{id}")
            lines.write(f"grant {id}\n")
            runtime.send(Note(id), id=f"note-{id}")
            lines.write(f"note {id}\n")


def _prune(runtime: Runtime, over: threading.Event) -> None:
    while not over.wait(PRUNED_EVERY_S):
        runtime.prune(KEPT)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
