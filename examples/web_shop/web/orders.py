"""Orders: placed, looked at, cancelled.

Placing one answers within half a second: with 200 when the order is over by then, else with 202 and where to look. An
order that is refused is over, too: it exists, and says why.
"""

from __future__ import annotations

import asyncio
import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Response

from examples.web_shop.fulfil_order import FulfilOrder
from examples.web_shop.web.bodies import OrderBody, OrderStatus
from examples.web_shop.web.order_status import is_final, status_of
from examples.web_shop.web.problems import Problem
from examples.web_shop.web.the_shop import TheShop
from saga import Handle, NotAllowed, SagaParked

__all__ = ["router"]

PATIENCE_S = 0.5
"""How long a request waits for its order."""

ROOM_S = 2.0
"""How long a request waits for room when too many orders are under way."""

POLL_S = 1
"""When a client may look again."""

ORDERS = uuid.UUID("5b9a8f0e-6c0e-4c53-9d5c-2f0f7b5a9a10")
"""The namespace of order ids (RFC 9562, version 5): any number that is used for nothing else."""

IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=200, pattern=r"^[ -~]+$")]

router = APIRouter(prefix="/orders", tags=["orders"])


@router.post("", response_model=OrderStatus, responses={202: {"model": OrderStatus}})
async def place(
    body: OrderBody, shop: TheShop, response: Response, idempotency_key: IdempotencyKey = None
) -> OrderStatus:
    """Place an order. The same Idempotency-Key and body: the same order; another body: 409."""
    order_id = _order_id(body.customer_id, idempotency_key)
    tags = {"customer": body.customer_id}
    handle = await shop.start_async(FulfilOrder, body.wanted(), id=order_id, tags=tags, timeout=ROOM_S)
    await _wait_for(handle)
    return _answer(await status_of(shop, order_id), response)


@router.get("/{order_id}", response_model=OrderStatus)
async def look(order_id: str, shop: TheShop, response: Response) -> OrderStatus:
    """Tell where an order stands."""
    status = await status_of(shop, order_id)
    if not is_final(status):
        response.headers["Retry-After"] = str(POLL_S)
    return status


@router.post("/{order_id}/cancellation", response_model=OrderStatus, responses={202: {"model": OrderStatus}})
async def cancel(order_id: str, shop: TheShop, response: Response) -> OrderStatus:
    """Cancel an order: what was done is undone. 409 when it is too late. Cancelling twice does no harm."""
    try:
        await asyncio.to_thread(shop.cancel, order_id, "cancelled by the customer")
    except NotAllowed:
        raise _too_late(order_id, "its parcel is being handed to the carrier") from None
    await _wait_for(shop.handle(order_id))
    status = await status_of(shop, order_id)
    if status.status == "completed":
        raise _too_late(order_id, f"it was sent as {status.parcel_id}")
    return _answer(status, response)


def _order_id(customer_id: str, idempotency_key: str | None) -> str:
    """Return the id of an order: the same for the same key of the same customer. Keys of others are not met."""
    if idempotency_key is None:
        return str(uuid.uuid4())
    return str(uuid.uuid5(ORDERS, f"{customer_id} {idempotency_key}"))


async def _wait_for(handle: Handle) -> None:
    """Wait until the order is over, or needs one of us, or the patience is."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await handle
    except (TimeoutError, SagaParked):
        pass


def _answer(status: OrderStatus, response: Response) -> OrderStatus:
    """Answer with where the order stands, and where to look again."""
    response.headers["Location"] = f"/orders/{status.order_id}"
    if not is_final(status):
        response.status_code = HTTPStatus.ACCEPTED
        response.headers["Retry-After"] = str(POLL_S)
    return status


def _too_late(order_id: str, why: str) -> Problem:
    return Problem(
        HTTPStatus.CONFLICT,
        "too-late-to-cancel",
        "This order cannot be cancelled any more",
        f"order {order_id} cannot be cancelled any more: {why}; you may send the goods back",
    )
