"""Text for a terminal: as wide as it is, and never wider than 80 columns."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

__all__ = ["heading", "paragraph", "timeline", "width"]

WIDEST, NARROWEST = 80, 40


def width() -> int:
    """Return the columns there are: those of the terminal, or of `COLUMNS`; 80 at most."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))


def heading(text: str) -> str:
    """Return a title, underlined."""
    lines = textwrap.wrap(text, width())
    return "\n".join(["", *lines, "─" * max(map(len, lines))])


def paragraph(text: str, indent: str = "", hanging: str | None = None) -> str:
    """Return a text in lines that fit; `hanging` indents all lines but the first (None: as the first)."""
    rest = indent if hanging is None else hanging
    return textwrap.fill(text, width(), initial_indent=indent, subsequent_indent=rest, break_on_hyphens=False)


def timeline(
    entries: Iterable[tuple[datetime, str]], notes: Mapping[datetime, str] | None = None
) -> Iterator[str]:
    """Yield lines: for each entry how long after the first one it was, and what.

    `notes` are what has happened beside that, and when; they are put where they belong, in brackets.
    """
    others = [(at, f"[{text}]") for at, text in (notes or {}).items()]
    everything = sorted([*entries, *others], key=lambda entry: entry[0])
    for at, text in everything:
        when = f"  {(at - everything[0][0]).total_seconds():7.3f} s  "
        yield paragraph(text, when, " " * (len(when) + 2))
