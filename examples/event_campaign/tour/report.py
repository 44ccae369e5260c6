"""What has become of a campaign, for a terminal: the days on which something happened, and the evaluation."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from examples.event_campaign.evaluation import Evaluation
from examples.event_campaign.tour.words import Line, lines_of
from examples.terminal import paragraph
from saga import Runtime

__all__ = ["evaluation_lines", "timeline_lines"]


def timeline_lines(company: Runtime, campaign_id: str, since: datetime) -> Iterator[str]:
    """Yield what has happened in a campaign and in the sagas that it called, and on which day; the same thing once a
    day, with how often."""
    lines = (line for line in _merged(company, campaign_id) if line.at >= since)
    for day, lines_of_day in groupby(lines, key=lambda line: line.at.date()):
        date = f"{day:%d %b %Y}"
        for text, count in Counter(line.text for line in lines_of_day).items():
            times = f" ({count} times)" if count > 1 else ""
            yield paragraph(text + times, f"  {date:<11}  ", " " * 15)
            date = ""


def _merged(company: Runtime, campaign_id: str) -> Iterator[Line]:
    """Yield the lines of a campaign and of what it called, causes before effects.

    In virtual time much happens in the same moment. So what was called by a visit goes before the end of that visit.
    """
    ids = [row.id for row in company.list(limit=10_000) if row.id.startswith(f"{campaign_id}:")]
    called = {id: deque(lines_of(company, id)) for id in sorted(ids)}
    for line in lines_of(company, campaign_id):
        yield from _taken(called.values(), line.at - timedelta(milliseconds=1))
        ended = (line.about, line.about.removesuffix("~1"))  # what undoes a call undoes what was called
        yield from _taken([called[id] for id in ended if id in called], line.at)
        if line.text:
            yield line


def _taken(called: Iterable[deque[Line]], until: datetime) -> Iterator[Line]:
    """Take the lines until this time out of each, and yield those that have a text, the earliest first."""
    taken = [lines.popleft() for lines in called for _ in range(len(lines)) if lines[0].at <= until]
    yield from (line for line in sorted(taken, key=lambda line: line.at) if line.text)


def evaluation_lines(found: Evaluation) -> Iterator[str]:
    """Yield the evaluation as a table."""
    goals, costs = found.goals, found.costs
    share = f"{100 * found.attended / found.registered:.0f} % of them" if found.registered else ""
    mean = "nobody has said" if found.satisfaction is None else f"{found.satisfaction}"
    for name, value, note in (
        ("talks", f"{found.talks}", ""),
        ("registered", f"{found.registered}", f"the goal was {goals.attendees}"),
        ("attended", f"{found.attended}", share),
        ("income", _money(found.income), ""),
        ("hall", _money(costs.hall), ""),
        ("speakers", _money(costs.speakers), ""),
        ("promotion", _money(costs.promotion), ""),
        ("cost", _money(costs.total), f"the budget was {_money(goals.budget)}"),
        ("result", _money(found.result), ""),
        ("satisfaction", mean, f"of {found.answers} answers; the goal was {goals.satisfaction}"),
    ):
        yield paragraph(f"{name:<12} {value:>10}  {note}", "  ", " " * 27)


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"
