"""`Saga`: the class an author derives a process from.

Rules
1. A class derived from `Saga` is checked and compiled, once, when its statement ends: see `definition`.
2. An instance is what the author's functions see of one saga that runs: `id`, `input`, `started_at`, `tags`,
   and the values of the leaves that were reached. The runtime makes it and drops it; it is not stored.
3. Therefore it has no state of its own: setting an attribute in a method raises. What a saga knows it was
   told by its input and by what came back.
4. All attributes are plain entries of the instance's `__dict__`: put there by `set_value`, or once by `load`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeVar

from saga.flow.definition import Definition, define
from saga.flow.elements import Block, Blocks
from saga.flow.header import Header
from saga.flow.hints import names_around, type_argument

if TYPE_CHECKING:
    from saga.participants import Context

__all__ = ["Saga", "forget_value", "make_view", "set_value"]

I = TypeVar("I")  # noqa: E741 - I as in input; authors see it in error messages of their type checker
S = TypeVar("S", bound="Saga[Any]")


class Saga(Block, Generic[I]):
    """A long-running process: what is done, in which order, and how it is undone. `I` is the type of its
    input.

    In the class line:
    - `name`: what it is called in journals and diagrams (default: the name of the class);
    - `version`: from 1; running instances keep the version they were started with;
    - `context`: it answers the command that is its input, as a part of this context;
    - `started_by_event`: an event of its input's type starts one;
    - `deadline`: how long one may take, from the beginning of its flow; then what was done is undone (code `timeout`).

    Class attribute `flow`: a leaf, a block, or a tuple of them in their order.
    Raises DefinitionError, with all problems, when the class is made.
    """

    # Blocks, and nothing else. Mypy would refuse `flow = one_leaf` without the Any: it takes the type of
    # `self.flow`, which is what came back to the leaf. Anything else in it raises when the class is made.
    flow: ClassVar[Blocks | Any]
    _saga_definition: ClassVar[Definition]

    id: str
    """The id of the instance, such as `order-42`."""
    input: I
    """What it was started with."""
    started_at: datetime
    """When it was started, in UTC."""
    tags: Mapping[str, str]
    """What it was tagged with when it was started."""

    _saga_load: Callable[[str], Any] | None

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        version: int = 1,
        context: type[Context] | None = None,
        started_by_event: bool = False,
        deadline: timedelta | None = None,
    ) -> None:
        super().__init_subclass__()
        header = Header(
            name=cls.__name__ if name is None else name,
            version=version,
            input=type_argument(cls, Saga),
            context=context,
            started_by_event=started_by_event,
            deadline=deadline,
        )
        # The class may stand in a function (a test), whose names its annotations use: see `hints`, rule 3.
        definition = define(cls, header, names_around(cls, sys._getframe(1)))
        if definition is not None:
            cls._saga_definition = definition

    def __init__(
        self,
        *,
        id: str,
        input: I,
        started_at: datetime,
        tags: Mapping[str, str],
        load: Callable[[str], Any] | None = None,
    ) -> None:
        """Make what the author's functions see of one saga. For runtimes and tests, not for authors.

        `load` returns the value of the leaf of a name, and raises KeyError when it was not reached; it is
        asked when the leaf is first read. Without it, `set_value` says what was reached.
        """
        self.__dict__.update(id=id, input=input, started_at=started_at, tags=tags, _saga_load=load)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    if not TYPE_CHECKING:  # a type checker that sees __setattr__ lets every name be set

        def __setattr__(self, name: str, value: object) -> NoReturn:
            raise AttributeError(
                f"{type(self).__name__}.{name} cannot be set: a saga has no state of its own, since it may "
                f"be replayed at any time; let a step's answer or an event carry the value"
            )

        def __delattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"{type(self).__name__}.{name} cannot be deleted: a saga has no state of its own"
            )


def make_view(
    saga: type[S],
    id: str,
    input: object,
    started_at: datetime,
    tags: Mapping[str, str],
    load: Callable[[str], Any] | None,
) -> S:
    """Return an instance of `saga`; see `Saga.__init__`. For those who make one for every saga that runs: a third
    of the time."""
    view = object.__new__(saga)
    view.__dict__.update(id=id, input=input, started_at=started_at, tags=tags, _saga_load=load)
    return view


def set_value(saga: Saga[Any], leaf: str, value: object) -> None:
    """Let `self.<leaf>` be `value` from now on."""
    saga.__dict__[leaf] = value


def forget_value(saga: Saga[Any], leaf: str) -> None:
    """Let `self.<leaf>` be loaded again when it is read next; without `load`, it was not reached then."""
    saga.__dict__.pop(leaf, None)
