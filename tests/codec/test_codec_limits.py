"""How large and how deep a value may be."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from saga.codec import MAX_BYTES, MAX_DEPTH, codec_for
from saga.errors import NotDecodable, NotEncodable, PayloadTooLarge


@dataclass
class Attachment:
    name: str
    content: bytes = b""


@dataclass
class Mail:
    subject: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Tree:
    parts: list[Tree] = field(default_factory=list)
    note: str = ""


@dataclass
class Chain:
    next: Chain | None = None
    ratio: float = 0.0


def chain(length: int) -> Chain:
    last = Chain()
    for _ in range(length - 1):
        last = Chain(last)
    return last


def test_value_of_exactly_the_limit_is_taken() -> None:
    text = "x" * (MAX_BYTES - 2)

    assert len(codec_for(str).encode(text)) == MAX_BYTES


def test_value_of_one_byte_more_is_refused_with_size_and_limit() -> None:
    with pytest.raises(PayloadTooLarge) as caught:
        codec_for(str).encode("x" * (MAX_BYTES - 1))

    assert (caught.value.size, caught.value.limit, caught.value.path) == (MAX_BYTES + 1, MAX_BYTES, "")


def test_bytes_count_not_characters() -> None:
    with pytest.raises(PayloadTooLarge):
        codec_for(str).encode("é" * 10, limit=21)


def test_limit_can_be_set() -> None:
    assert codec_for(str).encode("x" * (MAX_BYTES * 2), limit=MAX_BYTES * 3)


@pytest.mark.parametrize(
    ("mail", "path"),
    [
        (Mail("x" * 200), "subject"),
        (Mail("x", [Attachment("a"), Attachment("b", b"x" * 200)]), "attachments[1].content"),
        (Mail("x", [Attachment("a")] * 20), "attachments"),
        (Mail("x", [], {"a": "b", "c": "x" * 200}), 'headers["c"]'),
        (Mail("x", [], {"a": "b", "x" * 200: "c"}), "headers.keys()"),
        (Mail("x" * 60, [Attachment("x" * 50)], {"x": "x" * 50}), "attachments[0].name"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_largest_part_is_named(mail: Mail, path: str) -> None:
    with pytest.raises(PayloadTooLarge) as caught:
        codec_for(Mail).encode(mail, limit=120)

    assert caught.value.path == path


def test_value_as_deep_as_the_limit_is_taken() -> None:
    value = chain(MAX_DEPTH)

    assert codec_for(Chain).roundtrip(value)[1] == value


@pytest.mark.parametrize("length", [MAX_DEPTH + 1, 300, 2_000, 50_000])
def test_deeper_value_is_refused(length: int) -> None:
    value = chain(length)

    with pytest.raises(NotEncodable, match="nested deeper than 64 levels") as caught:
        codec_for(Chain).encode(value)
    assert caught.value.path == ".".join(["next"] * MAX_DEPTH)
    _take_apart(value)


def _take_apart(value: Chain | None) -> None:
    """Let go of a long chain link by link; the interpreter would recurse."""
    while value is not None:
        value.next, value = None, value.next


def test_bad_value_at_the_deepest_place_is_found() -> None:
    value = chain(MAX_DEPTH)
    last = value
    while last.next:
        last = last.next
    last.ratio = math.nan

    with pytest.raises(NotEncodable, match=r"next\.ratio: is nan"):
        codec_for(Chain).encode(value)


def test_empty_list_counts_as_a_level() -> None:
    tree = Tree()
    for _ in range(MAX_DEPTH // 2 - 1):
        tree = Tree([tree])
    assert codec_for(Tree).encode(tree)

    with pytest.raises(NotEncodable, match="nested deeper"):
        codec_for(list[Tree]).encode([tree])


def test_type_that_allows_more_levels_than_the_limit_is_limited_too() -> None:
    """It does not contain itself, but is written out that deep."""
    tp: Any = int
    value: Any = 1
    for _ in range(MAX_DEPTH):
        tp, value = list[tp], [value]
    assert codec_for(tp).encode(value)

    with pytest.raises(NotEncodable, match="nested deeper"):
        codec_for(list[tp]).encode([value])


def test_broad_value_is_not_taken_for_a_deep_one() -> None:
    assert codec_for(Tree).encode(Tree([Tree() for _ in range(1_000)]))


@pytest.mark.parametrize("text", ["[{", ']"', '"[', "\\[", '\\"['])
def test_brackets_in_text_are_not_levels(text: str) -> None:
    assert codec_for(Tree).encode(Tree([Tree(note=text * 200)]))


@pytest.mark.parametrize("text", ["]}", ']"'])
def test_brackets_in_text_do_not_hide_levels(text: str) -> None:
    tree = Tree(note=text)
    for _ in range(MAX_DEPTH // 2):
        tree = Tree([tree], text)

    with pytest.raises(NotEncodable, match="nested deeper"):
        codec_for(Tree).encode(tree)


def test_stored_data_that_is_endlessly_deep_is_not_decodable() -> None:
    with pytest.raises(NotDecodable):
        codec_for(Chain).decode(b'{"next":' * 100_000 + b"null" + b"}" * 100_000)
