"""What an application passes in, checked: every bad argument gets one clear error, before anything is stored.

Texts may be of a class derived from str, as those of many frameworks are; what is returned is a plain str.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from saga.errors import NotEncodable, UnknownSaga, UsageError
from saga.machine import Status

__all__ = [
    "MOST_ID",
    "checked_count",
    "checked_id",
    "checked_statuses",
    "checked_tags",
    "checked_text",
    "known_id",
    "milliseconds",
]

MOST_ID = 500
"""Characters of an id, at most; ids are repeated in every message of a saga."""

MOST_TEXT = 8_192
"""Bytes of a reason, at most."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def checked_count(name: str, value: object, least: int) -> int:
    """Return `value` if it is a whole number from `least` on. Raises UsageError for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**62:
        raise UsageError(f"{name}={value!r:.80}: write a whole number from {least}")
    return value


def checked_id(id: str, most: int = MOST_ID, what: str = "id") -> str:
    """Return an id, or `what` it is. Raises NotEncodable when it is none, or longer than `most` characters."""
    if not isinstance(id, str) or not id or len(id) > most or not id.isprintable():
        raise NotEncodable(what, "", f"{id!r:.80} is no {what}: write 1 to {most} printable characters")
    return str.__str__(id)


def checked_text(what: str, text: str) -> str:
    """Return a text that a person has written. Raises NotEncodable when it is none, or cannot be stored."""
    if not isinstance(text, str):
        raise NotEncodable(what, "", f"{text!r:.80} is no text")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise NotEncodable(what, "", "has lone surrogates, which UTF-8 does not have") from None
    if size > MOST_TEXT:
        raise NotEncodable(what, "", f"is {size:,} bytes long, the limit is {MOST_TEXT:,}")
    return str.__str__(text)


def known_id(id: str) -> str:
    """Return the id of something that should be there. Raises UnknownSaga when nothing can have it."""
    if not isinstance(id, str) or not _is_utf8(id):
        raise UnknownSaga(f"{id!r:.80}")
    return str.__str__(id)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    """Return a copy of the tags. Raises NotEncodable when one of them is no text, or too long."""
    for key, value in tags.items():
        for text in (key, value):
            if not isinstance(text, str) or not text.isprintable() or len(text) > MOST_ID:
                raise NotEncodable(
                    "tags", str(key), f"{text!r:.80} is no text of at most {MOST_ID} printable characters"
                )
    return {str.__str__(key): str.__str__(value) for key, value in tags.items()}


def milliseconds(at: datetime | None) -> int:
    """Return a time in UTC ms, rounded up, 0 for None. Raises NotEncodable when it has no time zone."""
    if at is None:
        return 0
    if at.tzinfo is None:
        raise NotEncodable("at", "", f"{at!r} has no time zone; write it with tzinfo=UTC")
    return -(-(at - _EPOCH) // timedelta(milliseconds=1))


def checked_statuses(status: Status | str | Sequence[Status | str]) -> Sequence[str]:
    """Return one or several statuses as a list. Raises NotEncodable when there is no such status."""
    given = [status] if isinstance(status, str) else status
    try:
        return [Status(each).value for each in given]
    except ValueError as error:
        known = ", ".join(each.value for each in Status)
        raise NotEncodable("status", "", f"{error}; write one of {known}") from None
