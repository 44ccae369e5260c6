"""Lines that fit the terminal, colours where they are wanted, and stored text made harmless.

Rules
1. A line is never wider than the terminal, measured in cells: a Chinese character takes two. Where the output
   is no terminal and COLUMNS is not set, lines are as long as they get, so that `grep` finds whole ones.
2. Control characters, those that turn the direction of writing included, are shown as escapes.
3. Colour adds nothing that the words do not say. NO_COLOR, FORCE_COLOR and TERM=dumb are heeded.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import click

__all__ = ["Cell", "Terminal", "cells", "clean", "joined", "wrapped"]

GAP = "  "
"""Between two columns."""

NARROWEST = 40
"""Cells that are asked for at least; a terminal that says less is not believed."""

FIRM = "\N{NO-BREAK SPACE}"
"""A space at which no line is broken; written as a plain one."""

LAST_COLUMN = 28
"""Cells from which on it is worth while to wrap text in a column."""


_BREAKS = re.compile(r"(?<!\d{4}-\d\d-\d\d) ")
"""Where a line may be broken: at a space, but not between a date and its time."""


class Cell(NamedTuple):
    """A part of a line."""

    text: str
    style: str = ""
    """A colour of click, or `dim` or `bold`."""


def joined(items: Iterable[str]) -> str:
    """Return `item, item`, to be broken between items only."""
    return ", ".join(item.replace(" ", FIRM) for item in items)


def clean(text: str) -> str:
    """Return `text` with everything that is not printable as an escape, such as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == FIRM else _escape(each) for each in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def cells(text: str) -> int:
    """Return how many cells of a terminal a cleaned text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(each) for each in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(text: str, width: int | None) -> Iterator[str]:
    """Yield the lines of a cleaned text, broken at spaces, and inside of words that are too long."""
    if width is None or cells(text) <= width:
        yield text
        return
    width = max(width, 1)
    line, used = "", 0
    for word in _BREAKS.split(text):
        needed = cells(word)
        if line and used + 1 + needed <= width:
            line, used = f"{line} {word}", used + 1 + needed
            continue
        if line:
            yield line
        *whole, line = _pieces(word, width)
        yield from whole
        used = cells(line)
    if line:
        yield line


def _pieces(word: str, width: int) -> Iterator[str]:
    """Cut a word into pieces that fit; the last may be empty."""
    piece, used = "", 0
    for character in word:
        needed = _cells(character)
        if piece and used + needed > width:
            yield piece
            piece, used = "", 0
        piece, used = piece + character, used + needed
    yield piece


class Terminal:
    """Where a command writes to. `width` is None where lines may be of any length."""

    def __init__(self, width: int | None, colour: bool) -> None:
        self.width, self._colour = width, colour

    @classmethod
    def of_stdout(cls) -> Terminal:
        """Return the terminal that stdout is, or whatever else it is."""
        is_terminal, environment = sys.stdout.isatty(), os.environ
        wide = is_terminal or bool(environment.get("COLUMNS"))
        width = max(shutil.get_terminal_size().columns, NARROWEST) if wide else None
        if environment.get("NO_COLOR"):
            colour = False
        elif environment.get("FORCE_COLOR"):
            colour = True
        else:
            colour = is_terminal and environment.get("TERM") != "dumb"
        return cls(width, colour)

    def _styled(self, text: str, style: str) -> str:
        if not self._colour or not style or not text:
            return text
        if style in ("dim", "bold"):
            return click.style(text, **{style: True})
        return click.style(text, fg=style, bold=True if style == "red" else None)

    def _put(self, parts: Sequence[Cell]) -> None:
        line = "".join(self._styled(text, style) for text, style in parts).replace(FIRM, " ")
        click.echo(line if self._colour else line.rstrip(), color=self._colour)

    def line(self, text: str = "", style: str = "") -> None:
        """Write a text, wrapped."""
        self.hanging("", text, style)

    def heading(self, text: str) -> None:
        """Write an empty line and a heading."""
        self._put([])
        self.line(text, "bold")

    def hanging(
        self, first: str, text: str, style: str = "", first_style: str = "", *, indent: int | None = None
    ) -> None:
        """Write `text` wrapped behind `first`; the lines that follow begin below it, or at `indent`."""
        first = clean(first)
        beside = cells(first)
        if self.width is not None and beside > self.width * 2 // 3:  # too little room: below it, then
            for part in wrapped(first.rstrip(), self.width):
                self._put([Cell(part, first_style)])
            first, beside = "    ", 4
        indent = beside if indent is None else indent
        text = clean(text).lstrip(" ")
        if self.width is None:
            self._put([Cell(first, first_style), Cell(text, style)])
            return
        line, *_ = wrapped(text, self.width - beside)
        self._put([Cell(first, first_style), Cell(line, style)])
        rest = text[len(line) :].lstrip(" ")
        for part in wrapped(rest, self.width - indent) if rest else ():
            self._put([Cell(" " * indent), Cell(part, style)])

    def pairs(self, pairs: Sequence[tuple[str, str | Cell]], indent: str = "") -> None:
        """Write names and what they stand for, one below the other."""
        longest = max((cells(clean(name)) for name, _ in pairs), default=0)
        for name, value in pairs:
            text, style = value if isinstance(value, Cell) else (value, "")
            gap = " " * (longest - cells(clean(name)))
            self.hanging(f"{indent}{clean(name)}{gap}{GAP}", text, style, "dim")

    def table(self, titles: Sequence[str], rows: Sequence[Sequence[Cell]], indent: str = "") -> None:
        """Write rows below titles: on one line each if they fit, else what does not fit below, indented."""
        lines = [[Cell(title, "dim") for title in titles]]
        lines += [[Cell(clean(text), style) for text, style in row] for row in rows]
        for line in lines:
            line[0] = line[0]._replace(text=indent + line[0].text)
        widths = [max(cells(line[number].text) for line in lines) for number in range(len(titles))]
        fitting = self._fitting(widths)
        for line in lines:
            self._row(line, widths, fitting)

    def _fitting(self, widths: Sequence[int]) -> int:
        """Return how many columns stand beside each other; the text of the last one may be wrapped."""
        if self.width is None:
            return len(widths)
        used = 0
        for number, width in enumerate(widths):
            last = number == len(widths) - 1
            room = self.width - used
            if width > room and not (last and room >= LAST_COLUMN):
                return max(number, 1)
            used += width + len(GAP)
        return len(widths)

    def _row(self, line: Sequence[Cell], widths: Sequence[int], fitting: int) -> None:
        beside, below = line[:fitting], line[fitting:]
        *padded, last = beside
        parts = []
        for (text, style), width in zip(padded, widths, strict=False):
            parts += [Cell(text + " " * (width - cells(text)), style), Cell(GAP)]
        indent = sum(cells(text) for text, _ in parts)
        room = None if self.width is None else self.width - indent
        for number, text in enumerate(wrapped(last.text, room)):
            self._put([*(parts if not number else [Cell(" " * indent)]), Cell(text, last.style)])
        rest = GAP.join(text for text, _ in below if text)
        if rest:
            self.hanging("    ", rest, below[-1].style)
