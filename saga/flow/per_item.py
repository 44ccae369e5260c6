"""`PerItem`: what came back to a leaf inside of an `each`, once for each item."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, NoReturn, TypeVar

from saga.errors import NotReached

__all__ = ["PerItem"]

R_co = TypeVar("R_co", covariant=True)


class PerItem(Generic[R_co]):
    """The values of one leaf that stands in an `each`, in the order of the items.

    In a method that is called for an item, `here` is the value of that item. Once the `each` is completed, the values
    of all items can be read: `for answer in self.invite`, `len(self.invite)`, `self.invite.of(2)`. An item whose way
    did not lead to the leaf has none.
    """

    __slots__ = ("_here", "_leaf", "_saga", "_values")

    def __init__(
        self,
        saga: str,
        leaf: str,
        values: Mapping[tuple[int, ...], R_co] = {},
        here: Callable[[], R_co] | None = None,
    ) -> None:
        """Made by the runtime. `values`: by index of the item, from 0; of nested ones the outer index first."""
        self._saga, self._leaf = saga, leaf
        self._values, self._here = values, here

    def __repr__(self) -> str:
        return f"<{len(self._values)} values of {self._saga}.{self._leaf}>"

    @property
    def here(self) -> R_co:
        """The value of the item at hand. Raises NotReached when there is none."""
        if self._here is None:
            self._fail()
        return self._here()

    def of(self, *index: int) -> R_co:
        """Return the value of the item of this index, from 0 (of nested ones: outer, inner). Raises NotReached."""
        try:
            return self._values[index]
        except KeyError:
            self._fail()

    def has(self, *index: int) -> bool:
        """Return whether the item of this index has a value."""
        return index in self._values

    def __iter__(self) -> Iterator[R_co]:
        return iter(self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def _fail(self) -> NoReturn:
        raise NotReached(self._saga, self._leaf)
