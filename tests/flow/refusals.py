"""Definitions that are refused: each is a function that makes one, with the problem that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from saga import DefinitionError

Make = Callable[[], object]


@dataclass(frozen=True)
class Refusal:
    """A definition with one problem."""

    make: Make
    element: str
    what: str
    remedy: str

    def check(self) -> None:
        """Assert that this problem is reported, and no other one."""
        with pytest.raises(DefinitionError) as caught:
            self.make()
        (problem,) = caught.value.problems
        assert problem.element == self.element
        assert self.what in problem.what
        assert self.remedy in problem.remedy
        assert str(problem) in str(caught.value)


class Refusals:
    """Collects them: `wrong = Refusals()`, then `@wrong(element, what, remedy)` before each function; `what` and
    `remedy` are parts of the texts."""

    def __init__(self) -> None:
        self.cases: list[Any] = []

    def __call__(self, element: str, what: str, remedy: str) -> Callable[[Make], Make]:
        def add(make: Make) -> Make:
            self.cases.append(pytest.param(Refusal(make, element, what, remedy), id=make.__name__))
            return make

        return add
