"""The bounded context of Speakers."""

from __future__ import annotations

from examples.event_campaign.speakers.messages import (
    AnswerInvitation,
    Engage,
    Engaged,
    Invitation,
    InvitationAnswered,
    InviteNext,
    Release,
    RemindSpeaker,
    Withdraw,
)
from examples.event_campaign.speakers.tables import migrations
from examples.money import amount, cents
from saga import Context, Rejected

__all__ = ["Speakers"]


class Speakers(Context):
    """Writes to speakers, and keeps what they have answered."""

    migrations = migrations

    @InviteNext.handler
    def invite(self, command: InviteNext) -> Invitation:
        asked = self.db.execute("SELECT speaker FROM invitations WHERE talk_id = ?", [command.talk_id])
        names = {name for (name,) in asked}
        speaker = next((name for name in command.candidates if name not in names), None)
        if speaker is None:
            raise Rejected(f"nobody is left to be asked about {command.topic}", code="nobody-left")
        invitations = self.db.table("invitations")
        invitations.insert({"talk_id": command.talk_id, "topic": command.topic, "speaker": speaker})
        return Invitation(f"invitation-{invitations.last_pk}", speaker)

    @RemindSpeaker.handler
    def remind(self, command: RemindSpeaker) -> None:
        no = _number(command.invitation_id)
        self.db.execute("UPDATE invitations SET reminders = reminders + 1 WHERE no = ?", [no])

    @AnswerInvitation.handler
    def answer(self, command: AnswerInvitation) -> None:
        state = "accepted" if command.accepts else "declined"
        if not self._move(command.invitation_id, "open", state):
            raise Rejected("it was answered already, or withdrawn", code="withdrawn")
        fee = [cents(command.fee), _number(command.invitation_id)]
        self.db.execute("UPDATE invitations SET fee_cents = ? WHERE no = ?", fee)
        self.publish(InvitationAnswered(command.invitation_id, command.accepts, command.fee))

    @Engage.handler
    def engage(self, command: Engage) -> Engaged:
        self._move(command.invitation_id, "accepted", "engaged")
        speaker, fee_cents = self.db.execute(
            "SELECT speaker, fee_cents FROM invitations WHERE no = ?", [_number(command.invitation_id)]
        ).fetchone()
        return Engaged(speaker, amount(fee_cents))

    @Release.handler
    def release(self, command: Release) -> None:
        self._move(command.invitation_id, "engaged", "released")

    @Withdraw.handler
    def withdraw(self, command: Withdraw) -> None:
        """Who has said no, or was released, is not written to again."""
        self._move(command.invitation_id, "open", "withdrawn")
        self._move(command.invitation_id, "accepted", "withdrawn")

    def _move(self, invitation_id: str, old: str, new: str) -> bool:
        """Let an invitation that is in one state be in another; return whether it was."""
        moved = self.db.execute(
            "UPDATE invitations SET state = ? WHERE no = ? AND state = ?",
            [new, _number(invitation_id), old],
        )
        return moved.rowcount == 1


def _number(invitation_id: str) -> int:
    return int(invitation_id.removeprefix("invitation-"))
