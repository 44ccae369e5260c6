"""Where an order stands: read from its saga, so that nothing has to be kept up to date beside it."""

from __future__ import annotations

import asyncio

from examples.web_shop.fulfil_order import FulfilOrder, Receipt
from examples.web_shop.web.bodies import OrderStatus, Reason
from saga import HistoryEntry, Outcome, Runtime, Status

__all__ = ["is_final", "status_of"]


async def status_of(shop: Runtime, order_id: str) -> OrderStatus:
    """Return where an order stands. Raises UnknownSaga. What reads files does so in a thread, not on the loop."""
    row = await asyncio.to_thread(shop.find, order_id)
    match Status(row.status):
        case Status.COMPLETED | Status.COMPENSATED:
            return _ended(await shop.handle(order_id))
        case Status.COMPENSATING:
            return OrderStatus(
                order_id=order_id, status="being undone", reason=_reason(row.refusal_code, row.refusal_reason)
            )
        case Status.PARKED | Status.SUSPENDED:
            return OrderStatus(order_id=order_id, status="looked at by us")
        case Status.RUNNING:
            history = await asyncio.to_thread(shop.history, order_id)
            waits = _waits_for_card(history)
            return OrderStatus(order_id=order_id, status="waiting for a new card" if waits else "in progress")


def is_final(status: OrderStatus) -> bool:
    """Return whether it stays like this."""
    return status.status in ("completed", "refused", "cancelled")


def _ended(outcome: Outcome) -> OrderStatus:
    refusal = outcome.refusal
    if refusal is None:
        receipt: Receipt = outcome.answer
        return OrderStatus(
            order_id=outcome.id, status="completed", total=receipt.total, parcel_id=receipt.parcel_id
        )
    return OrderStatus(
        order_id=outcome.id,
        status="cancelled" if refusal.code == "cancelled" else "refused",
        reason=_reason(refusal.code, refusal.reason),
    )


def _reason(code: str | None, reason: str | None) -> Reason | None:
    if code is None:
        return None
    if code == "failed":  # the reason is a stack, which is nobody's business outside
        reason = "something did not work, and we have given it up; nothing is charged"
    return Reason(code=code, text=reason or "")


def _waits_for_card(history: list[HistoryEntry]) -> bool:
    """Return whether the last thing that happened to the wait for a card is that it began."""
    leaf = f"/{FulfilOrder.card_updated.name}."  # within its visit's path: scope-1.1/card_updated.1
    about = [entry.what for entry in history if leaf in f"/{entry.path}"]
    return about[-1:] == ["wait-begun"]
