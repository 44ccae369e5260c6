"""Kill -9 at every failpoint in every scenario; with --pairs again while it recovers.

Real processes, one story each: a worker runs a scenario and kills itself at the n-th passing of a point; the next one
recovers (and is killed as well, or not), brings everything to its end, and all that must hold is checked; then it is
opened once more, and nothing may change. Points are the seams of the runtime, read from its source.

    job, worker, zygote     the process that is killed, and the one that forks it
    shop, shopping          what it runs: a shop whose books can be checked to the cent, and its scenarios
    trips                   everything that a flow may contain, and its scenarios
    *_invariants            what must hold, one function each
    deadly                  what ends the process whenever it runs (tests/recovery/test_deadly.py)
    harness, stories        runs, kills, and what came of it
    points, plan            where the runtime can be killed, and which stories are played
    broken                  protections that are taken away, for the controls
"""

from __future__ import annotations

import sys
import time
from itertools import chain
from math import inf

import click

from reliability.crash import plan
from reliability.crash.broken import PROTECTIONS
from reliability.crash.businesses import SCENARIOS
from reliability.crash.harness import WORKERS, Workers
from reliability.crash.points import running
from reliability.crash.stories import Played, Story, play_all
from reliability.result import SIZES, Result, Size

__all__ = ["command"]

DRAWN = {"small": 4, "nightly": len(SCENARIOS), "release": len(SCENARIOS)}
PASSINGS = {"small": 1, "nightly": 3, "release": 5}
STORIES = {"small": 40, "nightly": None, "release": None}
PAIRS = {"small": 10, "nightly": 2_000, "release": 10_000}
"""By size: how many scenarios, at how many passings of a point, how many stories of one kill and how many of pairs;
None is all."""


@click.command(help=__doc__)
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--all", "everything", is_flag=True, help="every point in every scenario, whatever the size")
@click.option("--pairs", is_flag=True, help="every ordered pair of points, as many as --stories allows")
@click.option("--scenario", "scenarios", multiple=True, type=click.Choice(SCENARIOS), help="only these")
@click.option("--point", "points", multiple=True, help="only these")
@click.option("--passings", type=click.IntRange(1), help="at how many passings of a point it is killed")
@click.option("--stories", "most", type=click.IntRange(1), help="how many stories are drawn at most")
@click.option("--minutes", type=click.FloatRange(0), default=inf, help="begin no story after so long")
@click.option("--seed", type=int, default=0, show_default=True, help="for what is drawn")
@click.option("--workers", type=click.IntRange(1), default=WORKERS, show_default=True)
@click.option("--story", help="this one alone: SCENARIO[POINT:N POINT:N]")
@click.option("--without", type=click.Choice(sorted(PROTECTIONS)), help="take a protection away")
def command(
    size: Size,
    everything: bool,
    pairs: bool,
    scenarios: tuple[str, ...],
    points: tuple[str, ...],
    passings: int | None,
    most: int | None,
    minutes: float,
    seed: int,
    workers: int,
    story: str | None,
    without: str | None,
) -> Result:
    """Play stories; see above."""
    if sys.platform == "win32":
        raise click.ClickException("kill -9 and fork are needed, which are not there on Windows")
    began, known = time.monotonic(), running()
    if unknown := [point for point in points if point not in known]:
        raise click.BadParameter(f"{unknown[0]!r} is no point of the runtime", param_hint="--point")
    drawn = len(SCENARIOS) if everything else DRAWN[size]
    chosen, places = list(scenarios or plan.sample(SCENARIOS, drawn, seed)), list(points or known)
    with Workers(count=workers) as there:
        if story is not None:
            stories = [_read(story)]
        elif pairs:
            every = chain.from_iterable(plan.pairs(there, each, places, known) for each in chosen)
            stories = plan.sample(list(every), most or PAIRS[size], seed)
        else:
            count = passings or PASSINGS[size]
            stories = [kill for each in chosen for kill in plan.first_kills(there, each, places, count)]
            for each in chosen:
                left = list(places)
                for recovery in plan.recoveries(there, each):
                    stories += plan.kills_in_recovery(recovery, left, 1)
                    left = [place for place in left if place not in recovery.passed]
            limit = most or (None if everything or scenarios or points else STORIES[size])
            stories = plan.sample(stories, limit or len(stories), seed)
        stories = [Story(each.scenario, each.crashes, without or "") for each in stories]
        planning = time.monotonic() - began
        played = play_all(there, stories, began + 60 * minutes)
    return _result(played, len(stories), known, planning, time.monotonic() - began)


def _read(text: str) -> Story:
    try:
        return Story.read(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--story") from error


def _result(played: list[Played], planned: int, known: list[str], planning: float, seconds: float) -> Result:
    violations = [each.violation for each in played if each.violation]
    reached = {crash.seam for each in played if each.kills for crash in each.story.crashes}
    kills = sum(each.kills for each in played)
    scenarios = len({each.story.scenario for each in played})
    return Result(
        "crash",
        f"{len(played):,} stories of {scenarios} scenarios, {kills:,} kills at {len(reached)} of {len(known)} points",
        "0 violations",
        violations,
        not violations,
        seconds,
        {
            "points": len(known),
            "scenarios": scenarios,
            "stories": len(played),
            "stories planned": planned,
            "kills": kills,
            "stories per second": round(len(played) / max(seconds - planning, 0.001), 1),
        },
    )
