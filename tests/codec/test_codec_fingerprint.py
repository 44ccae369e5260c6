"""The fingerprint of a type changes when its shape does, and for nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, make_dataclass
from dataclasses import field as dataclass_field
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from saga.codec import codec_for

ROOT = Path(__file__).parents[2]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Tree:
    name: str
    colour: Colour | None = None
    parts: tuple[Tree, ...] = ()


def shape(*fields: Any, name: str = "Shape", **namespace: Any) -> str:
    return codec_for(make_dataclass(name, fields, namespace=namespace)).fingerprint


def enum(**members: str) -> Any:
    return Enum("Colour", members)


PLAIN = shape(("a", int), ("b", str))


@pytest.mark.parametrize(
    "other",
    [
        shape(("a", int), ("b", str), __doc__="Another docstring."),
        shape(("a", int), ("b", str), __module__="elsewhere"),
        shape(("b", str), ("a", int)),
        shape(("a", int), ("b", str), method=lambda self: 3),
        shape(("a", Annotated[int, "a note"]), ("b", str)),
        shape(("a", Annotated[int, msgspec.Meta(description="a note")]), ("b", str)),
    ],
)
def test_what_is_not_stored_does_not_count(other: str) -> None:
    assert other == PLAIN


@pytest.mark.parametrize(
    "other",
    [
        shape(("a", int), ("b", str), name="Another"),
        shape(("a", int)),
        shape(("a", int), ("c", str)),
        shape(("a", int), ("b", bytes)),
        shape(("a", int), ("b", str | None)),
        shape(("a", int), ("b", str, "")),
        shape(("a", int), ("b", str), ("c", int)),
        shape(("a", Annotated[int, msgspec.Meta(ge=0)]), ("b", str)),
        shape(("a", int), ("b", str), __saga_type__="Shape/2"),
    ],
)
def test_what_is_stored_counts(other: str) -> None:
    assert other != PLAIN


def test_value_of_a_default_does_not_count() -> None:
    factory: Any = dataclass_field(default_factory=int)

    assert shape(("a", int, 1)) == shape(("a", int, 2)) == shape(("a", int, factory))


def test_fields_of_nested_types_count() -> None:
    inner, longer = make_dataclass("Inner", [("a", int)]), make_dataclass("Inner", [("a", int), ("b", int)])

    assert shape(("x", list[inner])) != shape(("x", list[longer]))  # type: ignore[valid-type]


def test_order_of_a_union_does_not_count() -> None:
    assert codec_for(int | str | None).fingerprint == codec_for(None | str | int).fingerprint


def test_values_of_an_enumeration_count_and_their_names_and_order_do_not() -> None:
    plain = codec_for(enum(RED="r", BLUE="b")).fingerprint

    assert codec_for(enum(AZURE="b", CRIMSON="r")).fingerprint == plain
    assert codec_for(enum(RED="r", BLUE="blue")).fingerprint != plain


def test_literals_count() -> None:
    assert codec_for(Literal["a", "b"]).fingerprint == codec_for(Literal["b", "a"]).fingerprint
    assert codec_for(Literal["a"]).fingerprint != codec_for(Literal["b"]).fingerprint
    assert codec_for(Literal[1]).fingerprint != codec_for(Literal["1"]).fingerprint
    assert codec_for(Literal[1]).fingerprint != codec_for(Literal[True]).fingerprint


def test_layout_of_a_struct_counts() -> None:
    def struct(*names: str, **config: Any) -> str:
        return codec_for(msgspec.defstruct("Point", [(name, int) for name in names], **config)).fingerprint

    assert len({struct("x", "y", **config) for config in ({}, {"array_like": True}, {"tag": True})}) == 3
    assert struct("x_y") != struct("x_y", rename="camel")
    assert struct("x", "y") == struct("y", "x")
    assert struct("x", "y", array_like=True) != struct("y", "x", array_like=True)


def test_fingerprint_is_the_same_in_every_process_and_python() -> None:
    """These are on disk: a change of them makes every saga in progress look changed."""
    assert codec_for(str).fingerprint == "5ec3fd8be61097d0"
    assert codec_for(tuple[int, ...]).fingerprint == "95b034618ea35db2"
    assert codec_for(Tree).fingerprint == "7e392733eab34cc7"


@pytest.mark.parametrize("seed", ["1", "2"])
def test_fingerprint_does_not_hang_on_the_hash_seed(seed: str) -> None:
    program = (
        "from enum import Enum; from saga.codec import codec_for\n"
        "Colour = Enum('Colour', {'RED': 'r', 'BLUE': 'b'})\n"
        "print(codec_for(dict[str, Colour | int | None]).fingerprint)"
    )
    env = os.environ | {"PYTHONHASHSEED": seed}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, env=env, check=True
    )

    assert ran.stdout.strip() == codec_for(dict[str, enum(RED="r", BLUE="b") | int | None]).fingerprint  # type: ignore[misc]
