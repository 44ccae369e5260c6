"""What is given to a runtime as its contexts: classes and factories; all that is wrong is told at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from saga import Command, Context, DefinitionError, Gateway, Runtime

from .support import Desk, Job, Script


def runtime_of(*contexts: Any) -> Runtime:
    return Runtime(":memory:", contexts=contexts)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("desk", "is neither a class nor a factory"),
        (None, "is neither a class nor a factory"),
        (Job, "is no Context or Gateway"),
        (Context, "is no Context or Gateway"),
        (Gateway, "is no Context or Gateway"),
        (dict, "is no Context or Gateway"),
        (lambda: Job("a"), "is no Context or Gateway"),
        (type("Coordinator", (Context,), {}), "its name 'coordinator' is taken by the runtime"),
    ],
)
def test_what_is_no_participant_is_refused(given: Any, what: str) -> None:
    with pytest.raises(DefinitionError, match=what):
        runtime_of(given)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:
        runtime_of("desk", Job, Context)
    assert len(caught.value.problems) == 3
    assert all(problem.remedy for problem in caught.value.problems)


def test_the_first_one_that_a_factory_makes_is_not_thrown_away() -> None:
    made: list[Desk] = []

    def factory() -> Desk:
        made.append(Desk(Script()))
        return made[-1]

    with runtime_of(factory):
        assert len(made) == 1


@dataclass(frozen=True)
class Guess(Command[object]):  # nobody knows how to store that
    text: str


def test_a_command_whose_answer_cannot_be_stored_is_refused_when_its_handler_is_given() -> None:
    class Guesser(Gateway):
        @Guess.handler
        def guess(self, command: Guess) -> object: ...

    with pytest.raises(DefinitionError, match="object"):
        runtime_of(Guesser)
