"""Plays the campaigns on a store, and says what has become of them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from examples.event_campaign.company import make_company
from examples.event_campaign.evaluation import Evaluation
from examples.event_campaign.outside.payment_provider import Ledger, PaymentProvider
from examples.event_campaign.run_campaign import ConferenceWanted
from examples.event_campaign.tour import people
from examples.event_campaign.tour.ideas import CALLED_OFF, GOALS, HELD, KILLED, REFUSED, Story, conference
from examples.event_campaign.tour.report import evaluation_lines, timeline_lines
from examples.event_campaign.tour.stage import PATIENCE_S, Stage
from examples.money import amount
from examples.terminal import heading, paragraph
from saga import Outcome, VirtualClock

__all__ = ["TourFailed", "play"]

DAY = timedelta(days=1)


class TourFailed(Exception):
    """A campaign ended otherwise than it must."""


def play(store: Path) -> None:
    """Play all campaigns in a new store, and print them. Raises TourFailed, NothingHappened."""
    killer = Killer()
    with PaymentProvider(killer) as provider:
        clock = VirtualClock()
        with make_company(store, provider.url, clock) as company:
            stage = Stage(company, clock)
            announce(1, HELD)
            play_held(stage)
            announce(2, REFUSED)
            play_refused(stage)
            announce(3, CALLED_OFF)
            play_called_off(stage, provider.ledger)
            announce(4, KILLED)
            prepare(stage, KILLED)
        killer.have_killed(store, provider.url)
        clock = VirtualClock()
        with make_company(store, provider.url, clock) as company:
            tell_killed(Stage(company, clock), provider.ledger, killer)


def announce(number: int, story: Story) -> None:
    """Print what is going to be seen."""
    print(heading(f"{number}. {story.title}"))
    print(paragraph(story.explanation), end="\n\n")


def play_held(stage: Stage) -> None:
    """From the idea to the evaluation."""
    began, first_day = time.monotonic(), stage.now
    idea = prepare(stage, HELD)
    stage.move_to(idea.day + DAY)
    people.count_heads(stage, HELD.campaign_id, attended=19)
    people.rate(stage, HELD.campaign_id, marks=(5, 4, 5, 3, 4, 5))
    evaluation: Evaluation = tell(stage, HELD, since=first_day).answer
    print("\n  The answer of the saga is the evaluation:\n")
    for line in evaluation_lines(evaluation):
        print(line)
    print(f"\n  {(stage.now - first_day).days} days in {time.monotonic() - began:.1f} s")
    figures = (evaluation.registered, evaluation.attended, evaluation.income, evaluation.satisfaction)
    if figures != (24, 19, 8 * Decimal("99.90") + 16 * Decimal("149.90"), Decimal("4.33")):
        raise TourFailed(f"the evaluation says {evaluation}")


def play_refused(stage: Stage) -> None:
    """The board says no, after ten days."""
    first_day = stage.now
    people.have_an_idea(stage, REFUSED.campaign_id, conference(stage.now), GOALS)
    stage.move(10 * DAY)
    people.decide(stage, REFUSED.campaign_id, approved=False)
    tell(stage, REFUSED, since=first_day)


def play_called_off(stage: Stage, ledger: Ledger) -> None:
    """The company changes its mind."""
    prepare(stage, CALLED_OFF)
    ledger.closed_accounts.add(people.account_of(CALLED_OFF.campaign_id, 5))
    called_off_on = stage.now
    stage.call_off(CALLED_OFF.campaign_id, "too many conferences this year")
    (transfer,) = stage.company.tasks(task="transfer_by_hand")
    stage.move(DAY)
    stage.company.complete_task(transfer.saga_id, task=transfer.path, by="Nina")
    tell(stage, CALLED_OFF, since=called_off_on)
    paid = transfer.subject
    check_refunds(ledger, CALLED_OFF, by_hand={paid["registration_id"]: paid["price"]})


def tell_killed(stage: Stage, ledger: Ledger, killer: Killer) -> None:
    """Let a new process finish what the killed one has begun, and print that."""
    tell(stage, KILLED, since=stage.now)
    asked = sum(path == "/refunds" and is_of(KILLED, id) for path, id, _ in ledger.asked)
    print()
    say(f"kill -9 after {killer.refunds} refunds; a new process has gone on")
    say(f"The provider was asked {asked} times to pay back")
    check_refunds(ledger, KILLED, by_hand={})


def prepare(stage: Stage, story: Story) -> ConferenceWanted:
    """Play from the idea until the seats of the story are sold.

    Ada and Finn decline; Ben and Eve say yes. Cleo says nothing, and Dan, who is asked three weeks later, says yes.
    """
    id, idea = story.campaign_id, conference(stage.now)
    people.have_an_idea(stage, id, idea, GOALS)
    stage.move(8 * DAY)
    people.decide(stage, id, approved=True)
    for speaker in ("Ada", "Finn"):
        people.answer(stage, id, speaker, None)
    stage.move(2 * DAY)
    people.answer(stage, id, "Ben", Decimal(400))
    people.answer(stage, id, "Eve", Decimal("350.50"))
    stage.move(21 * DAY)
    people.answer(stage, id, "Dan", Decimal(250))
    for number in range(1, story.seats + 1):
        people.register(stage, id, number)
        stage.move(DAY)
    return idea


def tell(stage: Stage, story: Story, since: datetime) -> Outcome:
    """Print what has become of a campaign since some day. Raises TourFailed when that is not what must have."""
    company = stage.company
    outcome = company.handle(story.campaign_id).wait(PATIENCE_S)
    for line in timeline_lines(company, story.campaign_id, since):
        print(line)
    sent = [entry.data["of"] for entry in company.history(story.campaign_id) if entry.what == "undo-sent"]
    undone = tuple(path.rpartition("/")[2].partition(".")[0] for path in sent)
    ended = outcome.refusal.code if outcome.refusal else ""
    if (ended, undone) != (story.ends, story.undone):
        raise TourFailed(f"{story.campaign_id}: ended with {ended or 'an evaluation'}, undone: {undone}")
    return outcome


def check_refunds(ledger: Ledger, story: Story, by_hand: dict[str, str]) -> None:
    """Print what came in and what went back.

    `by_hand`: what people have paid back, by registration. Raises TourFailed unless everybody has it back once, to the
    cent.
    """
    charged = {id: cents for id, (_, cents) in ledger.charges.items() if is_of(story, id)}
    refunds = [(id, cents) for id, cents in ledger.refunds if is_of(story, id)]
    given = Counter(dict.fromkeys(by_hand, 1)) + Counter(id for id, _ in refunds)
    back = sum((amount(cents) for _, cents in refunds), Decimal(0))
    hand = sum(map(Decimal, by_hand.values()), Decimal(0))
    taken = amount(sum(charged.values()))
    print()
    say(f"Taken from {len(charged)} people: {taken}")
    say(f"Given back: {back} by the provider, {hand:.2f} by hand; to each of them once")
    if given != Counter(dict.fromkeys(charged, 1)) or back + hand != taken:
        raise TourFailed(f"{taken} was taken, {back + hand} given back, how often: {given}")


def say(text: str) -> None:
    """Print a sentence below a timeline."""
    print(paragraph(text, "  ", "    "))


def is_of(story: Story, registration_id: str) -> bool:
    """Return whether somebody has registered for this one."""
    return registration_id.startswith(f"send:{story.campaign_id}/")


class Killer:
    """Kills the company when the provider has paid back the ninth of campaign 4, and not said so; once."""

    def __init__(self, nth: int = 9) -> None:
        self._victim: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()
        self._lock = threading.Lock()
        self._nth = nth
        self.refunds = 0
        """How many were carried out when it was killed."""

    def __call__(self, path: str, wish: dict[str, Any]) -> None:
        """The provider is about to answer."""
        if path != "/refunds" or not is_of(KILLED, wish["registration"]):
            return
        with self._lock:
            if self.refunds == self._nth:
                return
            self.refunds += 1
            if self.refunds < self._nth:
                return
            self._started.wait(PATIENCE_S)
            assert self._victim is not None
            self._victim.kill()
            self._victim.wait()

    def have_killed(self, store: Path, provider_url: str) -> None:
        """Start a company, and wait until it was killed. Raises TourFailed."""
        line = [sys.executable, "-m", "examples.event_campaign.tour.victim", str(store), provider_url]
        with subprocess.Popen(line) as self._victim:
            self._started.set()
            try:
                self._victim.wait(PATIENCE_S)
            finally:
                self._victim.kill()
        if self.refunds != self._nth:
            raise TourFailed("the company ended before it was killed")
