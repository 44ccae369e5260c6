"""What an author derives participants from: `Context` (has state) and `Gateway` (talks to the outside world).

Both are plain classes: they know no thread, no mailbox and no saga. Whoever drives one (its actor, the
simulator, a test) sets `db` or the key of the call, calls the handler, and takes what was published.

Rules
1. A command is handled by one handler; it stands in one class. Listeners may stand in many.
2. A context's state is its own SQLite file and nobody else's; the file is named after the class in snake case.
3. A gateway has no state. It may be asked twice for the same thing, always with the same idempotency key.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from saga.errors import DefinitionError, Problem
from saga.messages import Command, Event, type_name

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

__all__ = ["Context", "Gateway", "call_key", "handlers_of", "listeners_of", "participant_name"]

call_key: ContextVar[str] = ContextVar("saga_call_key")
"""The idempotency key of the call that this thread or task is in; set by the driver of a gateway."""


def participant_name(cls: type) -> str:
    """Return the name of a participant, which is also the name of its file: `CardProcessor` → `card_processor`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()


@cache
def _collect(cls: type, mark: str) -> Mapping[type, str]:
    """Return message type → method name, for the methods of `cls` that carry `mark`."""
    found: dict[type, str] = {}
    problems: list[Problem] = []
    for name, function in inspect.getmembers(cls, callable):
        message = getattr(function, mark, None)
        if message is None:
            continue
        if message in found:
            problems.append(
                Problem(
                    f"{cls.__name__}.{name}",
                    f"is a second method for {message.__name__}, beside {found[message]}",
                    "keep one of them",
                )
            )
        found[message] = name
    if problems:
        raise DefinitionError(cls.__name__, problems)
    return found


def handlers_of(cls: type) -> Mapping[type[Command[Any]], str]:
    """Return command type → name of the method that handles it."""
    return _collect(cls, "__saga_handles__")


def listeners_of(cls: type) -> Mapping[type[Event], str]:
    """Return event type → name of the method that listens to it."""
    return _collect(cls, "__saga_listens__")


class Context:
    """A bounded context: state in its own SQLite file, one command at a time, each exactly once.

    Everything a handler writes through `self.db` and publishes with `self.publish` becomes durable in one
    transaction together with its answer, or not at all. Handlers run on the thread of the context's actor.

    Class attributes an author may set:
    - `migrations`: a `sqlite_utils.Migrations` that makes and changes the context's own tables.
    - `listen_from`: `"beginning"` or `"now"`: where a new listener of this context starts (default `"beginning"`).
    """

    migrations: ClassVar[Migrations | None] = None
    listen_from: ClassVar[str] = "beginning"

    db: Database
    """The context's database. User code cannot end the transaction, attach files, set pragmas or write our tables."""

    _saga_publish: Callable[[Event], None] | None = None

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        handlers_of(cls), listeners_of(cls)  # a class with two handlers of one command is refused here
        if cls.listen_from not in ("beginning", "now"):
            raise DefinitionError(
                cls.__name__,
                [Problem("listen_from", f"is {cls.listen_from!r}", "write 'beginning' or 'now'")],
            )

    def publish(self, event: Event) -> None:
        """Publish `event` if and when the current transaction commits.

        Raises NotEncodable when it cannot be stored, RuntimeError outside of a handler or listener.
        """
        if self._saga_publish is None:
            raise RuntimeError(f"{type(self).__name__}.publish was called outside of a handler")
        self._saga_publish(event)


class Gateway:
    """A door to the outside world (HTTP, mail, a card processor). No state; at least once, with a key.

    Class attributes an author may set:
    - `concurrency`: how many calls run at the same time (default 1). Handlers are `def` or `async def`.

    `class CardProcessor(Gateway, context=Payment)` may read Payment's database through `self.db`, read-only:
    so a card number never travels in a command.
    """

    concurrency: ClassVar[int] = 1
    context: ClassVar[type[Context] | None] = None

    _saga_db: Callable[[], Database] | None = None

    def __init_subclass__(cls, *, context: type[Context] | None = None, **options: object) -> None:
        super().__init_subclass__(**options)
        if context is not None:
            cls.context = context
        problems = [
            Problem(
                f"{cls.__name__}.{name}", f"listens to {type_name(event)}", "only a Context listens to events"
            )
            for event, name in listeners_of(cls).items()
        ]
        if not isinstance(cls.concurrency, int) or cls.concurrency < 1:
            problems.append(Problem("concurrency", f"is {cls.concurrency!r}", "write a whole number from 1"))
        handlers_of(cls)
        if problems:
            raise DefinitionError(cls.__name__, problems)

    @property
    def key(self) -> str:
        """The idempotency key of this call: the same for every attempt of one command, never used for another."""
        return call_key.get()

    @property
    def db(self) -> Database:
        """The database of the gateway's context, read-only. RuntimeError when it has none."""
        if self._saga_db is None:
            raise RuntimeError(
                f"{type(self).__name__} has no context; write class {type(self).__name__}(Gateway, context=...)"
            )
        return self._saga_db()
