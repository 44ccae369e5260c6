"""The comparison: `python -m examples.choreography`, or `python3 run.py example choreography`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from examples.choreography.comparison.measure import CheckFailed, measure
from examples.choreography.comparison.patches import PatchFailed
from examples.choreography.comparison.report import report
from examples.terminal import heading, paragraph


def main(words: list[str] | None = None) -> int:
    """Compare; return 0 when both variants do right before and after the change, 1 when not."""
    parser = argparse.ArgumentParser(
        prog="choreography",
        description="One business as a chain of events and as a saga; both are changed, checked and compared.",
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep copies and stores in this new directory"
    )
    keep: Path | None = parser.parse_args(words).keep
    if keep is not None and keep.exists():
        print(f"choreography: {keep} is there already; name a new directory", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="choreography-") as scratch:
        folder = keep or Path(scratch)
        try:
            print(paragraph("Both variants are copied, checked, changed, and checked again ..."))
            events, saga = (measure(variant, folder / variant) for variant in ("by_events", "by_saga"))
            report(events, saga, folder)
        except (CheckFailed, PatchFailed) as error:
            print(f"choreography: NOT as it must be: {error}", file=sys.stderr)
            return 1
    if keep is not None:
        print(heading("Kept"))
        print(paragraph(f"In {keep}; look around with: saga list --store {keep}/by_saga/store"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
