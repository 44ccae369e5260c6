"""The program that is attacked: a scenario of `reliability.crash`, run as any application would run it.

What it was acknowledged it tells on its output.
Exit codes: 0 when it got through; 70 when the store failed, with one line that says why; 75 when the disk stayed full.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import MutableMapping
from typing import Any, NoReturn

import structlog

from reliability.crash.broken import PROTECTIONS
from reliability.crash.businesses import business_of
from reliability.crash.job import Job
from reliability.crash.shopping import CannotLook
from reliability.syscalls.faults import DISK_FULL, FAILED
from saga import SagaError

__all__ = ["main"]

PATIENCE = 4
"""Attempts of a commit after which we close, since space does not come: 0.05, 0.1, 0.2 and 0.5 s apart."""


class DiskStaysFull(Exception):
    """Raised in the main thread, wherever it waits."""


def watch(_: Any, __: str, event: MutableMapping[str, Any]) -> NoReturn:
    """Keep the log to ourselves; notice when the runtime has waited for space for some time."""
    if event["event"] == "commit_postponed" and event["attempt"] == PATIENCE:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
    raise structlog.DropEvent


def give_up(number: int, frame: object) -> NoReturn:
    """Leave the scenario, and so close the runtime."""
    raise DiskStaysFull


def main(store: str, scenario: str, without: str) -> int:
    """Run the scenario; return the exit code."""
    structlog.configure(processors=[watch])
    signal.signal(signal.SIGUSR1, give_up)
    if without:
        PROTECTIONS[without]()
    try:
        business_of(scenario).run(Job(store, scenario))
    except (SagaError, CannotLook) as error:
        sys.stderr.write(f"saga: {error}\n")
        return FAILED
    except DiskStaysFull:
        sys.stderr.write("saga: the disk stays full\n")
        return DISK_FULL
    return 0
