"""`python3 run.py bench`: take the figures and print them, as a table and, with `--json`, into a file."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Size, row
from benchmarks.machine import describe, head_line
from benchmarks.peering import PEERS, measure_peers
from benchmarks.processes import log_to_stderr
from benchmarks.profiling import profile
from benchmarks.progress import say
from benchmarks.registry import FAMILIES, Family, chosen
from benchmarks.report import publish, shown, shown_profile


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.publish:
        publish(json.loads(options.publish.read_text()))
        return 0
    only = [name for name in options.only if name != "peers"]
    try:
        families = [] if options.only and not only else chosen(only, quick=options.quick)
    except ValueError as error:
        parser.error(str(error))
    asked_for_peers = options.peers is not None or "peers" in options.only
    peers = (options.peers or PEERS) if asked_for_peers else ()
    log_to_stderr()
    found = run(families, peers, "quick" if options.quick else "full")
    if options.profile or (asked_for_peers and not options.quick and not options.only):
        found["profile"] = profile()
        print(shown_profile(found["profile"]))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    families = "\n".join(f"  {each.name:12} {each.what}" for each in FAMILIES)
    parser = argparse.ArgumentParser(
        prog="run.py bench",
        description=f"Take the figures of docs/performance.md.\n\nfamilies of figures:\n{families}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="smaller numbers, fewer repeats; under 40 s")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="families, or names of figures")
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=PEERS,
        metavar="PEER",
        help=f"also others, which are installed first: {', '.join(PEERS)}; without names all of them",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="also where the time goes; a full run with --peers does it, too",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    parser.add_argument(
        "--publish",
        metavar="FILE",
        type=Path,
        help="measure nothing: write what is in FILE into docs/performance.md",
    )
    return parser


def run(families: Sequence[Family], peers: Sequence[str], size: Size) -> dict[str, Any]:
    """Take the figures of these families and peers, print each as it comes, and return what `--json` writes."""
    machine = describe()
    print(head_line(machine), flush=True)
    rows: list[dict[str, Any]] = []
    seconds: dict[str, float] = {}

    def add(name: str, figures: list[Figure], began: float) -> None:
        say("")
        seconds[name] = round(time.perf_counter() - began, 1)
        for each in map(row, figures):
            rows.append(each)
            print(shown(each), flush=True)

    for family in families:
        began = time.perf_counter()
        add(family.name, family.measure(size), began)
    found: dict[str, Any] = {"machine": machine, "size": size, "results": rows, "seconds": seconds}
    if peers:
        began = time.perf_counter()
        figures, facts = measure_peers(peers, size)
        add("peers", figures, began)
        found["peers"] = facts
        for fact in facts:
            if "missing" in fact:
                print(f"{fact['name']}: not measured: {fact['missing']}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
