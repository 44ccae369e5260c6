"""The bounded context of Payment."""

from __future__ import annotations

from examples.web_shop.payment.messages import AskForCard, CardUpdated, KeepCard
from examples.web_shop.payment.tables import migrations
from saga import Context

__all__ = ["Payment"]


class Payment(Context):
    """Keeps the cards. Card data stays here; its gateway `Bank` reads them here."""

    migrations = migrations

    @KeepCard.handler
    def keep_card(self, command: KeepCard) -> None:
        self.db.execute(
            "INSERT INTO cards VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET number = excluded.number, expires = excluded.expires",
            [command.customer_id, command.number, command.expires],
        )
        self.publish(CardUpdated(command.customer_id))

    @AskForCard.handler
    def ask_for_card(self, command: AskForCard) -> None:
        self.db.table("letters").insert({"customer_id": command.customer_id, "order_id": command.order_id})
