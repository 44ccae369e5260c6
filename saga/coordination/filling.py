"""Records as a form and the values that are filled into it: how the usual rows of a journal are stored.

Rules
1. What the definition says (elements, types, participants) and what can only be a few words is in the form, as are
   paths of first visits. Ids, numbers, times, and what comes from authors and people, are values.
2. A row with anything else in it is stored as it is: what seldom happens, and what happens any number of times, such
   as an item of an `each`, a further round or attempt. So there are not many more forms than elements.
3. The form of a row follows from its records alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import ne
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw

from saga.machine import Record, encode_records
from saga.machine import records as r
from saga.store import GAP

__all__ = ["fill"]

MOST = 10_000
"""Forms that a process makes, at most."""

VALUES: dict[type[Record], tuple[str, str]] = {
    r.Started: ("id input at correlation", "causation tags event_id due parent reply_to"),
    r.Ended: ("", ""),
    r.ScopeEntered: ("", "due remind"),
    r.ScopeLeft: ("", ""),
    r.ScopeFailed: ("code reason", ""),
    r.ScopeUndone: ("", ""),
    r.Chosen: ("", ""),
    r.JoinReached: ("", ""),
    r.CommandSent: ("command number", "due"),
    r.StepCompleted: ("answer", ""),
    r.StepRefused: ("code reason", ""),
    r.WaitBegun: ("key", "due remind"),
    r.WaitExpired: ("", ""),
    r.TaskOpened: ("subject at", "due remind"),
    r.TaskDone: ("answer", "by"),
    r.RaceBegun: ("", "due"),
    r.RaceOver: ("", ""),
    r.EventPublished: ("event", "key"),
    r.EventTaken: ("event_id event", ""),
    r.SleepBegun: ("due", ""),
    r.Woke: ("", ""),
    r.Answered: ("answer", ""),
    r.UndoSent: ("command number", ""),
    r.UndoCompleted: ("", ""),
}
"""Class of records → its values, and those that are values if they are not what they are without being said."""

PATHS = ("path", "scope", "of", "by", "race", "host")
_FIRST = re.compile(r"(?:[^/.~]*\.1(?:/|$))*(?:[^/.~]*\.1~1)?")
"""The path of a first visit in first visits, and of its first compensation; "" is the saga as a whole."""

LONGEST = 8
"""Records of a row, at most; what happens all at once to many has no form."""

Names: TypeAlias = tuple[str, ...]
_encode = msgspec.json.Encoder().encode


class _Pattern:
    """Rows of records of these classes, of which these fields are values."""

    __slots__ = ("classes", "constants", "defaults", "divide", "forms", "others", "seldom", "values")

    def __init__(self, classes: Sequence[type[Record]], said: Sequence[Sequence[str]]) -> None:
        self.classes = classes
        self.constants: list[Names] = []
        self.values: list[Names] = []
        self.seldom: list[tuple[int, str]] = []
        """Number of the record, and field."""
        self.defaults: tuple[object, ...] = ()
        for n, (kind, more) in enumerate(zip(classes, said, strict=True)):
            often, sometimes = (names.split() for names in VALUES[kind])
            fields = {field.name: field for field in msgspec.structs.fields(kind)}
            self.values.append(tuple(name for name in fields if name in often or name in more))
            self.constants.append(tuple(name for name in fields if name not in (*often, *sometimes)))
            self.seldom += [(n, name) for name in sometimes]
            self.defaults += tuple(_default(fields[name]) for name in sometimes)
        # written out and compiled, as dataclasses do: it takes a third of the time of looking up field by field
        parameters = ", ".join(f"x{n}" for n in range(len(classes)))
        parts = (_numbered(self.constants), _numbered(self.values), self.seldom)
        told = ", ".join(f"({''.join(f'x{n}.{name}, ' for n, name in part)})" for part in parts)
        self.divide: Callable[..., tuple[tuple[Any, ...], ...]] = eval(f"lambda {parameters}: ({told})")
        self.forms: dict[tuple[object, ...], bytes] = {}
        """Everything about the records that is no value → their form."""
        self.others: dict[tuple[bool, ...], _Pattern] = {}
        """Which of `seldom` say something → rows in which these are values."""


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _numbered(names: Sequence[Names]) -> list[tuple[int, str]]:
    return [(n, name) for n, some in enumerate(names) for name in some]


_patterns: dict[tuple[type[Record], ...], _Pattern] = {}
_made: set[bytes] = set()


def fill(records: list[Record]) -> tuple[bytes, bytes]:
    """Return a form and its values, as `store.whole` takes them; or b"" and the records as JSON."""
    classes = tuple(map(type, records))
    pattern = _patterns.get(classes)
    if pattern is None:
        if len(classes) > LONGEST or not all(kind in VALUES for kind in classes):
            return b"", encode_records(records)
        pattern = _patterns[classes] = _Pattern(classes, [()] * len(classes))
    constants, values, seldom = pattern.divide(*records)
    if seldom != pattern.defaults:
        pattern = _other(pattern, seldom)
        constants, values, _ = pattern.divide(*records)
    form = pattern.forms.get(constants)
    if form is None:
        form = _form_of(pattern, records)
        if not form:
            return b"", encode_records(records)
        pattern.forms[constants] = form
    return form, _encode(values)


def _other(pattern: _Pattern, seldom: tuple[Any, ...]) -> _Pattern:
    """Return the pattern of rows that say more than usual: these are the fields that seldom say something."""
    said = tuple(map(ne, seldom, pattern.defaults))
    other = pattern.others.get(said)
    if other is None:
        more: list[list[str]] = [[] for _ in pattern.classes]
        for (n, name), is_said in zip(pattern.seldom, said, strict=True):
            if is_said:
                more[n].append(name)
        other = pattern.others[said] = _Pattern(pattern.classes, more)
    return other


def _form_of(pattern: _Pattern, records: list[Record]) -> bytes:
    """Return the form of these records; b"" when they are not worth one."""
    gaps = []
    for record, constants, values in zip(records, pattern.constants, pattern.values, strict=True):
        paths = [getattr(record, name) for name in constants if name in PATHS]
        if not all(_FIRST.fullmatch(path) for path in paths if isinstance(path, str)):
            return b""
        gaps.append(msgspec.structs.replace(record, **dict.fromkeys(values, Raw(GAP))))
    form = encode_records(gaps)
    if len(_made) >= MOST:
        return b""
    _made.add(form)
    return form
