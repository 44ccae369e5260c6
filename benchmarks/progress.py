"""What is going on, in one line on standard error that the next one overwrites."""

from __future__ import annotations

import sys

__all__ = ["say"]


def say(what: str) -> None:
    """Show what is being done, when a person is looking."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
