"""JSON of our own: what cannot be read is refused in one way, however it is damaged."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import DecodeError

from saga.codec import decoding

decode = decoding(msgspec.json.Decoder(list[int]))


def test_what_fits_is_read() -> None:
    assert decode(b"[1,2]") == [1, 2]
    assert decode("[3]") == [3]


@pytest.mark.parametrize("data", [b"", b"[", b"{}", b'["1"]'])
def test_what_does_not_fit_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_brackets_without_end_are_refused_in_the_same_way() -> None:
    with pytest.raises(DecodeError, match="it nests too deep"):
        decoding(msgspec.json.Decoder())(b"[" * 100_000)
