"""Books a trip again and again, in a fork of its own and a store of its own, and kills it a little later each time.

Arguments: a directory for the stores, the address of the airline, the city, and the stride. The fork number n is
killed with signal 9 at the n-th seam that it passes, and n grows by the stride until a fork gets through. It
prints each n whose fork was killed.
It has no threads and no open file, so that a fork of it is as good as a new process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from itertools import count
from pathlib import Path

import sqlite_utils  # noqa: F401 - a context imports it when it is opened

from examples.trip_booking.agency import make_agency
from examples.trip_booking.book_trip import BookTrip, TripWanted
from saga import ScaledClock, seams

FACTOR = 1000.0
"""The pauses between the attempts are not waited for."""

LONGEST_S = 30


def book(store: Path, airline_url: str, city: str, nth: int) -> None:
    """Book the trip to the end, or to the n-th seam."""
    left, lock = nth, threading.Lock()

    def kill_at_the_nth(name: str) -> None:
        nonlocal left
        with lock:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    seams.hook = kill_at_the_nth
    with make_agency(store, airline_url, ScaledClock(FACTOR)) as agency:
        agency.start(BookTrip, TripWanted("Eve", city), id=store.name).wait(LONGEST_S)


def main(directory: Path, airline_url: str, city: str, stride: int) -> None:
    """Print the numbers of the forks that were killed."""
    for nth in count(1, stride):
        pid = os.fork()
        if pid == 0:
            signal.alarm(LONGEST_S)
            try:
                book(directory / f"{city}-{nth}", airline_url, city, nth)
            except BaseException:
                os._exit(1)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code != -signal.SIGKILL:
            assert code == 0, f"the fork that was to be killed at seam {nth} ended with {code}"
            return
        print(nth, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
