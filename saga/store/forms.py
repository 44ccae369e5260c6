"""Rows of the journal that say the same but for a few values: a form that they share, and what is filled in.

What two sagas of a kind have done differs in ids, times and what the messages of the author say; the names of elements,
types and participants are the same, and are three quarters of the bytes. So they are stored once:

    form    [{"is":"step-completed","path":"reserve_goods.1","answer":<tab>,"undo":"release_goods"}]
    row     [{"reservation_id":"r-7"}]

1. A form is the JSON of a row with a tab for each value; no JSON that is written by msgspec has one anywhere else.
2. A form is added in the commit of the first row that needs it, and never changes.
3. The digest of a row covers its form, too: one that is damaged or missing is noticed in every row.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

__all__ = ["FILLED", "GAP", "JSON", "whole"]

JSON = 1
"""The encoding of a row that says everything itself: a JSON array of objects."""

FILLED = 2
"""The encoding of a row with a form: a JSON array of the values."""

GAP = b"\t"
"""Where a value belongs in a form."""

_values = msgspec.json.Decoder(list[msgspec.Raw]).decode


def whole(form: bytes, values: bytes) -> bytes:
    """Return what a row says, as a JSON array of objects. Raises msgspec.DecodeError when the values do not fit."""
    filled, (template, gaps) = _values(values), _template(form)
    if len(filled) != gaps:
        raise msgspec.DecodeError(f"there are {len(filled)} values for the {gaps} gaps of its form")
    return template % tuple(filled)


@lru_cache(maxsize=1_024)
def _template(form: bytes) -> tuple[bytes, int]:
    """Return a form with `%b` for each gap, and how many it has."""
    return form.replace(b"%", b"%%").replace(GAP, b"%b"), form.count(GAP)
