"""How a speaker is found for a talk. The campaign calls it once for each talk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from examples.event_campaign.speakers.messages import (
    Engage,
    Engaged,
    InvitationAnswered,
    InviteNext,
    Release,
    RemindSpeaker,
    Withdraw,
)
from saga import Saga, again, answer, choice, condition, refuse, scope, step, wait

__all__ = ["FindSpeaker", "TalkPlanned"]

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class TalkPlanned:
    """A talk, and who could give it, the best first."""

    topic: str
    candidates: tuple[str, ...]


class FindSpeaker(Saga[TalkPlanned], version=1):
    """Invite one after the other until one agrees. Refused with code `nobody-left` when none does."""

    @step()
    def invite(self) -> InviteNext:
        return InviteNext(self.id, self.input.topic, self.input.candidates)

    @invite.compensation
    def withdraw(self) -> Withdraw:
        return Withdraw(self.invite.invitation_id)

    @step()
    def remind(self) -> RemindSpeaker:
        return RemindSpeaker(self.invite.invitation_id)

    @wait(InvitationAnswered, within=3 * WEEK, every=(WEEK, remind))
    def reply(self) -> str:
        return self.invite.invitation_id

    @condition
    def accepts(self) -> bool:
        return self.reply.accepts

    @step()
    def engage(self) -> Engage:
        return Engage(self.invite.invitation_id)

    @engage.compensation
    def release(self) -> Release:
        return Release(self.invite.invitation_id)

    @answer
    def speaker(self) -> Engaged:
        return self.engage

    flow = (
        scope(
            invite,
            reply,
            choice((accepts, engage), otherwise=refuse("the speaker has declined", code="declined")),
            catch={
                "declined": again(at_most=20),  # what was done here is undone: the invitation is withdrawn
                "timeout": again(at_most=20),
            },
        ),
        speaker,
    )
