"""Messages: what contexts, sagas and the outside world say to each other.

Rules of this module
1. A **command** asks one context to do one thing, and is answered; its name is an imperative.
   `Command[R]` says what the answer is, `Command[None]` that there is nothing to say.
2. An **event** is a fact, told to whom it may concern; its name is a past participle.
   The field annotated `Key[...]` is the correlation key by which waiting sagas are found.
3. A **refusal** is an answer, not an accident: a handler raises `Rejected` to take its writes back,
   or returns it to keep them. It is never retried.
4. Messages are frozen dataclasses (or `msgspec.Struct`s). Their stored name is a string of ours with
   a version, never an import path: `TakePayment/1`, or what `__saga_type__` says.

This module knows nothing of sagas, stores, threads or JSON.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Generic, Self, TypeVar, get_args, get_origin, get_type_hints, overload

from saga.errors import DefinitionError, Problem

__all__ = ["RESERVED_CODES", "Command", "Event", "Key", "Rejected", "answer_type", "key_field", "type_name"]

T = TypeVar("T")
H = TypeVar("H")
R_co = TypeVar("R_co", covariant=True)

KEY_MARK = "saga.key"
Key = Annotated[T, KEY_MARK]
"""Marks the field of an event that waiting sagas are matched by: `order_id: Key[str]`."""

RESERVED_CODES = frozenset({"timeout", "failed", "cancelled"})
"""Codes of refusals that only the machine gives: a step or scope out of time, a step out of attempts, a cancel."""


class Command(Generic[R_co]):
    """A request to the one context or gateway that handles it; `R` is the type of its answer.

    The answer's type must be defined before the command, since it stands in its bases.
    """

    __slots__ = ()

    @overload
    @classmethod
    def handler(
        cls, function: Callable[[H, Self], R_co | Rejected], /
    ) -> Callable[[H, Self], R_co | Rejected]: ...
    @overload
    @classmethod
    def handler(
        cls, function: Callable[[H, Self], Awaitable[R_co | Rejected]], /
    ) -> Callable[[H, Self], Awaitable[R_co | Rejected]]: ...
    @classmethod
    def handler(cls, function: Any, /) -> Any:
        """Make `function` the handler of this command in the context or gateway whose class it stands in.

        The handler takes the command and returns its answer. `raise Rejected` refuses and takes the handler's
        writes back, `return Rejected(...)` refuses and keeps them; any other exception is a failed attempt.
        A gateway's handler may be `def` or `async def`, a context's is `def`.
        """
        function.__saga_handles__ = cls
        return function


class Event:
    """A fact that has happened. Whoever wants to know subscribes; the publisher is not told who does."""

    __slots__ = ()

    @classmethod
    def listener(cls, function: Callable[[H, Self], None], /) -> Callable[[H, Self], None]:
        """Make `function` the listener to this event in the context whose class it stands in."""
        function.__saga_listens__ = cls  # type: ignore[attr-defined]
        return function


class Rejected(Exception):
    """A business refusal: the command will not be carried out, and asking again would not change that.

    `reason` is for people, `code` for `catch={code: ...}`; codes `timeout`, `failed` and `cancelled` are
    the machine's own and cannot be used (ValueError).
    """

    def __init__(self, reason: str, *, code: str) -> None:
        if not isinstance(reason, str) or not isinstance(code, str) or not code:
            raise ValueError(
                f"Rejected takes a reason and a code, both strings, the code not empty: {reason!r}, {code!r}"
            )
        if code in RESERVED_CODES:
            raise ValueError(f"code {code!r} is reserved for the machine; use another one")
        super().__init__(reason)
        self.reason = reason
        self.code = code

    def __repr__(self) -> str:
        return f"Rejected({self.reason!r}, code={self.code!r})"


_TYPE_NAME = re.compile(r"[A-Za-z_][\w.\-]*/[1-9][0-9]*")


def type_name(cls: type) -> str:
    """Return the name `cls` has in journals: its `__saga_type__`, else its class name with version 1.

    Raises DefinitionError when `__saga_type__` is not of the form `name/version`, such as `payment.TakePayment/2`.
    """
    own = cls.__dict__.get("__saga_type__")
    if own is None:
        return f"{cls.__name__}/1"
    if not isinstance(own, str) or not _TYPE_NAME.fullmatch(own):
        raise DefinitionError(
            cls.__name__,
            [
                Problem(
                    "__saga_type__",
                    f"{own!r} is not a type name",
                    "write it as 'name/version', e.g. 'TakePayment/2'",
                )
            ],
        )
    return own


def answer_type(command: type[Command[Any]]) -> Any:
    """Return R of a `Command[R]`: a type, or `None` for `Command[None]`.

    Raises DefinitionError when the class does not say what its answer is.
    """
    for base in getattr(command, "__orig_bases__", ()):
        if get_origin(base) is Command:
            (answer,) = get_args(base)
            if not isinstance(answer, TypeVar):
                return None if answer is type(None) else answer
    raise DefinitionError(
        command.__name__,
        [
            Problem(
                command.__name__,
                "does not say what its answer is",
                "derive it from Command[TheAnswer] or Command[None]",
            )
        ],
    )


_key_fields: dict[type[Event], str | None] = {}
"""Looking at the hints of a class takes 80 µs, and every event that is published asks."""


def key_field(event: type[Event]) -> str | None:
    """Return the name of the field marked `Key[...]`, or None when the event has no correlation key.

    Raises DefinitionError when two fields are marked.
    """
    if event not in _key_fields:
        _key_fields[event] = _key_field(event)
    return _key_fields[event]


def _key_field(event: type[Event]) -> str | None:
    marked = [
        name
        for name, hint in get_type_hints(event, include_extras=True).items()
        if get_origin(hint) is Annotated and KEY_MARK in hint.__metadata__
    ]
    if len(marked) > 1:
        raise DefinitionError(
            event.__name__,
            [
                Problem(f"{event.__name__}.{name}", "is a second key", "mark one field only with Key[...]")
                for name in marked[1:]
            ],
        )
    return marked[0] if marked else None
