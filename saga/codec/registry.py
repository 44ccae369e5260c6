"""The types of one runtime, by their stored names."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from saga.codec.type_codec import TypeCodec, codec_for
from saga.errors import DefinitionError, Problem

__all__ = ["TypeRegistry"]

T = TypeVar("T")


class TypeRegistry:
    """Finds the codec of a stored name, and sees to it that a name means one type.

    It is filled by one thread; after that any thread may look up.
    """

    def __init__(self) -> None:
        self._codecs: dict[str, TypeCodec[Any]] = {}

    @overload
    def register(self, tp: type[T]) -> TypeCodec[T]: ...
    @overload
    def register(self, tp: Any) -> TypeCodec[Any]: ...
    def register(self, tp: Any) -> TypeCodec[Any]:
        """Make `tp` known, and return the codec to use for it. A type may be registered any number of times.

        Raises DefinitionError when values of `tp` cannot be stored, or when another type has its stored name;
        the registry is then as it was.
        """
        codec = codec_for(tp)
        known = self._codecs.get(codec.name)
        if known is None or _built_again(known.type, tp):
            self._codecs[codec.name] = codec
            return codec
        if known.type is tp or _built_again(tp, known.type) or _alike(known, codec):
            return known
        raise DefinitionError(
            codec.name,
            [
                Problem(
                    _place(tp),
                    f"has the stored name {codec.name}, as {_place(known.type)} has",
                    f"give one of them a name of its own, such as "
                    f"__saga_type__ = 'shop.{codec.name}' in its class",
                )
            ],
        )

    def by_name(self, name: str) -> TypeCodec[Any]:
        """Return the codec of the type with this stored name. KeyError when none was registered."""
        return self._codecs[name]


def _built_again(first: Any, second: Any) -> bool:
    """Say whether `second` is the class that `@dataclass(slots=True)` made of `first`, which is dead then.

    Both have the very same table of fields; only the living one has slots.
    """
    if first is second or not (isinstance(first, type) and isinstance(second, type)):
        return False
    fields = first.__dict__.get("__dataclass_fields__")
    return (
        fields is not None
        and fields is second.__dict__.get("__dataclass_fields__")
        and "__slots__" in second.__dict__
    )


def _alike(known: TypeCodec[Any], codec: TypeCodec[Any]) -> bool:
    """Say whether two types that are no classes are one when stored, such as `str` and a NewType of it."""
    return known.fingerprint == codec.fingerprint and known.classes == codec.classes


def _place(tp: Any) -> str:
    return f"{tp.__module__}.{tp.__qualname__}" if isinstance(tp, type) else str(tp)
