"""Calls campaigns off, each in a fork and a store of its own, and kills each a little later than the one before.

Arguments: a directory for the stores, the address of the payment provider, and the stride. The fork number n is
killed with signal 9 at the n-th seam that it passes after the decision, and n grows by the stride until a fork gets
through. It prints each n whose fork was killed.
It has no threads and no open file, so that a fork of it is as good as a new process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path

import sqlite_utils  # noqa: F401 - a context imports it when it is opened

from examples.event_campaign.company import make_company
from examples.event_campaign.planning.messages import CallOff
from examples.event_campaign.speakers.find_speaker import TalkPlanned
from examples.event_campaign.tour import people
from examples.event_campaign.tour.ideas import GOALS, conference
from examples.event_campaign.tour.stage import Stage
from saga import VirtualClock, seams

LONGEST_S = 30

VISITORS = 3


def call_off(store: Path, provider_url: str, nth: int) -> None:
    """Play a campaign until some have registered, and call it off; go on to the end, or to the n-th seam from there."""
    left, lock = nth, threading.Lock()

    def kill_at_the_nth(name: str) -> None:
        nonlocal left
        with lock:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    clock = VirtualClock()
    with make_company(store, provider_url, clock) as company:
        stage = Stage(company, clock)
        idea = replace(conference(stage.now), talks=(TalkPlanned("Sagas", ("Ada",)),), fewest_talks=1)
        people.have_an_idea(stage, store.name, idea, GOALS)
        people.decide(stage, store.name, approved=True)
        people.answer(stage, store.name, "Ada", Decimal(100))
        for number in range(1, VISITORS + 1):
            people.register(stage, store.name, number)
        seams.hook = kill_at_the_nth
        company.send(CallOff(store.name, "a test"))
        company.handle(store.name).wait(LONGEST_S)


def main(directory: Path, provider_url: str, stride: int) -> None:
    """Print the numbers of the forks that were killed."""
    for nth in count(1, stride):
        pid = os.fork()
        if pid == 0:
            signal.alarm(LONGEST_S)
            try:
                call_off(directory / f"conference-{nth}", provider_url, nth)
            except BaseException:
                os._exit(1)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code != -signal.SIGKILL:
            assert code == 0, f"the fork that was to be killed at seam {nth} ended with {code}"
            return
        print(nth, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
