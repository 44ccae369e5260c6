"""Dataclasses and Structs of unusual makes: all fields are stored and compared, whatever `__eq__` says."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest

from saga.codec import codec_for
from saga.errors import NotEncodable


@dataclass(eq=False)
class NoEq:
    a: int


@dataclass
class Holder:
    items: list[NoEq]


@dataclass
class Hidden:
    a: int = field(compare=False)


@dataclass
class Computed:
    """Its `double` is made anew whenever one is built, also when it is read back."""

    a: int
    double: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        self.double = 2 * self.a


@dataclass
class Late:
    a: int
    b: int = field(init=False, default=0)


@dataclass
class Rounded:
    cents: int

    def __post_init__(self) -> None:
        self.cents = self.cents // 10 * 10


@dataclass(frozen=True)
class Outer:
    rounded: tuple[Rounded, ...]


@dataclass
class Private:
    _a: int
    __b: int = 0


@dataclass(frozen=True, slots=True)
class WithDefault:
    a: int = 0


@dataclass
class Unlike:  # noqa: PLW1641
    """Holds all of them equal; the fields count nevertheless."""

    a: str

    def __eq__(self, other: object) -> bool:
        return True


class Money(msgspec.Struct, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    minor_units: int = 0
    currency: str = "EUR"


class NoEqStruct(msgspec.Struct, eq=False):
    a: int


def test_dataclass_without_equality_is_compared_by_its_fields() -> None:
    _, twin = codec_for(Holder).roundtrip(Holder([NoEq(1), NoEq(2)]))

    assert [each.a for each in twin.items] == [1, 2]


def test_struct_without_equality_is_compared_by_its_fields() -> None:
    assert codec_for(NoEqStruct).roundtrip(NoEqStruct(3))[1].a == 3


def test_field_that_is_not_compared_is_stored() -> None:
    assert codec_for(Hidden).roundtrip(Hidden(5))[1].a == 5


def test_field_that_is_not_compared_and_does_not_survive_is_refused() -> None:
    value = Computed(1)
    value.double = 99

    with pytest.raises(NotEncodable) as caught:
        codec_for(Computed).encode(value)
    assert caught.value.path == "double"
    assert caught.value.why == "is 99, and comes back as 2"


def test_field_without_init_is_stored() -> None:
    late = Late(1)
    late.b = 7

    assert codec_for(Late).roundtrip(late)[1].b == 7


def test_value_that_post_init_would_change_is_refused() -> None:
    changed = Rounded(10)
    changed.cents = 15

    with pytest.raises(NotEncodable) as caught:
        codec_for(Outer).encode(Outer((Rounded(10), changed)))
    assert caught.value.path == "rounded[1].cents"


def test_private_fields_are_stored() -> None:
    assert codec_for(Private).roundtrip(Private(1, 2))[1] == Private(1, 2)


def test_field_that_was_deleted_is_refused_though_it_has_a_default() -> None:
    broken = WithDefault()
    object.__delattr__(broken, "a")

    with pytest.raises(NotEncodable, match=r"WithDefault/1\.a: has no value"):
        codec_for(WithDefault).encode(broken)


def test_own_equality_of_a_record_does_not_count() -> None:
    with pytest.raises(NotEncodable, match=r"Unlike/1\.a: expected str, got int"):
        codec_for(Unlike).encode(Unlike(1))  # type: ignore[arg-type]


def test_struct_that_omits_defaults_comes_back_whole() -> None:
    assert codec_for(Money).roundtrip(Money(5)) == (b'{"minorUnits":5}', Money(5, "EUR"))


def test_attributes_that_are_no_fields_are_left_behind() -> None:
    """A `cached_property` keeps its value there; it is not part of the value."""
    hidden = Hidden(1)
    hidden.__dict__["cached"] = 3

    assert not hasattr(codec_for(Hidden).roundtrip(hidden)[1], "cached")
