"""Leads one saga of any graph from its start to its end, with answers by chance, and checks it all the way."""

from __future__ import annotations

from random import Random

from msgspec import Raw

from reliability.model.invariants import check_journal, check_state, hold
from reliability.model.order import what_was_done_is_undone_in_reverse
from reliability.model.tokens import check_tokens
from saga.flow.graph import Graph
from saga.machine import (
    Pending,
    Record,
    State,
    Stimulus,
    decide,
    decode_records,
    encode_records,
    pending,
    replay,
)
from saga.machine import stimuli as s
from saga.machine.state import Done, Item, Sent

__all__ = ["lead_to_its_end"]

NULL = Raw(b"null")
PATIENCE = 400
"""Stimuli after which all goes well, and no condition holds any more that would keep a saga going."""
MOST = 5_000


class _Author:
    """Functions that say anything."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.numbers = 0

    def command(self, element: str, item: Item | None) -> Sent:
        self.numbers += 1
        return Sent(f"{element}/1", NULL, "context", self.numbers)

    def undo(self, function: str, done: Done) -> Sent:
        self.numbers += 1
        return Sent(f"{function}/1", NULL, "context", self.numbers)

    def key(self, element: str, item: Item | None) -> str:
        return "key"

    def wake_at(self, element: str, item: Item | None, now_ms: int) -> int:
        return now_ms + 10

    def condition(self, name: str, item: Item | None) -> bool:
        return self.rng.random() < 0.5

    def answer(self, element: str, item: Item | None) -> Raw:
        return NULL

    def subject(self, element: str, item: Item | None) -> Raw:
        return NULL

    def event(self, element: str, item: Item | None) -> tuple[str, str | None, Raw]:
        return f"{element}/1", "key", NULL

    def items(self, element: str, item: Item | None) -> list[Raw]:
        return [NULL] * self.rng.randrange(4)


def lead_to_its_end(graph: Graph, rng: Random) -> None:
    """Raise Violation when something does not hold on the way, or there is no end."""
    author, rows = _Author(rng), []
    now = 0
    state, records = decide(graph, None, s.Start("saga-1", graph.input, NULL, "saga-1"), now, author)
    rows.append(_stored(records))
    for turn in range(MOST):
        out = pending(state)
        check_state(state, out)
        if state.ended:
            break
        now, stimulus = _next(rng, out, state, now, turn)
        state, records = decide(graph, state, stimulus, now, author)
        if records:
            rows.append(_stored(records))
    hold(state.ended, f"it has not ended after {MOST} stimuli")
    records = [record for row in rows for record in row]
    hold(replay(records) == state, "replay leads to another state")
    check_journal(records)
    what_was_done_is_undone_in_reverse(records)
    check_tokens(graph, rows)


def _stored(records: list[Record]) -> list[Record]:
    return decode_records(encode_records(records))


def _next(rng: Random, out: Pending, state: State, now: int, turn: int) -> tuple[int, Stimulus]:
    """Return what happens next, and when; mostly good."""
    well = turn > PATIENCE or rng.random() < 0.7
    choices: list[Stimulus] = []
    for path, (sent, given_up) in out.calls.items():
        choices.append(s.Resolved(path, "not-done") if given_up else _ended(path, well or sent.is_reversal))
    for path in out.commands:
        choices.append(_ended(path, well or "~" in path))
    for path in out.resolves:
        choices.append(s.Resolved(path, "done" if rng.random() < 0.5 else "not-done", NULL))
    choices += [s.EventArrived(path, f"event-{turn}", NULL) for path in out.waits]
    choices += [s.Decide(NULL, "", path) for path in out.tasks]
    choices += [s.Retry("again", path) for path in out.incidents]
    if turn < PATIENCE and rng.random() < 0.02:
        choices.append(s.GiveUp("enough"))
    timers = sorted((due, name) for name, due in out.timers.items())
    if timers and (not choices or rng.random() < 0.2):
        due, name = timers[0]
        return max(now, due), s.TimerFired(*name.split("|"))
    hold(choices, "it waits for nothing")
    # what waits beside a scope comes again and again: then it would never end
    hosted = {visit.path for visit in state.visits.values() if visit.host}
    ends = [each for each in choices if getattr(each, "path", "") not in hosted]
    return now, rng.choice(ends if ends and turn > PATIENCE else choices)


def _ended(path: str, well: bool) -> Stimulus:
    return s.Completed(path, NULL) if well else s.Refused(path, "x", "no")
