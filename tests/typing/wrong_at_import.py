"""W15: a leaf of another saga in the flow. Type checkers do not see it; making the class raises."""

from __future__ import annotations

from saga import Saga
from shop import FulfilOrder, GoodsFetched


class C(Saga[GoodsFetched]):
    flow = FulfilOrder.take_payment  # W15
