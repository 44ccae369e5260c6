"""`run.py reliability faults`: user code that does everything wrong, everywhere.

    deeds          what is done wrong, one table
    hooks          where the runtime calls user code, one table; business has a participant or saga for each
    surroundings   the other hooks: factories, migrations, clocks, the log, values given to calls
    trial          deeds at hooks, and what must hold afterwards
    hanging        those that do not come back
    weakened       the control: a guard that lets through what is no `Exception`
    shutdowns      SIGTERM at random moments, also while a handler hangs

The pairs are the product of deeds and hooks. Those that make no sense are listed with `--senseless`, each with the
reason. The small size tries all pairs of the business, and of the surroundings every so manieth.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import click

from reliability.faults.deeds import DEEDS, Deed
from reliability.faults.hanging import try_hanging
from reliability.faults.hooks import HOOKS, Hook, senseless
from reliability.faults.shutdowns import try_shutdowns
from reliability.faults.surroundings import SURROUNDINGS, try_surroundings, why_not
from reliability.faults.trial import DEADLINE_S, try_pairs
from reliability.faults.weakened import weakened
from reliability.result import SIZES, Result, Size

__all__ = ["command"]

AT_ONCE = 12
"""Deeds that are done in one runtime."""

SHUTDOWNS: dict[Size, int] = {"small": 2, "nightly": 30, "release": 100}
EVERY: dict[Size, int] = {"small": 48, "nightly": 4, "release": 1}
"""Of the pairs of the surroundings the so manieth are tried; which ones is another matter at each hook."""

LINE = "python3 run.py reliability faults"


@click.command("faults")
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--deed", "only_deeds", multiple=True, help="this deed only, at all hooks; may be given again")
@click.option("--hook", "only_hooks", multiple=True, help="this hook only; may be given again")
@click.option("--shutdowns", type=click.IntRange(0), default=None, help="how many processes are told to end")
@click.option("--broken", type=click.Choice(["", "guard"]), default="", help="the control: take this away")
@click.option(
    "--deadline", type=float, default=DEADLINE_S, show_default=True, help="seconds for all to come to rest"
)
@click.option(
    "--senseless", "list_senseless", is_flag=True, help="list the pairs that make no sense, and why"
)
def command(
    size: Size,
    only_deeds: tuple[str, ...],
    only_hooks: tuple[str, ...],
    shutdowns: int | None,
    broken: str,
    deadline: float,
    list_senseless: bool,
) -> Result:
    """User code that raises anything, hangs, forks, exits, or returns the wrong type, in every hook."""
    for names, known in ((only_deeds, DEEDS), (only_hooks, {**HOOKS, **SURROUNDINGS})):
        for each in names:
            if each not in known:
                raise click.UsageError(f"{each!r} is none; there are {', '.join(known)}")
    begun = time.monotonic()
    chosen = [deed for deed in DEEDS.values() if not only_deeds or deed.name in only_deeds]
    hooks = [hook for hook in HOOKS.values() if not only_hooks or hook.name in only_hooks]
    around = [hook for hook in SURROUNDINGS if not only_hooks or hook in only_hooks]
    meaningless = [*_meaningless(chosen, hooks, around)]
    if list_senseless:
        click.echo("\n".join(meaningless))
    violations: list[str] = []
    with ExitStack() as stack:
        if broken:
            stack.enter_context(weakened())
        tried = _in_business(chosen, hooks, violations, deadline)
        every = 1 if only_deeds or only_hooks else EVERY[size]
        tried_around, left_out = _around(chosen, around, every, violations)
    asked = (0 if only_deeds or only_hooks else SHUTDOWNS[size]) if shutdowns is None else shutdowns
    ended = try_shutdowns(asked)
    violations += [f"{each}; again: {LINE} --deed none --shutdowns {asked}" for each in ended.violations]
    figures: dict[str, int | float | str] = {
        "deeds": len(chosen),
        "hooks": len(hooks) + len(around),
        "pairs tried": tried + tried_around,
        "pairs that make no sense": len(meaningless),
        "pairs left out by this size": left_out,
        **ended.figures,
    }
    return Result(
        "faults",
        f"{tried + tried_around:,} pairs of {len(chosen)} deeds and {len(hooks) + len(around)} hooks, "
        f"{asked} shutdowns",
        "runtime alive, every saga ends as declared, exit within the grace and 1 s",
        violations,
        not violations,
        time.monotonic() - begun,
        figures,
    )


def _in_business(
    chosen: Sequence[Deed], hooks: Sequence[Hook], violations: list[str], deadline: float
) -> int:
    """Try the deeds at the hooks of the business, many at a time; what goes wrong is tried again one by one."""
    tried = 0
    for some in _portions(chosen):
        pairs = [(deed, hook) for deed in some for hook in hooks if senseless(hook, deed) is None]
        tried += len(pairs)
        if not pairs:
            continue
        found = try_pairs(pairs, deadline) if some[0].group != "hangs" else []
        if found and len(some) > 1:
            alone = []
            for deed in some:
                for each in try_pairs([pair for pair in pairs if pair[0] is deed], deadline):
                    alone.append(f"{each}; again: {LINE} --deed {deed.name}")
            names = " ".join(f"--deed {deed.name}" for deed in some)
            violations += alone or [f"{each}; again: {LINE} {names}" for each in found]
        else:
            violations += [f"{each}; again: {LINE} --deed {some[0].name}" for each in found]
        if some[0].group == "hangs":
            for each in try_hanging(some[0], [hook for _, hook in pairs]):
                violations.append(f"{each}; again: {LINE} --deed {some[0].name}")
    return tried


def _portions(chosen: Sequence[Deed]) -> Iterator[list[Deed]]:
    """Yield deeds that may be done in one runtime: of one group, and those that hang one by one."""
    for group in dict.fromkeys(deed.group for deed in chosen):
        some = [deed for deed in chosen if deed.group == group]
        most = 1 if group == "hangs" else AT_ONCE
        for i in range(0, len(some), most):
            yield some[i : i + most]


def _around(
    chosen: Sequence[Deed], hooks: Sequence[str], every: int, violations: list[str]
) -> tuple[int, int]:
    """Try deeds at the surroundings; return how many pairs were tried, and how many this size leaves out."""
    pairs = [(hook, deed) for hook in hooks for deed in chosen if why_not(hook, deed) is None]
    tried = pairs[::every]
    for hook, deed in tried:
        for each in try_surroundings(hook, deed):
            again = f"{LINE} --hook {hook} --deed {deed.name}"
            violations.append(f"{hook}.{deed.name}: {each}; again: {again}")
    return len(tried), len(pairs) - len(tried)


def _meaningless(chosen: Sequence[Deed], hooks: Sequence[Hook], around: Sequence[str]) -> Iterator[str]:
    for deed in chosen:
        for hook in hooks:
            why = senseless(hook, deed)
            if why is not None:
                yield f"{hook.name}.{deed.name}: {why}"
        for place in around:
            why = why_not(place, deed)
            if why is not None:
                yield f"{place}.{deed.name}: {why}"
    yield "on-callbacks: the runtime has none; who waits is told through a handle"
