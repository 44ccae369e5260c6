"""The journal of a campaign in the words of those who plan it: which records are worth a line, and which line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from saga import Runtime

__all__ = ["Line", "lines_of"]

WORDS = {
    "task-done set_goals": "{by} has set the goals",
    "step-completed remind_board": "the board is reminded",
    "task-done approve_budget": "{by} has decided",
    "step-completed book_hall": "the hall is booked: {answer[hall]}, {answer[seats]} seats",
    "step-completed invite": "{topic}: {answer[speaker]} is invited",
    "step-completed remind": "{topic}: {speaker} is reminded",
    "step-completed engage": "{topic}: {speaker} says yes, for {answer[fee]}",
    "scope-failed declined": "{topic}: {speaker} declines",
    "scope-failed timeout": "{topic}: {speaker} has not answered, and is not waited for any more",
    "step-refused invite": "{topic}: nobody is left, the talk is dropped",
    "step-completed open_registration": "registration is open",
    "step-completed advertise": "an advertisement",
    "event-taken sold_out": "sold out: no more advertisements",
    "woke last_week": "the last week: no more advertisements",
    "step-completed close_registration": "the day: {answer[registered]} have registered",
    "task-done count_heads": "{by} has counted {answer[attended]} heads",
    "step-completed close_poll": "{answer[answers]} visitors have said how it was",
    "answered evaluation": "the evaluation is made",
    "scope-failed budget-refused": "given up: {reason}",
    "scope-failed called-off": "given up: {reason}",
    "step-completed stop": "nobody can register any more",
    "step-completed pay_back": "a payer gets the money back",
    "step-refused pay_back": "{reason}",
    "task-done transfer_by_hand": "{by} has paid by hand",
    "undo-completed open_registration": "everybody has the money back",
    "undo-completed engage": "{topic}: {speaker} is released",
    "undo-completed book_hall": "the hall is cancelled",
}
"""Kind of the record and name of the element (of a refusal: its code) → a template for the fields of the record."""


class Line(NamedTuple):
    """Something that happened to a saga."""

    at: datetime
    text: str
    about: str
    """Id that the saga has which was called by the visit at hand, if one was."""


def lines_of(company: Runtime, saga_id: str) -> Iterator[Line]:
    """Yield what has happened to a saga, in order; where there are no words for it, with an empty text."""
    known: dict[str, Any] = {}
    for entry in company.history(saga_id):
        fields = entry.data
        if entry.what == "started":
            known["topic"] = fields["input"].get("topic")
        if entry.what == "step-completed" and "speaker" in (fields["answer"] or {}):
            known["speaker"] = fields["answer"]["speaker"]
        element = entry.path.rpartition("/")[2].partition(".")[0]
        what = fields["code"] if entry.what == "scope-failed" else fields.get("element", element)
        words = WORDS.get(f"{entry.what} {what}", "")
        called = f"{saga_id}:{entry.path}"
        yield Line(entry.at, words.format(**known, **fields), called)
