"""The conferences that are wanted, and what must have become of each: a tour that turns out otherwise says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from examples.event_campaign.evaluation import Goals
from examples.event_campaign.registration.messages import Prices
from examples.event_campaign.run_campaign import ConferenceWanted
from examples.event_campaign.speakers.find_speaker import TalkPlanned

__all__ = ["CALLED_OFF", "GOALS", "HELD", "KILLED", "REFUSED", "Story", "conference"]

GOALS = Goals(attendees=20, satisfaction=Decimal("4.0"), budget=Decimal(3000))

PRICES = Prices(regular=Decimal("149.90"), early=Decimal("99.90"), early_seats=8)

TALKS = (
    TalkPlanned("Journals", ("Ada", "Ben")),
    TalkPlanned("Timers", ("Cleo", "Dan")),
    TalkPlanned("Sagas", ("Eve",)),
    TalkPlanned("Refunds", ("Finn",)),
)


def conference(now: datetime) -> ConferenceWanted:
    """Return the idea of a conference in half a year, at nine in the morning."""
    day = (now + timedelta(days=180)).replace(hour=9, minute=0, second=0, microsecond=0)
    return ConferenceWanted("Long Days", day, TALKS, fewest_talks=3, prices=PRICES)


@dataclass(frozen=True, slots=True)
class Story:
    """A campaign, what is to be seen in it, and how it must end."""

    campaign_id: str
    title: str
    explanation: str
    seats: int
    """How many are sold."""
    ends: str
    """Code of the refusal; empty: it is held."""
    undone: tuple[str, ...]
    """What is undone, in this order."""


WAY_BACK = ("open_registration", "find_speaker", "find_speaker", "find_speaker", "book_hall")

HELD = Story(
    "conference-1",
    "A conference that is held",
    "One speaker declines, and the next one is asked. One does not answer, is reminded, and after three weeks "
    "the next one is asked. One declines, and nobody else could give that talk: it is dropped. The last seat is "
    "sold early, so the advertisements end.",
    24,
    "",
    (),
)

REFUSED = Story(
    "conference-2",
    "The budget is refused",
    "The board is reminded every three days, and then says no. Nothing was done, so nothing is undone.",
    0,
    "budget-refused",
    (),
)

CALLED_OFF = Story(
    "conference-3",
    "Called off when twelve have registered",
    "Everybody gets the money back; one account does not exist any more, and a person pays by hand. Then the "
    "speakers are released and the hall is cancelled. No line of the flow says so: it is the way back.",
    12,
    "called-off",
    WAY_BACK,
)

KILLED = Story(
    "conference-4",
    "kill -9 in the middle of the refunds",
    "Twenty have registered. The process dies when the provider has paid back the ninth. A new process opens the "
    "store and goes on: it asks again for what had no answer, with the same keys.",
    20,
    "called-off",
    WAY_BACK,
)
