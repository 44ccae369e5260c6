"""A campaign in virtual time: held, refused, called off at every moment; and everybody has the money back once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from examples.event_campaign.__main__ import main
from examples.event_campaign.company import make_company
from examples.event_campaign.evaluation import Costs, Evaluation
from examples.event_campaign.feedback.messages import RateConference
from examples.event_campaign.outside.payment_provider import PaymentProvider
from examples.event_campaign.planning.messages import CallOff
from examples.event_campaign.registration.messages import Register
from examples.event_campaign.run_campaign import ConferenceWanted
from examples.event_campaign.speakers.find_speaker import FindSpeaker, TalkPlanned
from examples.event_campaign.speakers.messages import AnswerInvitation, Engaged
from examples.event_campaign.tour import people
from examples.event_campaign.tour.ideas import GOALS, PRICES, conference
from examples.event_campaign.tour.stage import Stage
from saga import NotAllowed, Outcome, Rejected, VirtualClock
from saga.verification import verify_store

from . import campaign_crasher

STRIDE = "1" if os.environ.get("SAGA_EXHAUSTIVE") else "11"
"""By default, a campaign is killed at each eleventh seam of its way back; with `SAGA_EXHAUSTIVE=1`, at each."""

ROOT = Path(__file__).resolve().parents[2]
TOUR = [sys.executable, "-m", "examples.event_campaign"]
DEADLINE = 20.0
DAY = timedelta(days=1)
ID = "conference"

ONE_TALK = (TalkPlanned("Sagas", ("Ada",)),)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def provider() -> Iterator[PaymentProvider]:
    with PaymentProvider() as provider:
        yield provider


@pytest.fixture
def stage(store: Path, provider: PaymentProvider) -> Iterator[Stage]:
    clock = VirtualClock()
    with make_company(store, provider.url, clock) as company:
        yield Stage(company, clock)
    assert [str(finding) for finding in verify_store(store)] == []


def rows(store: Path, context: str, statement: str) -> list[Any]:
    """Look into the file of a context."""
    with closing(sqlite3.connect(f"{(store / f'{context}.db').as_uri()}?mode=ro", uri=True)) as db:
        return db.execute(statement).fetchall()


def count(store: Path, context: str, table: str) -> int:
    found: int = rows(store, context, f"SELECT count(*) FROM {table}")[0][0]
    return found


def approved(stage: Stage, talks: tuple[TalkPlanned, ...] = ONE_TALK, fewest: int = 1) -> ConferenceWanted:
    """Play until the speakers are invited."""
    idea = replace(conference(stage.now), talks=talks, fewest_talks=fewest)
    people.have_an_idea(stage, ID, idea, GOALS)
    people.decide(stage, ID, approved=True)
    return idea


def on_sale(stage: Stage, visitors: int = 0) -> ConferenceWanted:
    """Play until registration is open and some have registered."""
    idea = approved(stage)
    people.answer(stage, ID, "Ada", Decimal("321.05"))
    for number in range(1, visitors + 1):
        people.register(stage, ID, number)
    return idea


def outcome_of(stage: Stage) -> Outcome:
    return stage.company.handle(ID).wait(DEADLINE)


def code_of(stage: Stage) -> str:
    refusal = outcome_of(stage).refusal
    return refusal.code if refusal else ""


# --- the budget -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "reminders"), [(2, 0), (3, 1), (10, 3), (13, 4)])
def test_the_board_is_reminded_every_three_days_until_it_refuses(
    stage: Stage, store: Path, days: int, reminders: int
) -> None:
    people.have_an_idea(stage, ID, conference(stage.now), GOALS)
    stage.move(days * DAY)
    people.decide(stage, ID, approved=False)
    assert code_of(stage) == "budget-refused"
    assert count(store, "planning", "memos") == reminders
    assert count(store, "venue", "bookings") == count(store, "speakers", "invitations") == 0


def test_a_decision_after_two_weeks_is_too_late(stage: Stage, store: Path) -> None:
    people.have_an_idea(stage, ID, conference(stage.now), GOALS)
    stage.move(14 * DAY)
    with pytest.raises(NotAllowed):
        people.decide(stage, ID, approved=True)
    assert code_of(stage) == "undecided"
    assert count(store, "planning", "memos") == 4
    assert count(store, "venue", "bookings") == 0


def test_a_hall_that_the_budget_does_not_allow_is_not_booked(stage: Stage, store: Path) -> None:
    """Speakers are invited meanwhile: nobody waits for them, and they are told so."""
    people.have_an_idea(stage, ID, conference(stage.now), replace(GOALS, attendees=50, budget=Decimal(2000)))
    people.decide(stage, ID, approved=True)
    assert code_of(stage) == "no-hall"
    assert count(store, "venue", "bookings") == 0
    assert set(rows(store, "speakers", "SELECT state FROM invitations")) <= {("withdrawn",)}


# --- speakers -------------------------------------------------------------------------------------


def look_for(stage: Stage, *candidates: str) -> None:
    stage.company.start(FindSpeaker, TalkPlanned("Sagas", candidates), id=f"{ID}:talk")
    stage.wait_until_quiet()


def found(stage: Stage) -> Outcome:
    return stage.company.handle(f"{ID}:talk").wait(DEADLINE)


def test_who_declines_is_replaced_by_the_next_one(stage: Stage, store: Path) -> None:
    look_for(stage, "Ada", "Ben", "Cleo")
    people.answer(stage, ID, "Ada", None)
    people.answer(stage, ID, "Ben", Decimal("99.50"))
    assert found(stage).answer == Engaged("Ben", Decimal("99.50"))
    invited = rows(store, "speakers", "SELECT speaker, state FROM invitations")
    assert invited == [("Ada", "declined"), ("Ben", "engaged")]


def test_who_does_not_answer_is_reminded_twice_and_then_replaced(stage: Stage, store: Path) -> None:
    look_for(stage, "Ada", "Ben")
    stage.move(21 * DAY)
    people.answer(stage, ID, "Ben", Decimal(0))
    assert found(stage).answer == Engaged("Ben", Decimal(0))
    invited = rows(store, "speakers", "SELECT speaker, state, reminders FROM invitations")
    assert invited == [("Ada", "withdrawn", 2), ("Ben", "engaged", 0)]
    with pytest.raises(Rejected, match="withdrawn"):
        stage.company.send(AnswerInvitation("invitation-1", accepts=True))


def test_when_nobody_is_left_the_talk_is_given_up(stage: Stage) -> None:
    look_for(stage, "Ada", "Ben")
    people.answer(stage, ID, "Ada", None)
    people.answer(stage, ID, "Ben", None)
    refusal = found(stage).refusal
    assert refusal is not None
    assert refusal.code == "nobody-left"


def test_too_few_speakers_release_the_others_and_the_hall(stage: Stage, store: Path) -> None:
    approved(stage, (*ONE_TALK, TalkPlanned("Journals", ("Ben",))), fewest=2)
    people.answer(stage, ID, "Ada", Decimal(100))
    people.answer(stage, ID, "Ben", None)
    assert code_of(stage) == "too-few-speakers"
    assert rows(store, "speakers", "SELECT state FROM invitations ORDER BY speaker") == [
        ("released",),
        ("declined",),
    ]
    assert rows(store, "venue", "SELECT state, owed_cents FROM bookings") == [("cancelled", 9000)]
    assert count(store, "registration", "sales") == 0


# --- registration ---------------------------------------------------------------------------------


def test_who_asks_twice_has_one_seat_and_pays_once(stage: Stage, provider: PaymentProvider) -> None:
    on_sale(stage)
    assert people.register(stage, ID, 1) == people.register(stage, ID, 1)
    assert [*provider.ledger.charges] == [people.registration_id(ID, 1)]


def test_a_seat_that_is_not_paid_for_is_free_again(stage: Stage, provider: PaymentProvider) -> None:
    on_sale(stage, visitors=23)
    provider.ledger.closed_accounts.add(people.account_of(ID, 24))
    with pytest.raises(Rejected, match="nothing can be taken"):
        people.register(stage, ID, 24)
    people.register(stage, ID, 25)
    with pytest.raises(Rejected, match="all seats are sold"):
        people.register(stage, ID, 26)
    assert len(provider.ledger.charges) == 24


def advertisements(opened: datetime, ended: datetime) -> int:
    """Return how many fortnights were over by then."""
    return (ended - opened) // (14 * DAY)


def test_the_advertisements_end_in_the_last_week(stage: Stage, store: Path) -> None:
    idea = on_sale(stage)
    opened = stage.now
    stage.move_to(idea.day - DAY)
    assert count(store, "promotion", "advertisements") == advertisements(opened, idea.day - 7 * DAY) == 12


def test_sold_out_the_advertisements_end_early(stage: Stage, store: Path) -> None:
    idea = on_sale(stage, visitors=23)
    opened = stage.now
    stage.move(30 * DAY)
    people.register(stage, ID, 24)
    sold_out = stage.now
    stage.move_to(idea.day - DAY)
    assert count(store, "promotion", "advertisements") == advertisements(opened, sold_out) == 2
    asleep = [entry.path for entry in stage.company.history(ID) if entry.what == "sleep-begun"]
    assert asleep[-1].endswith("the_day.1")


# --- the evaluation -------------------------------------------------------------------------------


def test_the_evaluation_is_what_the_books_say(stage: Stage, store: Path, provider: PaymentProvider) -> None:
    idea = on_sale(stage, visitors=11)
    stage.move_to(idea.day)
    people.count_heads(stage, ID, attended=7)
    marks = (5, 4, 4)
    people.rate(stage, ID, marks)
    (placed,) = rows(store, "promotion", "SELECT sum(cost_cents) FROM advertisements")[0]
    ((fee,),) = rows(store, "speakers", "SELECT fee_cents FROM invitations")
    ((hall,),) = rows(store, "venue", "SELECT owed_cents FROM bookings")
    expected = Evaluation(
        goals=GOALS,
        talks=1,
        registered=len(provider.ledger.charges),
        attended=7,
        income=Decimal(sum(cents for _, cents in provider.ledger.charges.values())) / 100,
        costs=Costs(Decimal(hall) / 100, Decimal(fee) / 100, Decimal(placed) / 100),
        answers=3,
        satisfaction=round(Decimal(sum(marks)) / 3, 2),
    )
    evaluation = outcome_of(stage).answer
    assert evaluation == expected
    assert evaluation.income == PRICES.early_seats * PRICES.early + 3 * PRICES.regular
    assert evaluation.result == evaluation.income - Decimal(900) - Decimal("321.05") - 12 * Decimal("85.50")


def test_a_conference_that_nobody_wants_is_evaluated_too(stage: Stage) -> None:
    idea = on_sale(stage)
    stage.move_to(idea.day)
    people.count_heads(stage, ID, attended=0)
    with pytest.raises(Rejected, match="no mark"):
        stage.company.send(RateConference(ID, 6))
    people.rate(stage, ID, ())
    evaluation = outcome_of(stage).answer
    assert (evaluation.registered, evaluation.income, evaluation.satisfaction) == (0, Decimal(0), None)
    with pytest.raises(Rejected, match="over"):
        stage.company.send(RateConference(ID, 5))


# --- calling it off -------------------------------------------------------------------------------


def check_all_is_given_back(store: Path, provider: PaymentProvider, visitors: int) -> None:
    """Everybody has what they have paid, once; the speaker is released, and of the hall a tenth is owed."""
    charges = Counter({id: cents for id, (_, cents) in provider.ledger.charges.items()})
    assert len(charges) == visitors
    assert Counter(dict(provider.ledger.refunds)) == charges
    assert len(provider.ledger.refunds) == visitors
    states = rows(store, "registration", "SELECT state, refunds FROM registrations")
    assert states == [("refunded", 1)] * visitors
    assert rows(store, "speakers", "SELECT state FROM invitations") == [("released",)]
    assert rows(store, "venue", "SELECT state, owed_cents FROM bookings") == [("cancelled", 9000)]


@pytest.mark.parametrize(("by", "code"), [("the company", "called-off"), ("an operator", "cancelled")])
def test_however_it_is_given_up_everybody_is_refunded_once(
    stage: Stage, store: Path, provider: PaymentProvider, by: str, code: str
) -> None:
    on_sale(stage, visitors=11)
    stage.move(30 * DAY)
    if by == "the company":
        stage.call_off(ID, "a test")
    else:
        stage.company.cancel(ID)
    assert code_of(stage) == code
    check_all_is_given_back(store, provider, visitors=11)
    with pytest.raises(Rejected, match="no seats are on sale"):
        people.register(stage, ID, 12)


def test_sold_out_it_can_still_be_called_off(stage: Stage, store: Path, provider: PaymentProvider) -> None:
    on_sale(stage, visitors=24)
    stage.move(3 * DAY)
    stage.call_off(ID, "a test")
    assert code_of(stage) == "called-off"
    check_all_is_given_back(store, provider, visitors=24)


def test_whose_account_is_closed_is_paid_by_hand_and_nobody_else_waits_for_that(
    stage: Stage, store: Path, provider: PaymentProvider
) -> None:
    on_sale(stage, visitors=4)
    provider.ledger.closed_accounts.add(people.account_of(ID, 2))
    stage.call_off(ID, "a test")
    (transfer,) = stage.company.tasks()
    assert transfer.subject["registration_id"] == people.registration_id(ID, 2)
    refunded = rows(store, "registration", "SELECT name FROM registrations WHERE state = 'refunded'")
    assert refunded == [("visitor 1",), ("visitor 3",), ("visitor 4",)]
    stage.company.complete_task(transfer.saga_id, task=transfer.path)
    assert code_of(stage) == "called-off"
    assert rows(store, "registration", "SELECT DISTINCT state, refunds FROM registrations") == [
        ("refunded", 1)
    ]
    assert len(provider.ledger.refunds) == 3


def test_called_off_before_anything_is_on_sale_invitations_are_withdrawn(stage: Stage, store: Path) -> None:
    approved(stage)
    stage.call_off(ID, "a test")
    assert code_of(stage) == "called-off"
    assert rows(store, "speakers", "SELECT state FROM invitations") == [("withdrawn",)]
    assert rows(store, "venue", "SELECT state FROM bookings") == [("cancelled",)]


def test_the_decision_counts_also_when_the_budget_was_not_approved_yet(stage: Stage, store: Path) -> None:
    people.have_an_idea(stage, ID, conference(stage.now), GOALS)
    stage.company.send(CallOff(ID, "a test"))
    people.decide(stage, ID, approved=True)
    assert code_of(stage) == "called-off"
    with pytest.raises(Rejected, match="already"):
        stage.company.send(CallOff(ID, "a test"))


def test_after_the_day_there_is_no_way_back(stage: Stage, provider: PaymentProvider) -> None:
    idea = on_sale(stage, visitors=2)
    stage.move_to(idea.day)
    stage.company.send(CallOff(ID, "too late"))
    with pytest.raises(NotAllowed):
        stage.company.cancel(ID)
    people.count_heads(stage, ID, attended=2)
    people.rate(stage, ID, (5,))
    assert outcome_of(stage).completed
    assert provider.ledger.refunds == []


def test_who_pays_while_it_is_called_off_has_the_money_back_too(store: Path) -> None:
    """The provider has taken the money and not said so yet when the sale ends: that registration undoes itself."""
    paid, go_on = threading.Event(), threading.Event()

    def hold_the_second(path: str, wish: dict[str, Any]) -> None:
        if path == "/charges" and wish["registration"] == people.registration_id(ID, 2):
            paid.set()
            assert go_on.wait(DEADLINE)

    clock, refusals = VirtualClock(), []
    with PaymentProvider(hold_the_second) as provider, make_company(store, provider.url, clock) as company:
        stage = Stage(company, clock)
        on_sale(stage, visitors=1)

        def register() -> None:
            try:
                people.register(stage, ID, 2)
            except Rejected as refusal:
                refusals.append(refusal.code)

        registering = threading.Thread(target=register)
        registering.start()
        assert paid.wait(DEADLINE)
        company.send(CallOff(ID, "a test"))
        assert code_of(stage) == "called-off"
        go_on.set()
        registering.join(DEADLINE)
        stage.wait_until_quiet()
    assert refusals == ["closed"]
    assert {id for id, _ in provider.ledger.refunds} == {people.registration_id(ID, n) for n in (1, 2)}
    assert len(provider.ledger.refunds) == 2
    states = rows(store, "registration", "SELECT name, state FROM registrations")
    assert states == [("visitor 1", "refunded"), ("visitor 2", "released")]


def test_two_campaigns_do_not_get_the_same_hall(stage: Stage, store: Path) -> None:
    idea = on_sale(stage)
    people.have_an_idea(stage, "another", replace(idea, talks=ONE_TALK), GOALS)
    people.decide(stage, "another", approved=True)
    halls = rows(store, "venue", "SELECT hall FROM bookings ORDER BY campaign_id DESC")
    assert halls == [("Old Library",), ("Harbour Hall",)]
    with pytest.raises(Rejected, match="no seats are on sale"):
        stage.company.send(Register("another", "Eve", "account"))


# --- kills ----------------------------------------------------------------------------------------


@pytest.fixture
def fast_disk() -> Iterator[Path]:
    """A place on the fastest file system there is: a kill of the process needs no disk."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="event-campaign-", dir=parent) as directory:
        yield Path(directory)


@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_killed_at_any_seam_of_the_way_back_everybody_is_refunded_once(
    fast_disk: Path, provider: PaymentProvider
) -> None:
    line = [
        sys.executable,
        "-m",
        "tests.examples.campaign_crasher",
        str(fast_disk),
        provider.url,
        STRIDE,
    ]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    kills = done.stdout.split()
    assert int(kills[-1]) > 30
    for nth in kills:
        check_after_a_kill(fast_disk / f"conference-{nth}", provider)


def check_after_a_kill(store: Path, provider: PaymentProvider) -> None:
    """Open what a killed process left, have the campaign brought to its end, and look into all the books."""
    id = store.name
    with make_company(store, provider.url, VirtualClock()) as company:
        if not rows(store, "planning", "SELECT * FROM called_off"):  # killed before the decision was on disk
            company.send(CallOff(id, "a test"))
        outcome = company.handle(id).wait(DEADLINE)
    assert outcome.refusal is not None
    assert outcome.refusal.code == "called-off"
    wanted = [people.registration_id(id, n + 1) for n in range(campaign_crasher.VISITORS)]
    assert sorted(reg for reg, _ in provider.ledger.refunds if reg in wanted) == wanted
    keys = {(reg, key) for path, reg, key in provider.ledger.asked if path == "/refunds" and reg in wanted}
    assert len(keys) == len(wanted)
    assert rows(store, "registration", "SELECT state, refunds FROM registrations") == [("refunded", 1)] * len(
        wanted
    )
    assert rows(store, "speakers", "SELECT state FROM invitations") == [("released",)]
    assert rows(store, "venue", "SELECT state, owed_cents FROM bookings") == [("cancelled", 9000)]
    assert [str(finding) for finding in verify_store(store)] == []


# --- the tour -------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [80, 50])
def test_the_tour_ends_well_and_fits_the_terminal(columns: int) -> None:
    env = {"COLUMNS": str(columns), "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(TOUR, cwd=ROOT, env=env, capture_output=True, text=True, timeout=55, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= columns
    text = " ".join(done.stdout.split())
    assert "income 3,197.60" in text
    assert "given up: the board said no" in text
    assert "Given back: 1298.90 by the provider, 99.90 by hand" in text
    assert "kill -9 after 9 refunds" in text
    assert "Given back: 2598.00 by the provider, 0.00 by hand" in text


def test_a_directory_that_is_there_already_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--keep", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
