"""The bounded context of Promotion."""

from __future__ import annotations

from examples.event_campaign.promotion.messages import Advertise, Spent, SumUp
from examples.event_campaign.promotion.tables import migrations
from examples.money import amount
from saga import Context

__all__ = ["Promotion"]

COST_CENTS = 85_50
"""What one advertisement costs."""


class Promotion(Context):
    """Places advertisements."""

    migrations = migrations

    @Advertise.handler
    def advertise(self, command: Advertise) -> None:
        text = f"There are seats left: {command.title}"
        self.db.execute(
            "INSERT INTO advertisements (campaign_id, text, cost_cents) VALUES (?, ?, ?)",
            [command.campaign_id, text, COST_CENTS],
        )

    @SumUp.handler
    def sum_up(self, command: SumUp) -> Spent:
        count, cost_cents = self.db.execute(
            "SELECT count(*), coalesce(sum(cost_cents), 0) FROM advertisements WHERE campaign_id = ?",
            [command.campaign_id],
        ).fetchone()
        return Spent(count, amount(cost_cents))
