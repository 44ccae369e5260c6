"""`python3 run.py reliability sim`: deterministic simulation of the whole runtime, on one thread, by a seed.

The real coordinator, contexts' and gateways' drivers, stores and machine are driven by a scheduler instead of actors.
Everything that is left to chance elsewhere is drawn from the seed: who goes next, what is lost, what comes twice or
late, when the process ends, what handlers do, what time it is. So a violation is one number, and is seen again whenever
that is played.

    plan         what is to happen, drawn from the seed          business   sagas, contexts, gateways
    world        clock, faults, scheduler: the adversary         props      how each of their handlers ends, this time
    life         one life of the process, in turns               application  what is asked for, and was promised
    truth        what must hold after each commit                ending     ... at each crash, and when all is over
    hunt         many seeds                                      shrink     one that goes wrong, made readable
    controls     protections that are taken away
"""

from __future__ import annotations

import os
import time

import click

from reliability.result import SIZES, Result, Size

__all__ = ["command"]

SEEDS: dict[Size, int] = {"small": 150, "nightly": 5_000, "release": 20_000}
TWICE = 20
"""So many seeds are always played twice."""

CONTROLS = ("inbox", "tombstone", "acknowledgement", "late", "outbox", "credit", "resending")


@click.command()
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--seeds", type=click.IntRange(1), help="how many seeds are played")
@click.option("--from", "first", type=click.IntRange(0), default=0, help="the first of them")
@click.option("--jobs", type=click.IntRange(1), help="processes; left out: one for each core")
@click.option("--twice", is_flag=True, help="play each twice, not only some, and compare all files")
@click.option(
    "--shrink", "small", type=click.IntRange(0), help="play this seed, and print the smallest that goes wrong"
)
@click.option(
    "--without", type=click.Choice(CONTROLS), default=None, help="take a protection away: a control"
)
def command(
    size: Size,
    seeds: int | None,
    first: int,
    jobs: int | None,
    twice: bool,
    small: int | None,
    without: str | None,
) -> Result:
    """Simulate the runtime, seed by seed."""
    from reliability.sim.hunt import hunt, shrink

    began = time.monotonic()
    jobs = jobs or os.cpu_count() or 1
    if small is not None:
        lines = shrink(small, without or "")
        for line in lines:
            click.echo(line)
        found = lines[:1]
        return Result(
            "sim", f"seed {small}, shrunk", "0 violations", found, not found, time.monotonic() - began
        )
    count = SEEDS[size] if seeds is None else seeds
    again = count if twice else min(count, TWICE)
    tally = hunt(range(first, first + count), jobs=jobs, twice=again, without=without or "")
    seconds = time.monotonic() - began
    did = (
        f"{tally.seeds:,} seeds from {first}: {tally.crashes:,} crashes, {tally.faults:,} other faults,"
        f" {tally.sagas:,} sagas"
    )
    figures: dict[str, int | float | str] = {
        "seeds": tally.seeds,
        "played twice": again,
        "commits, each checked": tally.commits,
        "turns": tally.steps,
        "seeds/min": round(60 * tally.seeds / seconds),
        "jobs": jobs,
        "digest of all files": tally.digest,
    }
    holds = not tally.violations
    return Result("sim", did, "0 violations", tally.violations, holds, seconds, figures)
