"""`reliability model`: the exhaustive model of the step protocol, and each of its rules switched off.

flows       the flows that are searched
search      everything that can happen to one of them, around the real machine
rules       the rules of the protocol, and the machine and the world without one of them
graphs      flows of tests as graphs        author   stands in for an author's functions
invariants, order, tokens                   what must hold of states and journals; no code shared with the machine
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable

import click

from reliability.model.flows import FLOWS, LARGER
from reliability.model.rules import RULES
from reliability.model.search import Found, Search
from reliability.result import SIZES, Result, Size

__all__ = ["command", "run_model"]

Job = tuple[str, int | None, int | None, str]
"""Flow, crashes and cancels (None: as the flow has it), and the rule that is switched off, or ""."""
ALL = {**FLOWS, **LARGER}
AGAIN = "python3 run.py reliability model"


@click.command()
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option(
    "--flow", "flows", multiple=True, type=click.Choice(list(ALL)), help="only this one; prints its story"
)
@click.option("--without", type=click.Choice(list(RULES)), help="switch this rule off: something must break")
@click.option("--crashes", type=click.IntRange(0, 3), help="how often the process may crash")
@click.option("--cancels", type=click.IntRange(0, 1), help="how often the saga may be cancelled")
@click.option(
    "--jobs", type=click.IntRange(1), help="processes; as many as there are processors, 1 for small"
)
def command(
    size: Size,
    flows: tuple[str, ...],
    without: str | None,
    crashes: int | None,
    cancels: int | None,
    jobs: int | None,
) -> Result:
    """Visit every state that some small flows can come to, with all that may happen around them.

    small: one crash. nightly: larger flows, too. release: the smaller ones with two crashes and a cancel as well.
    """
    if without or flows:
        chosen = flows or (RULES[without].flows if without else ())
        return _looked_at([(name, crashes, cancels, without or "") for name in chosen])
    return run_model(size, crashes=crashes, cancels=cancels, jobs=jobs)


def run_model(
    size: Size, *, crashes: int | None = None, cancels: int | None = None, jobs: int | None = None
) -> Result:
    """Search all flows of a size, then those of each rule without it."""
    begun = time.monotonic()
    searches: list[Job] = [(name, crashes, cancels, "") for name in (FLOWS if size == "small" else ALL)]
    if size == "release":
        searches += [(name, 2, 1, "") for name in FLOWS]
    controls: list[Job] = [(name, None, None, rule) for rule, off in RULES.items() for name in off.flows]
    violations: list[str] = []
    states = moments = 0
    caught: set[str] = set()
    jobs = jobs or (1 if size == "small" else os.cpu_count() or 1)
    for job, found in _searched([*searches, *controls], jobs):
        if not job[3]:
            states, moments = states + found.states, moments + found.moments
            violations += _violations(job, found)
        elif found.violation:
            caught.add(job[3])
        else:
            violations.append(f"without the rule {job[3]!r} nothing breaks: {_line(job)}")
    return Result(
        command="model",
        did=f"{len(searches)} searches of {len({job[0] for job in searches})} flows, {states:,} states; "
        f"each of {len(RULES)} rules switched off",
        goal=f"0 violations; all {len(RULES)} rules are missed when they are off",
        violations=violations,
        holds=not violations,
        seconds=time.monotonic() - begun,
        figures={
            "flows": len({job[0] for job in searches}),
            "states": states,
            "states of the saga alone": moments,
            "rules switched off": len(RULES),
            "rules missed": len(caught),
        },
    )


def _searched(jobs: list[Job], processes: int) -> Iterable[tuple[Job, Found]]:
    if processes == 1:
        yield from ((job, _search(job)) for job in jobs)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from zip(jobs, pool.imap(_search, jobs), strict=True)


def _search(job: Job) -> Found:
    name, crashes, cancels, rule = job
    flow = ALL[name]
    world = flow.world._replace(
        crashes=flow.world.crashes if crashes is None else crashes,
        cancels=flow.world.cancels if cancels is None else cancels,
    )
    if not rule:
        return Search(flow.blocks).states(world)
    with RULES[rule].off() as switched_off:
        return Search(flow.blocks, **switched_off).states(world)


def _violations(job: Job, found: Found) -> list[str]:
    least = ALL[job[0]].least if job[1:3] == (None, None) else 1
    if found.violation:
        return [f"{job[0]}: {found.violation.splitlines()[0]}: {_line(job)}"]
    if found.states < least:
        return [f"{job[0]}: {found.states:,} states, where there were {least:,}: {_line(job)}"]
    return []


def _line(job: Job) -> str:
    """Return the command line that shows it again."""
    name, crashes, cancels, rule = job
    words = [AGAIN, f'--flow "{name}"']
    words += [f"--crashes {crashes}"] if crashes is not None else []
    words += [f"--cancels {cancels}"] if cancels is not None else []
    words += [f'--without "{rule}"'] if rule else []
    return " ".join(words)


def _looked_at(jobs: list[Job]) -> Result:
    """Search some flows, and print the stories of what breaks."""
    begun = time.monotonic()
    violations: list[str] = []
    states = 0
    for job in jobs:
        found = _search(job)
        states += found.states
        violations += _violations(job, found)
        if found.violation:
            click.echo("\n".join([*found.story, found.violation]))
    return Result(
        command="model",
        did=f"{', '.join(job[0] for job in jobs)}: {states:,} states",
        goal="0 violations",
        violations=violations,
        holds=not violations,
        seconds=time.monotonic() - begun,
    )
