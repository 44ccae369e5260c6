"""What is said over HTTP: the bodies of requests and answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from examples.web_shop.fulfil_order import OrderWanted
from examples.web_shop.warehouse.messages import Line

__all__ = ["CardBody", "CustomerId", "OrderBody", "OrderStatus", "Reason"]

CustomerId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,50}$")]


class Body(BaseModel):
    """Takes what it knows, and nothing else: a misspelt name is an error, not a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LineBody(Body):
    """So many pieces of a product."""

    product: str = Field(min_length=1, max_length=100)
    quantity: int = Field(ge=1, le=1000, strict=True)


class OrderBody(Body):
    """An order, as it is placed."""

    customer_id: CustomerId
    lines: list[LineBody] = Field(min_length=1, max_length=100)

    def wanted(self) -> OrderWanted:
        """Return it as the saga takes it."""
        return OrderWanted(self.customer_id, tuple(Line(line.product, line.quantity) for line in self.lines))


class CardBody(Body):
    """A card. Never answered with, never logged."""

    number: str = Field(pattern=r"^[0-9]{12,19}$")
    expires: str = Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2029-04"])


class Reason(Body):
    """Why an order came to nothing: `code` for programs, `text` for people."""

    code: str
    text: str


class OrderStatus(Body):
    """Where an order stands. `completed`, `refused` and `cancelled` are final."""

    order_id: str
    status: Literal[
        "in progress",
        "waiting for a new card",
        "completed",
        "being undone",
        "refused",
        "cancelled",
        "looked at by us",
    ]
    total: Decimal | None = None
    parcel_id: str | None = None
    reason: Reason | None = None
