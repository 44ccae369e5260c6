"""`reliability fuzz`: random input for the codec, the command line, what is stored, and the flow language.

    values          values to bytes and back, and bytes that nobody wrote; `kinds` makes types that can be stored
    stored          journals and graphs after a change; `mutation` changes bytes and JSON
    command_line    random arguments, and stores that were changed; `stores` and `shop` make what there is to look at
    language        random flows, and leaves and blocks in any arrangement; `drawing` makes them, `walk` runs them
    targets         all of these by name, and what they must notice when it is broken
    running         one input after the other, in several processes

An input is a target and a number, nothing else: `--target values --from 4711 --inputs 1` is the same one each time.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import click

from reliability.fuzz.command_line import HOME
from reliability.fuzz.running import Share, run_shares
from reliability.fuzz.stores import made_in
from reliability.fuzz.targets import TARGETS, control
from reliability.result import SIZES, Result, Size

__all__ = ["command", "run_fuzz"]

INPUTS: dict[Size, int] = {"small": 6_000, "nightly": 200_000, "release": 1_000_000}


@click.command()
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--inputs", type=click.IntRange(1), help="how many in all; each target has a share of them")
@click.option("--target", "targets", multiple=True, type=click.Choice(list(TARGETS)), help="only this one")
@click.option(
    "--from", "first", type=click.IntRange(0), default=0, show_default=True, help="number of the first input"
)
@click.option(
    "--jobs", type=click.IntRange(1), help="processes; as many as there are processors, 1 for small"
)
@click.option("--controls/--no-controls", default=None, help="break each target, to see that it is noticed")
def command(
    size: Size,
    inputs: int | None,
    targets: tuple[str, ...],
    first: int,
    jobs: int | None,
    controls: bool | None,
) -> Result:
    """Try random inputs: no traceback, no hang, nothing silently different."""
    jobs = jobs or (1 if size == "small" else os.cpu_count() or 1)
    return run_fuzz(
        inputs or INPUTS[size],
        targets or tuple(TARGETS),
        first,
        jobs,
        not targets if controls is None else controls,
    )


def run_fuzz(inputs: int, targets: tuple[str, ...], first: int, jobs: int, controls: bool) -> Result:
    """Divide the inputs among the targets, and run them; then break each target, and see that it is noticed."""
    begun = time.monotonic()
    of_all = sum(TARGETS[name].share for name in targets)
    shares = [Share(name, first, max(1, round(inputs * TARGETS[name].share / of_all))) for name in targets]
    with tempfile.TemporaryDirectory(prefix="saga-fuzz-") as home:
        os.environ[HOME] = home
        with made_in(Path(home)):
            violations = run_shares(shares, jobs)
            blind = [name for name in targets if controls and control(name, first) is None]
    violations += [f"{name}: broken on purpose, and nothing was noticed: {AGAIN}" for name in blind]
    counts = Counter({share.target: share.inputs for share in shares})
    figures: dict[str, int | float | str] = {f"inputs of {name}": count for name, count in counts.items()}
    if controls:
        figures["controls that were noticed"] = f"{len(targets) - len(blind)} of {len(targets)}"
    return Result(
        command="fuzz",
        did=f"{sum(counts.values()):,} inputs for {len(targets)} targets, from number {first}",
        goal="0 tracebacks, 0 hangs, nothing silently different; each broken target is noticed",
        violations=violations,
        holds=not violations,
        seconds=time.monotonic() - begun,
        figures=figures,
    )


AGAIN = "python3 run.py reliability fuzz --controls"
