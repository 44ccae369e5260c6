"""The tour: `python3 -m examples.event_campaign`, or `python3 run.py example event_campaign`."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from examples.event_campaign.tour.play import TourFailed, play
from examples.event_campaign.tour.stage import NothingHappened
from examples.terminal import heading, paragraph


def main(words: list[str] | None = None) -> int:
    """Play it; return 0 when every campaign ended as it must, 1 when not, 2 for senseless arguments."""
    parser = argparse.ArgumentParser(
        prog="event_campaign",
        description="A company plans conferences: held, refused, called off, and killed in the refunds.",
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the files in this new directory")
    keep: Path | None = parser.parse_args(words).keep
    if keep is not None and keep.exists():
        print(f"event_campaign: {keep} is there already; name a new directory", file=sys.stderr)
        return 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="event-campaign-") as scratch:
        try:
            play(keep or Path(scratch) / "company")
        except (TourFailed, NothingHappened) as error:
            print(f"event_campaign: NOT as it must be: {error}", file=sys.stderr)
            return 1
    print(heading("Every campaign ended as it must."))
    if keep is not None:
        print(paragraph(f"Kept in {keep}; look around with: saga list --store {keep}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
