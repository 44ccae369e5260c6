"""The tour: `python3 -m examples.trip_booking`, or `python3 run.py example trip_booking`."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from examples.terminal import heading, paragraph
from examples.trip_booking.tour.play import TourFailed, play


def main(words: list[str] | None = None) -> int:
    """Play it; return 0 when every trip ended as it must, 1 when not, 2 for senseless arguments."""
    parser = argparse.ArgumentParser(
        prog="trip_booking", description="Car, hotel, flight: all of them, or none. Four trips, one killed."
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the files in this new directory")
    keep: Path | None = parser.parse_args(words).keep
    if keep is not None and keep.exists():
        print(f"trip_booking: {keep} is there already; name a new directory", file=sys.stderr)
        return 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="trip-booking-") as scratch:
        try:
            play(keep or Path(scratch) / "agency")
        except TourFailed as error:
            print(f"trip_booking: NOT as it must be: {error}", file=sys.stderr)
            return 1
    print(heading("Every trip ended as it must."))
    if keep is not None:
        print(paragraph(f"Kept in {keep}; look around with: saga list --store {keep}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
