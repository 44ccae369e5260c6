"""What people do, as web pages would: they decide, say yes or no, register, and give marks."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from examples.event_campaign.evaluation import Goals
from examples.event_campaign.feedback.messages import RateConference
from examples.event_campaign.registration.messages import Register, Ticket
from examples.event_campaign.run_campaign import ConferenceWanted, HeadCount, RunCampaign
from examples.event_campaign.speakers.messages import AnswerInvitation
from examples.event_campaign.tour.stage import Stage

__all__ = [
    "account_of",
    "answer",
    "count_heads",
    "decide",
    "have_an_idea",
    "invitation_of",
    "rate",
    "register",
    "registration_id",
]


def have_an_idea(stage: Stage, campaign_id: str, idea: ConferenceWanted, goals: Goals) -> None:
    """Start a campaign, and set its goals."""
    stage.company.start(RunCampaign, idea, id=campaign_id)
    stage.wait_until_quiet()
    stage.company.complete_task(campaign_id, goals, task="set_goals", by="Nina")
    stage.wait_until_quiet()


def decide(stage: Stage, campaign_id: str, approved: bool) -> None:
    """Let the board decide about the budget."""
    stage.company.complete_task(campaign_id, approved, task="approve_budget", by="the board")
    stage.wait_until_quiet()


def answer(stage: Stage, campaign_id: str, speaker: str, fee: Decimal | None) -> None:
    """Let a speaker answer the invitation, with a fee, or with no."""
    invitation_id = invitation_of(stage, campaign_id, speaker)
    stage.answer_invitation(AnswerInvitation(invitation_id, fee is not None, fee or Decimal(0)))


def invitation_of(stage: Stage, campaign_id: str, speaker: str) -> str:
    """Return the id of the invitation in the letter to a speaker. KeyError: there was no letter."""
    for row in stage.company.list(saga="FindSpeaker", limit=10_000):
        if not row.id.startswith(f"{campaign_id}:"):
            continue
        for entry in stage.company.history(row.id):
            letter = entry.data.get("answer")
            if entry.what == "step-completed" and letter and letter.get("speaker") == speaker:
                invitation_id: str = letter["invitation_id"]
                return invitation_id
    raise KeyError(speaker)


def register(stage: Stage, campaign_id: str, number: int) -> Ticket:
    """Let a visitor register. Raises Rejected."""
    wish = Register(campaign_id, f"visitor {number}", account_of(campaign_id, number))
    return stage.company.send(wish, id=f"{campaign_id}/{number}")


def account_of(campaign_id: str, number: int) -> str:
    """Return the account that a visitor pays with."""
    return f"account {number} of {campaign_id}"


def registration_id(campaign_id: str, number: int) -> str:
    """Return the id of a visitor's registration."""
    return f"send:{campaign_id}/{number}"


def count_heads(stage: Stage, campaign_id: str, attended: int) -> None:
    """Let somebody count the visitors."""
    stage.company.complete_task(campaign_id, HeadCount(attended), task="count_heads", by="Nina")
    stage.wait_until_quiet()


def rate(stage: Stage, campaign_id: str, marks: tuple[int, ...]) -> None:
    """Let visitors say how it was, and the two weeks pass in which they can."""
    for mark in marks:
        stage.company.send(RateConference(campaign_id, mark))
    stage.move(timedelta(days=14))
