"""Trips that use every element of the language, killed with -9 at every seam, once and again during recovery.

`SAGA_EXHAUSTIVE=1` tries every passing of every seam.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from zlib import crc32

import pytest

from saga.seams import NAMES

from . import journey_invariants as invariants
from .harness import WORKERS, Run, Zygote, place
from .journey import IDS, Job

EXHAUSTIVE = bool(os.environ.get("SAGA_EXHAUSTIVE"))
RECOVERY = [name for name in NAMES if name.startswith("recovery.")]
OTHERS = [name for name in NAMES if name not in RECOVERY]


@dataclass(frozen=True)
class Crash:
    """A kill at the n-th passing of a seam."""

    seam: str
    nth: int


class Travellers:
    """Processes that fork workers, as many as work at the same time."""

    def __init__(self) -> None:
        self.zygotes = [Zygote("tests.recovery.journey") for _ in range(WORKERS)]
        self.passed: Counter[str] = Counter()

    def play_all(self, stories: list[list[Crash]]) -> int:
        """Play stories, some at a time; return how many kills there were."""

        def play_some(number: int) -> int:
            return sum(play(self.zygotes[number], story) for story in stories[number::WORKERS])

        with ThreadPoolExecutor(WORKERS) as pool:
            return sum(pool.map(play_some, range(WORKERS)))


def play(zygote: Zygote, crashes: list[Crash]) -> int:
    """Travel, and be killed there; then bring all to an end, check everything, and see that nothing changes again."""
    with place() as store:
        runs: list[Run] = []
        try:
            for crash in crashes:
                runs.append(zygote.run(Job(str(store), crash.seam, crash.nth, drain=bool(runs))))
                runs[-1].check()
            runs.append(zygote.run(Job(str(store), drain=bool(crashes))))
            runs[-1].check()
            acknowledged = {id for run in runs for id, *_ in run.told("acked")}
            invariants.check_all(store, acknowledged)
            before = invariants.everything(store)
            zygote.run(Job(str(store), drain=True)).check()
            assert invariants.everything(store) == before, "something changed after the end"
        except AssertionError as error:
            error.add_note(f"killed at {crashes}")
            raise
        return sum(run.killed for run in runs)


@pytest.fixture(scope="module")
def travellers() -> Iterator[Travellers]:
    travellers = Travellers()
    with place() as store:
        run = travellers.zygotes[0].run(Job(str(store)))
        run.check()
        invariants.check_all(store, set(IDS))
    travellers.passed.update({name: int(times) for name, times in run.told("passed")})
    yield travellers
    for zygote in travellers.zygotes:
        zygote.close()


def test_undisturbed_trips_pass_every_seam_and_hold_what_must_hold(travellers: Travellers) -> None:
    assert set(travellers.passed) == set(NAMES)


FORGERIES = {
    "happens twice": ("agency", "INSERT INTO effects SELECT * FROM effects WHERE key = 'good-1-r0'"),
    "is missing": ("agency", "DELETE FROM effects WHERE what = 'check' AND key = 'good-1'"),
    "is not undone": ("agency", "DELETE FROM effects WHERE what = 'unguide' AND key = 'refused-1-r2'"),
    "is undone too often": ("bank", "INSERT INTO effects VALUES ('uncharge', 'refused-1', 2)"),
    "is undone by nobody": ("bank", "DELETE FROM effects WHERE what = 'uncharge' AND key = 'denied-1'"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_must_hold_does_not_hold_when_an_effect(travellers: Travellers, forgery: str) -> None:
    context, statement = FORGERIES[forgery]
    with place() as store:
        travellers.zygotes[0].run(Job(str(store))).check()
        with closing(sqlite3.connect(store / f"{context}.db")) as connection:
            connection.execute(statement)
            connection.commit()
        with pytest.raises(AssertionError):
            invariants.check_all(store, set(IDS))


@pytest.mark.timeout(3_600 if EXHAUSTIVE else 60)
@pytest.mark.parametrize("seam", [name for name in NAMES if not name.startswith("copy.")])
def test_a_kill_at_any_seam_harms_no_trip(travellers: Travellers, seam: str) -> None:
    times = travellers.passed[seam]
    if EXHAUSTIVE or times < 4:
        passings = range(1, times + 1)
    else:  # one in each third, since what happens changes as the trips go on
        third = times // 3
        passings = [1 + n * third + crc32(f"{seam} {n}".encode()) % third for n in range(3)]
    kills = travellers.play_all([[Crash(seam, nth)] for nth in passings])
    assert kills, "it was never killed"


@pytest.mark.timeout(3_600 if EXHAUSTIVE else 60)
@pytest.mark.parametrize("second", RECOVERY)
def test_a_second_kill_while_the_first_is_recovered_from_harms_no_trip(
    travellers: Travellers, second: str
) -> None:
    firsts = (
        OTHERS if EXHAUSTIVE else [OTHERS[(RECOVERY.index(second) * 2 + n) % len(OTHERS)] for n in range(2)]
    )
    stories = [[Crash(first, travellers.passed[first] // 2), Crash(second, 1)] for first in firsts]
    assert travellers.play_all(stories) > len(stories)
