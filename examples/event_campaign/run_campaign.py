"""The process. Everything that is known about the order of things stands in `flow`, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from examples.event_campaign.evaluation import Costs, Evaluation, Goals
from examples.event_campaign.feedback.messages import ClosePoll
from examples.event_campaign.planning.messages import CampaignCalledOff, RemindBoard
from examples.event_campaign.promotion.messages import Advertise, SumUp
from examples.event_campaign.registration.messages import (
    CloseRegistration,
    OpenRegistration,
    Prices,
    RefundEverybody,
    SoldOut,
)
from examples.event_campaign.speakers.find_speaker import FindSpeaker, TalkPlanned
from examples.event_campaign.speakers.messages import Engaged
from examples.event_campaign.venue.messages import BookHall, CancelHall
from saga import (
    Saga,
    answer,
    call,
    choice,
    condition,
    each,
    items,
    parallel,
    race,
    refuse,
    scope,
    sleep,
    step,
    task,
    wait,
)

__all__ = ["ConferenceWanted", "HeadCount", "Proposal", "RunCampaign"]

DAY = timedelta(days=1)
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class ConferenceWanted:
    """An idea. The id of the saga is the id of the campaign."""

    title: str
    day: datetime
    talks: tuple[TalkPlanned, ...]
    fewest_talks: int
    prices: Prices


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the board decides about."""

    title: str
    day: datetime
    goals: Goals


@dataclass(frozen=True, slots=True)
class HeadCount:
    """How many were there, as counted at the door."""

    attended: int


class RunCampaign(Saga[ConferenceWanted], version=1):
    """Hold a conference, from the idea to the evaluation; or call it off, and owe nobody anything."""

    @task(answer=Goals)
    def set_goals(self) -> ConferenceWanted:
        return self.input

    @step()
    def remind_board(self) -> RemindBoard:
        return RemindBoard(self.id)

    @task(
        answer=bool,
        within=2 * WEEK,
        every=(3 * DAY, remind_board),
        otherwise=refuse("the board has not decided in two weeks", code="undecided"),
    )
    def approve_budget(self) -> Proposal:
        return Proposal(self.input.title, self.input.day, self.set_goals)

    @condition
    def budget_is_approved(self) -> bool:
        return self.approve_budget

    @step()
    def book_hall(self) -> BookHall:
        return BookHall(self.id, self.input.day, self.set_goals.attendees, self.set_goals.budget)

    @book_hall.compensation
    def cancel_hall(self) -> CancelHall:
        return CancelHall(self.id)

    @items
    def talks(self) -> tuple[TalkPlanned, ...]:
        return self.input.talks

    @call(FindSpeaker, answer=Engaged)
    def find_speaker(self, talk: TalkPlanned) -> TalkPlanned:
        """Undone, it undoes what it did: the speaker is released. Nothing about that has to be said here."""
        return talk

    @condition
    def enough_talks(self) -> bool:
        return len(self.find_speaker) >= self.input.fewest_talks

    @step()
    def open_registration(self) -> OpenRegistration:
        return OpenRegistration(self.id, self.book_hall.seats, self.input.prices)

    @open_registration.compensation
    def refund_everybody(self) -> RefundEverybody:
        """However it comes that the conference is not held, everybody gets the money back, and that comes first."""
        return RefundEverybody(self.id)

    @wait(SoldOut)
    def sold_out(self) -> str:
        return self.id

    @sleep
    def last_week(self) -> datetime:
        return self.input.day - WEEK

    @step()
    def advertise(self) -> Advertise:
        return Advertise(self.id, self.input.title)

    @sleep
    def the_day(self) -> datetime:
        return self.input.day

    @wait(CampaignCalledOff)
    def called_off(self) -> str:
        return self.id

    @step(pivot=True)
    def close_registration(self) -> CloseRegistration:
        """The conference is held: from here there is no way back."""
        return CloseRegistration(self.id)

    @task(answer=HeadCount)
    def count_heads(self) -> str:
        return self.input.title

    @sleep
    def visitors_answer(self) -> timedelta:
        return 2 * WEEK

    @step()
    def close_poll(self) -> ClosePoll:
        return ClosePoll(self.id)

    @step()
    def sum_up_promotion(self) -> SumUp:
        return SumUp(self.id)

    @answer
    def evaluation(self) -> Evaluation:
        fees = sum((engaged.fee for engaged in self.find_speaker), Decimal("0.00"))
        return Evaluation(
            goals=self.set_goals,
            talks=len(self.find_speaker),
            registered=self.close_registration.registered,
            attended=self.count_heads.attended,
            income=self.close_registration.income,
            costs=Costs(self.book_hall.fee, fees, self.sum_up_promotion.cost),
            answers=self.close_poll.answers,
            satisfaction=self.close_poll.satisfaction,
        )

    flow = (
        set_goals,
        approve_budget,
        choice((budget_is_approved, ()), otherwise=refuse("the board said no", code="budget-refused")),
        scope(  # what `called_off` gives up, until the day
            scope(
                parallel(
                    book_hall,
                    each(talks, scope(find_speaker, catch={"nobody-left": ()}), concurrency=10),
                ),
                choice((enough_talks, ()), otherwise=refuse("too few speakers", code="too-few-speakers")),
                open_registration,
                scope(
                    race((sold_out, ()), (last_week, ())),
                    every=(2 * WEEK, advertise),
                ),
                the_day,
                whenever=(called_off, refuse("called off by the company", code="called-off")),
            ),
        ),
        close_registration,
        count_heads,
        visitors_answer,
        parallel(close_poll, sum_up_promotion),
        evaluation,
    )
