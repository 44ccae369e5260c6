"""The signature of `Runtime.start`, until saga.runtime is there: only its types are looked at."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from saga import Saga
from shop import FulfilOrder, OrderPlaced

I = TypeVar("I")


class Runtime:
    def start(self, saga: type[Saga[I]], input: I, *, id: str | None = None) -> object:
        raise NotImplementedError


def right(runtime: Runtime) -> None:
    runtime.start(FulfilOrder, OrderPlaced("42", ("tea",), Decimal(3)), id="order-42")
