"""Types whose values would not come back: refused when defined, all at once, with place and remedy."""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field, make_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    NamedTuple,
    Self,
    TypedDict,
    TypeVar,
)

import msgspec
import pytest

from saga.codec import check_type, codec_for
from saga.errors import DefinitionError, Problem

if TYPE_CHECKING:
    from fractions import Fraction

T = TypeVar("T")


@dataclass
class Fine:
    a: int


@dataclass
class AlsoFine:
    b: int


@dataclass
class Generic_(Generic[T]):  # noqa: N801
    a: T


@dataclass
class OfInt(Generic_[int]):
    b: int


class AsDict(TypedDict):
    a: int


class AsTuple(NamedTuple):
    a: int


class Plain:
    a: int


class Mixed(Enum):
    A = "a"
    B = 1


class Halves(Enum):
    A = 0.5


class Huge(Enum):
    A = 2**70


class Empty(Enum):
    pass


class Numbers(Enum):
    ONE = 1


class Named(Enum):
    __saga_type__ = "no version"
    A = "a"


@dataclass
class WithInitVar:
    a: int
    b: InitVar[int]


@dataclass(slots=True)
class Shadowed:
    date: date


@dataclass
class Unresolved:
    a: Missing  # type: ignore[name-defined]  # noqa: F821
    b: list[Fraction]
    c: Any


@dataclass
class DerivedDict(dict[str, int]):
    a: int = 0


@dataclass
class BadName:
    __saga_type__: ClassVar[str] = "no version"
    a: int


class Raw(msgspec.Struct):
    a: msgspec.Raw
    b: int | msgspec.UnsetType = msgspec.UNSET


REFUSED: list[tuple[Any, str, str]] = [
    # type, where below "x", part of what is wrong
    (Any, "", "may hold anything"),
    (object, "", "may hold anything"),
    (Any | None, "", "may hold anything"),
    (list, "", "does not say what is in it"),
    (tuple, "", "does not say what is in it"),
    (typing.Tuple, "", "does not say what is in it"),  # noqa: UP006
    (dict, "", "does not say what is in it"),
    (set[int], "", "has no order"),
    (frozenset[str], "", "has no order"),
    (set, "", "has no order"),
    (bytearray, "", "can be changed"),
    (memoryview, "", "can be changed"),
    (complex, "", "has no form in JSON"),
    (Callable[[], None], "", "is code, not data"),
    (Callable, "", "is code, not data"),
    (type[int], "", "is code, not data"),
    (type, "", "is code, not data"),
    (Sequence[int], "", "would come back as another type"),
    (Mapping[str, int], "", "would come back as another type"),
    (Iterator[int], "", "would come back as another type"),
    (typing.Sequence[int], "", "would come back as another type"),
    (dict[int, str], ".keys()", "turn into strings"),
    (dict[Decimal, str], ".keys()", "turn into strings"),
    (dict[str | int, str], ".keys()", "turn into strings"),
    (dict[Numbers, str], ".keys()", "turn into strings"),
    (dict[Literal["a", 1], str], ".keys()", "turn into strings"),
    (list[dict[str, set[int]]], "[][]", "has no order"),
    (tuple[int, set[int]], "[1]", "has no order"),
    (Fine | AlsoFine, "", "more than one dataclass"),
    (Fine | dict[str, int], "", "more than one dict-like type"),
    (Decimal | str, "", "more than one str-like type"),
    (list[int] | tuple[int, ...], "", "more than one array-like"),
    (int | msgspec.UnsetType, "", "not a type that can be stored"),
    (Generic_, "", "type parameters"),
    (Generic_[int], "", "type parameters"),
    (OfInt, ".a", "type parameter"),
    (T, "", "type parameter"),
    (AsDict, "", "derives from a built-in type"),
    (AsTuple, "", "derives from a built-in type"),
    (DerivedDict, "", "derives from a built-in type"),
    (Plain, "", "not a type that can be stored"),
    (Exception, "", "not a type that can be stored"),
    (Self, "", "not a type that can be stored"),
    (Final[int], "", "not a type that can be stored"),
    ("Fine", "", "is the name of a type, not the type"),
    (list["Fine"], "[]", "is the name of a type, not the type"),
    (3, "", "not a type that can be stored"),
    (Mixed, "", "all str or all int"),
    (Halves, "", "all str or all int"),
    (Huge, "", "2**63"),
    (Empty, "", "at least one item"),
    (Literal[b"x"], "", "cannot be read from JSON"),
    (WithInitVar, ".b", "is an InitVar"),
    (Shadowed, ".date", "means the field itself"),
    (make_dataclass("Local", [("a", "Nowhere")]), ".a", "name 'Nowhere' is not defined"),
    (msgspec.defstruct("Odd", [("class", int)]), ".class", "is not a name in Python"),
    (BadName, ".__saga_type__", "is not a type name"),
    (Named, ".__saga_type__", "is not a type name"),
]


@pytest.mark.parametrize(("tp", "where", "what"), REFUSED, ids=[str(tp)[:50] for tp, _, _ in REFUSED])
def test_type_is_refused_with_its_place_and_a_remedy(tp: Any, where: str, what: str) -> None:
    (problem,) = check_type(tp, "x")

    assert problem.element == f"x{where}"
    assert what in problem.what
    assert problem.remedy


@pytest.mark.parametrize("tp", [tp for tp, _, _ in REFUSED], ids=[str(tp)[:50] for tp, _, _ in REFUSED])
def test_there_is_no_codec_for_a_refused_type(tp: Any) -> None:
    with pytest.raises(DefinitionError):
        codec_for(tp)


def places(problems: list[Problem]) -> list[str]:
    return [problem.element for problem in problems]


def test_annotations_that_cannot_be_found_do_not_hide_other_problems() -> None:
    problems = check_type(Unresolved, "Unresolved")

    assert places(problems) == [
        "Unresolved.a",
        "Unresolved.b",
        "Unresolved.c",
    ]
    assert "if TYPE_CHECKING" in problems[1].remedy


def test_fields_of_a_struct_are_looked_into() -> None:
    assert places(check_type(Raw, "Raw")) == ["Raw.a", "Raw.b"]


@dataclass
class Deep:
    bad: object
    nested: tuple[dict[str, Leaf | None], ...]
    again: Leaf
    itself: list[Deep] = field(default_factory=list)


@dataclass
class Leaf:
    tags: set[str]
    up: Deep | None


def test_all_problems_are_told_at_once_and_recursive_types_end() -> None:
    assert places(check_type(Deep, "Deep")) == ["Deep.bad", "Deep.nested[][].tags"]


def test_definition_error_tells_all_problems() -> None:
    with pytest.raises(DefinitionError) as caught:
        codec_for(Deep)

    assert caught.value.subject == "Deep"
    assert len(caught.value.problems) == 2


@dataclass
class Odd:
    """Unusual but fine."""

    constant: ClassVar[set[int]] = {1}
    _: KW_ONLY
    a: int = 0
    itself: Odd | None = None


def test_type_that_is_fine_has_no_problems() -> None:
    assert check_type(Odd, "Odd") == []


def alias(statement: str) -> Any:
    """Return what a `type X = ...` statement makes; Python 3.11, which we support, cannot read one."""
    names: dict[str, Any] = {}
    exec(statement, names)
    return names["X"]


new_in_3_12 = pytest.mark.skipif(sys.version_info < (3, 12), reason="`type X = ...` came with Python 3.12")


@new_in_3_12
def test_alias_is_the_type_it_stands_for() -> None:
    codec = codec_for(tuple[alias("type X = int | None"), ...])  # type: ignore[misc]

    assert codec.name == "tuple[int | null, ...]"
    assert codec.roundtrip((1, None)) == (b"[1,null]", (1, None))


@new_in_3_12
def test_alias_of_a_union_in_a_union_is_seen_through() -> None:
    codec = codec_for(alias("from datetime import datetime\ntype X = datetime | int") | None)

    assert codec.roundtrip(datetime(2020, 1, 1, tzinfo=UTC))[1] == datetime(2020, 1, 1, tzinfo=UTC)


@new_in_3_12
@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("type X = list[X]", "contains itself"),
        ("type X = Nowhere", "name 'Nowhere' is not defined"),
        ("type X = set[int]", "has no order"),
    ],
)
def test_alias_that_cannot_be_stored_is_refused(statement: str, what: str) -> None:
    (problem,) = check_type(alias(statement), "x")

    assert what in problem.what


@dataclass
class Sheet:
    text: str


@pytest.mark.parametrize(
    "tp", [Annotated[Sheet, msgspec.Meta(min_length=1)], list[Annotated[Sheet, msgspec.Meta(gt=1)]]]
)
def test_limits_on_a_class_are_refused(tp: Any) -> None:
    [problem] = check_type(tp, "Sheets")
    assert (problem.what, problem.remedy) == (
        "has limits that do not go with a class",
        "put the limits on its fields",
    )
