"""The bounded context of Feedback."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from examples.event_campaign.feedback.messages import ClosePoll, PollClosed, RateConference
from examples.event_campaign.feedback.tables import migrations
from saga import Context, Rejected

__all__ = ["Feedback"]


class Feedback(Context):
    """Asks the visitors. Nobody's name is kept."""

    migrations = migrations

    @RateConference.handler
    def rate(self, command: RateConference) -> None:
        if not 1 <= command.mark <= 5:
            raise Rejected(f"{command.mark} is no mark: write 1 to 5", code="no-mark")
        closed = "SELECT count(*) FROM closed_polls WHERE campaign_id = ?"
        if self.db.execute(closed, [command.campaign_id]).fetchone()[0]:
            raise Rejected("the poll is over", code="closed")
        self.db.table("marks").insert({"campaign_id": command.campaign_id, "mark": command.mark})

    @ClosePoll.handler
    def close(self, command: ClosePoll) -> PollClosed:
        self.db.execute("INSERT INTO closed_polls VALUES (?) ON CONFLICT DO NOTHING", [command.campaign_id])
        count, total = self.db.execute(
            "SELECT count(*), coalesce(sum(mark), 0) FROM marks WHERE campaign_id = ?", [command.campaign_id]
        ).fetchone()
        if not count:
            return PollClosed(0, None)
        mean = Decimal(total) / count
        return PollClosed(count, mean.quantize(Decimal("0.01"), ROUND_HALF_EVEN))
