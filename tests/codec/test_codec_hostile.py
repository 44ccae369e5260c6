"""Values whose own code raises or lies: always NotEncodable or NotDecodable, never anything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

import pytest

from saga.codec import codec_for
from saga.errors import NotDecodable, NotEncodable


class Unspeakable(BaseException):
    def __str__(self) -> str:
        raise SystemExit("cannot even be told")


RAISED: list[BaseException] = [ValueError("no"), KeyError("no"), OSError(5), RecursionError(), SystemExit(3)]
RAISED += [GeneratorExit(), Unspeakable()]


@dataclass
class Picky:
    """Can be made, but not made again."""

    a: int
    error = ValueError("")

    def __post_init__(self) -> None:
        if self.a < 0:
            raise type(self).error


@dataclass
class Box:
    items: list[Picky]


class RaisesOnCompare(str):
    def __eq__(self, other: object) -> NoReturn:
        raise SystemExit("no comparing")

    def __hash__(self) -> int:
        return 1

    def __repr__(self) -> NoReturn:
        raise SystemExit("no showing")


class LyingList(list[int]):  # noqa: PLW1641
    def __eq__(self, other: object) -> bool:
        return True


class BrokenList(list[int]):  # noqa: PLW1641
    def __iter__(self) -> Iterator[int]:
        raise SystemExit("no iterating")

    def __eq__(self, other: object) -> NoReturn:
        raise SystemExit("no comparing")


@dataclass
class Spoofed:
    a: int


class Pretender(Spoofed):  # noqa: PLW1641
    __class__ = Spoofed  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


@dataclass
class Moody:
    """Its field cannot be read."""

    a: int = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "a":
            raise SystemExit("no reading")
        return object.__getattribute__(self, name)


@dataclass
class Node:
    next: Node | None = None


def unmakeable(error: BaseException) -> Picky:
    Picky.error = error  # type: ignore[assignment]
    picky = Picky(1)
    picky.a = -1
    return picky


@pytest.mark.parametrize("error", RAISED, ids=lambda each: type(each).__name__)
def test_post_init_that_raises_on_the_way_back_is_refused_with_the_path(error: BaseException) -> None:
    with pytest.raises(NotEncodable) as caught:
        codec_for(Box).encode(Box([Picky(1), unmakeable(error)]))

    assert caught.value.path == "items[1]"
    assert caught.value.why.startswith("cannot be read back")


@pytest.mark.parametrize("error", RAISED, ids=lambda each: type(each).__name__)
def test_post_init_that_raises_on_stored_data_is_not_decodable(error: BaseException) -> None:
    Picky.error = error  # type: ignore[assignment]

    with pytest.raises(NotDecodable):
        codec_for(Box).decode(b'{"items": [{"a": -1}]}')


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()], ids=lambda each: type(each).__name__)
def test_interrupt_and_lack_of_memory_pass(error: BaseException) -> None:
    """They say nothing about the value: the one is a person's, the other the machine's."""
    with pytest.raises(type(error)):
        codec_for(Picky).encode(unmakeable(error))
    with pytest.raises(type(error)):
        codec_for(Picky).decode(b'{"a": -1}')


ONE, TWO = Decimal(1), Decimal(2)


class Shifty(list[Decimal]):
    """Is gone through as it is told, one time after the other: an error, other items, or its own."""

    def __init__(self, *moods: BaseException | list[Decimal]) -> None:
        super().__init__([ONE, TWO])
        self.moods = list(moods)

    def __iter__(self) -> Iterator[Decimal]:
        mood = self.moods.pop(0) if self.moods else [ONE, TWO]
        if isinstance(mood, BaseException):
            raise mood
        return iter(mood)


class InterruptsWhenShown(str):
    def __repr__(self) -> NoReturn:
        raise KeyboardInterrupt


class InterruptsWhenTold(Exception):
    def __str__(self) -> NoReturn:
        raise KeyboardInterrupt


@pytest.mark.parametrize("times", range(4))
def test_an_interrupt_while_a_value_is_looked_into_passes(times: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        codec_for(list[Decimal]).encode(Shifty(*([[ONE, ONE]] * times), KeyboardInterrupt()))


def test_an_interrupt_while_a_value_is_shown_passes() -> None:
    with pytest.raises(KeyboardInterrupt):
        codec_for(int).encode(InterruptsWhenShown("a"))  # type: ignore[arg-type]


def test_an_interrupt_while_an_error_is_told_passes() -> None:
    with pytest.raises(KeyboardInterrupt):
        codec_for(Picky).encode(unmakeable(InterruptsWhenTold()))


def test_a_value_that_changes_while_it_is_looked_at_is_refused_as_a_whole() -> None:
    with pytest.raises(NotEncodable, match="was another value when it was looked at again") as caught:
        codec_for(list[Decimal]).encode(Shifty([ONE, ONE]))
    assert caught.value.path == ""


@pytest.mark.parametrize(
    ("tp", "value"),
    [
        (str, RaisesOnCompare("a")),
        (dict[str, int], {RaisesOnCompare("a"): "x"}),
        (int | None, RaisesOnCompare("a")),
        (list[int], BrokenList([1, "x"])),  # type: ignore[list-item]
        (list[int], LyingList(["x"])),  # type: ignore[list-item]
        (Spoofed, Pretender(1)),
        (list[Spoofed], [Pretender(1)]),
        (int, object()),
        (int, int),
        (str, lambda: "a"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_hostile_value_is_refused(tp: Any, value: Any) -> None:
    with pytest.raises(NotEncodable):
        codec_for(tp).encode(value)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_field_that_cannot_be_read_is_refused() -> None:
    """msgspec takes it for missing; on Python 3.13 the interpreter says that it ignored the error."""
    with pytest.raises(NotEncodable):
        codec_for(Moody).encode(Moody(1))


def test_what_was_raised_is_the_cause_of_the_refusal() -> None:
    error = ValueError("no")

    with pytest.raises(NotEncodable) as caught:
        codec_for(Picky).encode(unmakeable(error))
    assert caught.value.__cause__ is not None
    assert "no" in str(caught.value)


def test_list_that_lies_about_its_equality_comes_back_as_what_was_in_it() -> None:
    _, twin = codec_for(list[int]).roundtrip(LyingList([1, 2]))

    assert (type(twin), twin) == (list, [1, 2])


def test_value_that_contains_itself_is_refused() -> None:
    node = Node()
    node.next = node

    with pytest.raises(NotEncodable, match="contains itself"):
        codec_for(Node).encode(node)


def test_list_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(NotEncodable):
        codec_for(list[list[int]]).encode(endless)
