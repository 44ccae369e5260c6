"""When a cron expression is due in a zone, and which runs were missed: calculation only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saga.coordination.cron import Recurrence, runs_due

BERLIN = "Europe/Berlin"


def ms(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


def times(cron: str, zone: str, start: datetime, days: float) -> list[str]:
    """Return the times of so many days, in UTC, found one after the other, each from the one before."""
    recurrence, now = Recurrence(cron, zone), int(start.timestamp() * 1000)
    end, found = now + int(days * 86_400_000), []
    while (following := recurrence.next_after(now)) is not None and following <= end:
        found.append(f"{datetime.fromtimestamp(following / 1000, UTC):%d %H:%M}")
        now = following
    return found


SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)

CHANGES = {
    "there is no such time: the first that there is": ("30 2 * * *", SPRING, ["29 01:00", "30 00:30"]),
    "two that there are not: one": ("0,30 2 * * *", SPRING, ["29 01:00", "30 00:00", "30 00:30"]),
    "one that there is not, and one that comes anyway": (
        "0 2,3 * * *",
        SPRING,
        ["29 01:00", "30 00:00", "30 01:00"],
    ),
    "twice, and once": ("30 2 * * *", AUTUMN, ["25 00:30", "26 01:30"]),
    "twice, and both once": ("0,30 2 * * *", AUTUMN, ["25 00:00", "25 00:30", "26 01:00", "26 01:30"]),
    "with a star in spring the wall counts": (
        "0 */2 29 3 *",
        SPRING,
        ["28 23:00", *(f"29 {hour:02}:00" for hour in range(2, 22, 2))],
    ),
    "with a star in autumn, too": (
        "30 */2 25 10 0",
        AUTUMN,
        ["24 22:30", "25 00:30", "25 01:30", *(f"25 {hour:02}:30" for hour in range(3, 23, 2))],
    ),
    "with seconds, too": ("0 30 2 * * *", AUTUMN, ["25 00:30", "25 01:30", "26 01:30"]),
}


@pytest.mark.parametrize(("cron", "start", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_times_when_clocks_are_changed_are_those_of_debian(
    cron: str, start: datetime, expected: list[str]
) -> None:
    assert times(cron, BERLIN, start, 2.4 if "29 3" not in cron else 1.4) == expected


@pytest.mark.parametrize("minute", range(0, 181, 7))
@pytest.mark.parametrize(
    "cron", ["30 2 * * *", "0,45 2 * * *", "15 1,2,3 * * *", "*/20 * * * *", "0 30 2 * * *"]
)
def test_the_next_time_lies_ahead_whenever_it_is_asked_for(cron: str, minute: int) -> None:
    """Also from within the hour that there is twice, where cronsim goes back to the first one."""
    for start in (datetime(2026, 10, 24, 23, 30, tzinfo=UTC), datetime(2026, 3, 29, 0, 0, tzinfo=UTC)):
        now = int((start + timedelta(minutes=minute)).timestamp() * 1000)
        following = Recurrence(cron, BERLIN).next_after(now)
        assert following is not None
        assert now < following <= now + 86_400_000 + 3_600_000


ZONES = [
    "UTC",
    BERLIN,
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Kathmandu",
    "Asia/Beirut",
]
FIELDS = st.tuples(
    st.sampled_from(["0", "30", "*/15", "5,50", "*"]),
    st.sampled_from(["0", "2", "0,1,2,3", "*/2", "*", "23"]),
    st.sampled_from(["*", "1", "28-31", "L"]),
    st.sampled_from(["*", "3", "10,11", "3-4"]),
    st.sampled_from(["*", "0", "MON-FRI", "SUN#4"]),
)
CHANGED = [(3, 8), (3, 29), (4, 5), (10, 25), (11, 1)]
"""Days of 2026 on which clocks are changed somewhere."""


@settings(max_examples=150)
@given(
    FIELDS,
    st.sampled_from(ZONES),
    st.sampled_from(CHANGED),
    st.integers(-3 * 86_400, 86_400),
    st.integers(1, 20),
)
def test_the_times_are_the_same_from_wherever_they_are_counted(
    fields: tuple[str, ...], zone: str, day: tuple[int, int], before_s: int, count: int
) -> None:
    recurrence = Recurrence(" ".join(fields), zone)
    start = int(datetime(2026, *day, tzinfo=ZoneInfo(zone)).timestamp() + before_s) * 1000
    end = start + 3 * 86_400_000
    one_by_one, now = [], start
    while (following := recurrence.next_after(now)) is not None and following <= end:
        assert following > now
        assert following % 1000 == 0
        one_by_one.append(following)
        now = following
    assert recurrence.latest(start, end, 100_000) == one_by_one
    assert recurrence.latest(start, end, count) == one_by_one[-count:]


def test_between_two_seconds_the_next_one_counts() -> None:
    recurrence = Recurrence("* * * * * *", "UTC")
    assert recurrence.next_after(ms(2026, 1, 1)) == ms(2026, 1, 1) + 1_000
    assert recurrence.next_after(ms(2026, 1, 1) + 1) == ms(2026, 1, 1) + 1_000
    assert recurrence.next_after(ms(2026, 1, 1) - 1) == ms(2026, 1, 1)


def test_a_time_that_does_not_come_any_more_is_none() -> None:
    assert Recurrence("0 0 1 1 *", "UTC").next_after(ms(9999, 6, 1)) is None


NIGHTLY, FIRST = Recurrence("0 3 * * *", "UTC"), ms(2026, 1, 1, 3)
DAYS = [ms(2026, 1, day, 3) for day in range(1, 10)]


@pytest.mark.parametrize(
    ("missed", "was_down", "expected"),
    [
        ("skip", True, []),
        ("skip", False, DAYS[2:3]),
        ("once", True, DAYS[2:3]),
        ("once", False, DAYS[2:3]),
        ("all", True, DAYS[:3]),
        ("all", False, DAYS[:3]),
    ],
)
def test_of_three_runs_that_are_due_some_are_started_by_policy(
    missed: str, was_down: bool, expected: list[int]
) -> None:
    runs = runs_due(NIGHTLY, FIRST, ms(2026, 1, 3, 12), missed, was_down=was_down, at_most=64)
    assert runs == (expected, DAYS[3])


@pytest.mark.parametrize("missed", ["skip", "once", "all"])
def test_what_is_not_due_is_not_started(missed: str) -> None:
    runs = runs_due(NIGHTLY, FIRST, FIRST - 1, missed, was_down=True, at_most=64)
    assert runs == ([], FIRST)


def test_what_does_not_fit_stays_due() -> None:
    runs = runs_due(NIGHTLY, FIRST, ms(2026, 1, 5, 12), "all", was_down=True, at_most=2)
    assert runs == (DAYS[:2], DAYS[2])


@pytest.mark.parametrize("missed", ["once", "all"])
def test_what_was_due_is_started_also_when_its_zone_has_changed_its_mind(missed: str) -> None:
    """The rules of a zone were others when the time was stored."""
    odd = FIRST + 1_800_000
    runs = runs_due(NIGHTLY, odd, odd, missed, was_down=True, at_most=64)
    assert runs == ([odd], DAYS[1])


def test_after_the_year_9999_nothing_is_due() -> None:
    recurrence = Recurrence("0 0 1 12 *", "UTC")
    assert recurrence.latest(ms(9999, 1, 1), ms(9999, 12, 31), 3) == [ms(9999, 12, 1)]
    assert recurrence.latest(ms(9990, 1, 1), ms(9999, 12, 31), 2) == [ms(9998, 12, 1), ms(9999, 12, 1)]
    assert recurrence.next_after(ms(9999, 12, 1)) is None
