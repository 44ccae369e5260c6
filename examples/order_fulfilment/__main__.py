"""The demonstration: `python -m examples.order_fulfilment`, or `python3 run.py demo`."""

from __future__ import annotations

import argparse
import math
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from examples.order_fulfilment.outside.baskets import ALL
from examples.order_fulfilment.trial.folder import Facts, Folder, NotOurs
from examples.order_fulfilment.trial.process import WorkerFailed
from examples.order_fulfilment.trial.report import report
from examples.order_fulfilment.trial.supervisor import run_trial

FACTOR = 5_000.0
"""5.4 days of shopping, and the last wait of 12 hours, in about a hundred seconds."""

MOST_KILLS = 1_000


def main(words: list[str] | None = None) -> int:
    """Run it; return 0 when all is reconciled, 1 when something is off, 2 for senseless arguments."""
    arguments = _parser().parse_args(words)
    folder = Folder(arguments.store)
    try:
        if arguments.check:
            return 0 if report(folder, folder.read()) else 1
        return _run(folder, arguments)
    except NotOurs as error:
        print(f"order_fulfilment: {error}", file=sys.stderr)
        return 2
    except WorkerFailed as error:
        print(f"order_fulfilment: {error}\nEverything is left in {folder.root}.", file=sys.stderr)
        return 1
    except sqlite3.Error as error:
        print(f"order_fulfilment: a file in {folder.root} cannot be read: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\norder_fulfilment: stopped; the worker has ended.", file=sys.stderr)
        return 130


def _run(folder: Folder, arguments: argparse.Namespace) -> int:
    folder.make_fresh()
    facts = Facts(arguments.orders, arguments.factor, arguments.kills, arguments.seed)
    print(f"{facts.orders:,} orders, {facts.factor:g} times as fast; kill -9, {facts.kills_planned} times.")
    run_trial(folder, facts)
    if not report(folder, facts):
        print(f"Everything is left in {folder.root}.")
        return 1
    if arguments.keep:
        print(f"Kept in {folder.root}; look around with: saga list --store {folder.shop}")
    else:
        folder.delete()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="order_fulfilment",
        description="Order fulfilment on real baskets: killed with -9, run again, reconciled to the cent.",
    )
    add = parser.add_argument
    add("--orders", type=_whole(1, ALL), default=ALL, help=f"how many baskets, 1 to {ALL} (default: all)")
    add("--factor", type=_factor, default=FACTOR, help=f"how much faster than real (default: {FACTOR:g})")
    add("--kills", type=_whole(0, MOST_KILLS), default=3, help="how often it is killed (default: 3)")
    add("--seed", type=_whole(0, 2**63), default=1, help="chooses where it is killed (default: 1)")
    add("--store", type=Path, default=Path(".demo"), help="folder for all of it, made anew (default: .demo)")
    add("--keep", action="store_true", help="keep the folder also when all is well")
    add("--check", action="store_true", help="run nothing, reconcile again what was kept")
    return parser


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a type for arguments: a whole number in this range."""

    def whole(word: str) -> int:
        try:
            number = int(word)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{word!r} is no whole number") from None
        if not lowest <= number <= highest:
            raise argparse.ArgumentTypeError(f"{number} is not between {lowest} and {highest}")
        return number

    return whole


def _factor(word: str) -> float:
    """A type for arguments: how much faster."""
    try:
        number = float(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is no number") from None
    if not (math.isfinite(number) and 1 <= number <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{word} is not between 1 and 1,000,000")
    return number


if __name__ == "__main__":
    sys.exit(main())
