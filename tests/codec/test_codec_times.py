"""Dates with times: the moment, the wall clock and the offset are kept; what would be lost is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from saga.codec import codec_for
from saga.errors import NotEncodable

BERLIN = ZoneInfo("Europe/Berlin")
SUMMER_TIME_ENDS = datetime(2020, 10, 25, 2, 30, tzinfo=BERLIN)
SUMMER_TIME_BEGINS = datetime(2020, 3, 29, 2, 30, tzinfo=BERLIN)


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize(
    "moment", [SUMMER_TIME_ENDS, SUMMER_TIME_BEGINS, datetime(2020, 7, 1, tzinfo=BERLIN)]
)
def test_time_of_a_zone_keeps_moment_and_offset(moment: datetime, fold: int) -> None:
    """Python holds the hours when clocks change unequal to any of another zone; they are stored still."""
    moment = moment.replace(fold=fold)
    _, twin = codec_for(datetime).roundtrip(moment)

    assert twin.astimezone(UTC) == moment.astimezone(UTC)
    assert twin.utcoffset() == moment.utcoffset()
    assert twin.replace(tzinfo=None) == moment.replace(tzinfo=None)


def test_naive_datetime_stays_naive() -> None:
    naive = datetime(2020, 1, 1, 12)  # noqa: DTZ001

    assert codec_for(datetime).roundtrip(naive)[1] == naive
    assert codec_for(datetime).roundtrip(naive)[1].tzinfo is None


class NoOffset(tzinfo):
    """A zone that does not know its offset, which makes a datetime naive that does not look so."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> None:
        return None


class BadOffset(NoOffset):
    def utcoffset(self, moment: datetime | None) -> None:
        raise SystemExit("no offset today")


@pytest.mark.parametrize(
    ("tp", "value"),
    [
        (datetime, datetime(2020, 1, 1, fold=1)),  # noqa: DTZ001
        (datetime, datetime(2020, 1, 1, tzinfo=NoOffset())),
        (datetime, datetime(2020, 1, 1, tzinfo=BadOffset())),
        (datetime, datetime(2020, 1, 1, tzinfo=timezone(timedelta(seconds=30)))),
        (datetime, datetime(1900, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam"))),
        (datetime, date(2020, 1, 1)),
        (date, datetime(2020, 1, 1, tzinfo=UTC)),
        (time, time(2, 30, fold=1)),
        (time, time(2, 30, tzinfo=BERLIN)),
        (timedelta, 5),
        (datetime, 1_600_000_000),
        (datetime, "2020-01-01T00:00:00Z"),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else "",
)
def test_time_that_would_come_back_as_another_is_refused(tp: Any, value: Any) -> None:
    with pytest.raises(NotEncodable):
        codec_for(tp).encode(value)


def test_repeated_hour_is_stored_inside_of_containers_too() -> None:
    value: dict[str, tuple[datetime | None, ...]] = {"a": (SUMMER_TIME_ENDS.replace(fold=1), None)}
    _, twin = codec_for(dict[str, tuple[datetime | None, ...]]).roundtrip(value)

    assert twin["a"][0] is not None
    assert twin["a"][0].isoformat() == "2020-10-25T02:30:00+01:00"
