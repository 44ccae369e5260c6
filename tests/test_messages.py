"""What a refusal may be, and what types are called in journals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from saga import Command, DefinitionError, Rejected
from saga.messages import RESERVED_CODES, answer_type, type_name

R = TypeVar("R")


class Given(Command[R]):
    """Says no more than Command does."""


@dataclass(frozen=True)
class Asked(Given[int]):
    """Says it of another class."""


@pytest.mark.parametrize(("reason", "code"), [(1, "no"), ("no", 1), ("no", ""), (None, "no")])
def test_a_refusal_has_a_reason_and_a_code(reason: Any, code: Any) -> None:
    with pytest.raises(ValueError, match="takes a reason and a code, both strings, the code not empty"):
        Rejected(reason, code=code)


@pytest.mark.parametrize("code", sorted(RESERVED_CODES))
def test_the_codes_of_the_machine_are_refused(code: str) -> None:
    with pytest.raises(ValueError, match=f"'{code}' is reserved"):
        Rejected("no", code=code)


def test_a_refusal_shows_its_reason_and_its_code() -> None:
    refusal = Rejected("sold out", code="sold-out")
    assert (refusal.reason, refusal.code, str(refusal)) == ("sold out", "sold-out", "sold out")
    assert repr(refusal) == "Rejected('sold out', code='sold-out')"


@pytest.mark.parametrize("name", ["TakePayment", "TakePayment/0", "/1", "a b/1", "1/1", 1, "payment.Take/2 "])
def test_a_type_name_that_is_none_is_refused_with_what_to_write(name: Any) -> None:
    cls = type("TakePayment", (), {"__saga_type__": name})
    with pytest.raises(DefinitionError, match="is not a type name; write it as 'name/version'"):
        type_name(cls)


def test_the_stored_name_of_a_class_is_not_inherited() -> None:
    base = type("Base", (), {"__saga_type__": "payment.Take/2"})
    assert type_name(base) == "payment.Take/2"
    assert type_name(type("Derived", (base,), {})) == "Derived/1"


def test_the_answer_of_a_command_is_what_its_class_says_itself() -> None:
    with pytest.raises(DefinitionError, match="Given"):
        answer_type(Given)
    with pytest.raises(DefinitionError, match="Asked"):
        answer_type(Asked)
