"""Customers: their cards."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path

from examples.web_shop.payment.messages import KeepCard
from examples.web_shop.web.bodies import CardBody
from examples.web_shop.web.the_shop import TheShop

__all__ = ["router"]

router = APIRouter(prefix="/customers", tags=["customers"])

CustomerInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,50}$")]


@router.put("/{customer_id}/card", status_code=HTTPStatus.NO_CONTENT)
async def update_card(customer_id: CustomerInPath, body: CardBody, shop: TheShop) -> None:
    """Keep a card. When this is answered the card is on disk, and orders that wait for it go on."""
    await shop.send_async(KeepCard(customer_id, body.number, body.expires))
