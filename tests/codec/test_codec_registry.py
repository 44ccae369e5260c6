"""Stored names: each means one type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NewType

import msgspec
import pytest

from saga.codec import TypeRegistry, codec_for
from saga.errors import DefinitionError

UserId = NewType("UserId", str)


@dataclass(frozen=True, slots=True)
class TakePayment:
    a: int


@dataclass(frozen=True, slots=True)
class Named:
    __saga_type__: ClassVar[str] = "shop.TakePayment/2"
    a: int


def another_take_payment() -> type[Any]:
    @dataclass(frozen=True, slots=True)
    class TakePayment:
        a: int

    return TakePayment


@pytest.fixture
def registry() -> TypeRegistry:
    return TypeRegistry()


def test_registered_type_is_found_by_its_stored_name(registry: TypeRegistry) -> None:
    codec = registry.register(TakePayment)

    assert registry.by_name("TakePayment/1") is codec is codec_for(TakePayment)


@pytest.mark.parametrize(
    ("tp", "name"),
    [
        (Named, "shop.TakePayment/2"),
        (None, "null"),
        (str, "str"),
        (UserId, "str"),
        (tuple[str, ...], "tuple[str, ...]"),
        (tuple[int, str], "tuple[int, str]"),
        (tuple[()], "tuple[()]"),
        (list[Named], "list[shop.TakePayment/2]"),
        (dict[str, TakePayment | None], "dict[str, TakePayment/1 | null]"),
        (None | int | str, "int | str | null"),
    ],
    ids=str,
)
def test_stored_name_of_a_type(registry: TypeRegistry, tp: Any, name: str) -> None:
    assert registry.register(tp).name == name
    assert registry.by_name(name).type == tp


def test_unknown_name_is_a_key_error(registry: TypeRegistry) -> None:
    with pytest.raises(KeyError):
        registry.by_name("TakePayment/1")


def test_same_type_may_be_registered_again(registry: TypeRegistry) -> None:
    assert registry.register(TakePayment) is registry.register(TakePayment)


def test_two_classes_of_one_name_are_refused_with_the_remedy(registry: TypeRegistry) -> None:
    first = registry.register(TakePayment)

    with pytest.raises(DefinitionError) as caught:
        registry.register(another_take_payment())
    assert "__saga_type__ = " in caught.value.problems[0].remedy
    assert "test_codec_registry.TakePayment" in caught.value.problems[0].what
    assert registry.by_name("TakePayment/1") is first


def test_containers_of_two_classes_of_one_name_are_refused(registry: TypeRegistry) -> None:
    registry.register(list[TakePayment])

    with pytest.raises(DefinitionError):
        registry.register(list[another_take_payment()])  # type: ignore[misc]


def test_types_that_are_one_when_stored_are_one(registry: TypeRegistry) -> None:
    assert registry.register(str) is registry.register(UserId) is registry.register(Annotated[str, "key"])


def test_types_that_differ_in_their_limits_have_two_names(registry: TypeRegistry) -> None:
    assert registry.register(str).name != registry.register(Annotated[str, msgspec.Meta(max_length=3)]).name


class Base:
    seen: ClassVar[list[type]] = []

    def __init_subclass__(cls) -> None:
        Base.seen.append(cls)


@dataclass(slots=True)
class BuiltTwice(Base):
    a: int


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_dead_first_class_of_a_slots_dataclass_gives_way_to_the_living_one(
    registry: TypeRegistry, order: tuple[int, ...]
) -> None:
    """`slots=True` builds a class twice, and `__init_subclass__` has seen both."""
    dead, living = Base.seen
    assert living is BuiltTwice is not dead
    for number in order:
        registry.register((dead, living)[number])

    assert registry.by_name("BuiltTwice/1").type is BuiltTwice


def test_type_that_cannot_be_stored_is_refused_and_not_known(registry: TypeRegistry) -> None:
    with pytest.raises(DefinitionError, match="may hold anything"):
        registry.register(list[Any])
    with pytest.raises(KeyError):
        registry.by_name("list[Any]")
