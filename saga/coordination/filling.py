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
from operator import attrgetter
from typing import Any

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

_encode = msgspec.json.Encoder().encode


class _Kind:
    """How the records of one class are divided."""

    __slots__ = ("constant", "defaults", "fields", "often", "paths", "seldom", "sometimes", "values")

    def __init__(self, kind: type[Record], often: str, sometimes: str) -> None:
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        self.fields, self.often, self.sometimes = tuple(fields), often.split(), sometimes.split()
        constants = [name for name in fields if name not in (*self.often, *self.sometimes)]
        self.constant = attrgetter("__class__", *(constants or ["__class__"]))
        self.paths = _getter([name for name in constants if name in PATHS and fields[name].type is str])
        self.values, self.seldom = _getter(self.often), _getter(self.sometimes)
        self.defaults = tuple(
            field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            for field in (fields[name] for name in self.sometimes)
        )

    def named(self, record: Record) -> tuple[str, ...]:
        """Return the fields of this record that are values, in the order in which they are written."""
        said = {
            name
            for name, value, default in zip(self.sometimes, self.seldom(record), self.defaults, strict=True)
            if value != default
        }
        return tuple(name for name in self.fields if name in said or name in self.often)


def _getter(names: Sequence[str]) -> Callable[[Record], tuple[Any, ...]]:
    if not names:
        return lambda _: ()
    if len(names) == 1:
        get = attrgetter(names[0])
        return lambda record: (get(record),)
    return attrgetter(*names)


_KINDS = {kind: _Kind(kind, *names) for kind, names in VALUES.items()}

_forms: dict[tuple[object, ...], bytes] = {}
"""Everything about the records of a row that is no value → their form."""


def fill(records: list[Record]) -> tuple[bytes, bytes]:
    """Return a form and its values, as `store.whole` takes them; or b"" and the records as JSON."""
    key: list[object] = []
    values: list[object] = []
    for record in records:
        kind = _KINDS.get(type(record))
        if kind is None:
            return b"", encode_records(records)
        key += kind.constant(record)
        if kind.seldom(record) == kind.defaults:
            values += kind.values(record)
        else:
            names = kind.named(record)
            key.append(names)
            values += _getter(names)(record)
    constant = tuple(key)
    form = _forms.get(constant)
    if form is None:
        form = _form_of(records)
        if form is None:
            return b"", encode_records(records)
        _forms[constant] = form
    return form, _encode(values)


def _form_of(records: list[Record]) -> bytes | None:
    """Return the form of these records; None when they are not worth one."""
    if len(_forms) >= MOST:
        return None
    gaps = []
    for record in records:
        kind = _KINDS[type(record)]
        if not all(_FIRST.fullmatch(path) for path in kind.paths(record)):
            return None
        gaps.append(msgspec.structs.replace(record, **dict.fromkeys(kind.named(record), Raw(GAP))))
    return encode_records(gaps)
