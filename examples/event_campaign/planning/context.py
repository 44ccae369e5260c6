"""The bounded context of Planning."""

from __future__ import annotations

from examples.event_campaign.planning.messages import CallOff, CampaignCalledOff, RemindBoard
from examples.event_campaign.planning.tables import migrations
from saga import Context, Rejected

__all__ = ["Planning"]


class Planning(Context):
    """Writes to the board, and keeps what it has called off."""

    migrations = migrations

    @RemindBoard.handler
    def remind(self, command: RemindBoard) -> None:
        self.db.table("memos").insert({"campaign_id": command.campaign_id})

    @CallOff.handler
    def call_off(self, command: CallOff) -> None:
        """What it leads to is not known here: who has to know listens."""
        new = self.db.execute(
            "INSERT INTO called_off VALUES (?, ?) ON CONFLICT DO NOTHING",
            [command.campaign_id, command.reason],
        )
        if not new.rowcount:
            raise Rejected("it was called off already", code="called-off-already")
        self.publish(CampaignCalledOff(command.campaign_id))
