"""Scenarios of one saga: given a flow, expect a command; given an answer, expect the next one.

    saga = scenario(step("reserve", undo="release"), step("pay"))
    saga.sends("reserve").answer("reserve").sends("pay").refuse("pay", "no-money")
    saga.sends("release").answer("release").ends("COMPENSATED")

Commands are called by the function that made them: a step by its name, a compensation by its own.
After each stimulus the journal is replayed from its bytes, which must lead to the same state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from reliability.model.author import Author, raw
from reliability.model.graphs import Blocks, calls, graph
from saga.machine import (
    NotPossible,
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
from saga.machine import records as r
from saga.machine import stimuli as s
from saga.machine.pending import REMIND
from saga.machine.state import Visit

__all__ = ["Author", "Scenario", "raw", "scenario"]


class Scenario:
    """One saga in memory, and its journal. Methods return the scenario, to be chained."""

    def __init__(
        self,
        *flow: Blocks,
        holds: Mapping[str, bool | list[bool]] = {},
        lists: Mapping[str, list[object]] = {},
        sleeps: int = 50,
        id: str = "trip-1",
        start_at: int = 0,
        event_id: str = "",
        deadline: int | None = None,
        parent: str = "",
        reply_to: str = "",
    ) -> None:
        self.graph = graph(*flow, deadline=deadline)
        to = {block.name: block.to for block in calls(*flow).values()}
        self.author = Author(holds, sleeps, lists, to)
        self.now = 0
        self.rows: list[bytes] = []
        self.last: list[Record] = []
        """The records of the last stimulus."""
        self.state: State | None = None
        self._start = s.Start(
            id, "Trip/1", raw({}), id, event_id=event_id, at=start_at, parent=parent, reply_to=reply_to
        )

    # --- given ------------------------------------------------------------------------------------

    def broken(self, *functions: str, kind: str = "function") -> Scenario:
        """These functions of the author raise from now on."""
        self.author.broken.update(dict.fromkeys(functions, kind))
        return self

    def mended(self, *functions: str) -> Scenario:
        """These functions work again."""
        for function in functions:
            del self.author.broken[function]
        return self

    def begun(self) -> Scenario:
        """The saga has begun."""
        return self._take(self._start)

    # --- when -------------------------------------------------------------------------------------

    def answer(self, name: str, value: object = None) -> Scenario:
        """The participant has carried out the command."""
        return self._take(s.Completed(self.path(name), raw(value)))

    def refuse(self, name: str, code: str = "no") -> Scenario:
        """The participant refuses the command."""
        return self._take(s.Refused(self.path(name), code, "sorry"))

    def fail(self, name: str, unknown: bool = False) -> Scenario:
        """An attempt at the command failed."""
        return self._take(s.Failed(self.path(name), "broke", unknown))

    def resolve(self, name: str, outcome: Any, value: object = None) -> Scenario:
        """The participant tells what became of the command."""
        return self._take(s.Resolved(self.path(name), outcome, raw(value)))

    def block(self, name: str, kind: str = "no-handler") -> Scenario:
        """The command, or the inquiry about it, cannot be delivered."""
        return self._take(s.Blocked(self.path(name), kind, "nobody there"))

    def event(self, name: str, event_id: str = "event-1") -> Scenario:
        """The event that a wait waits for is there."""
        return self._take(s.EventArrived(self.path(name), event_id, raw(event_id)))

    def answer_at(self, path: str, value: object = None) -> Scenario:
        """The command of this visit was carried out."""
        return self._take(s.Completed(path, raw(value)))

    def refuse_at(self, path: str, code: str = "no") -> Scenario:
        """The command of this visit is refused."""
        return self._take(s.Refused(path, code, "sorry"))

    def resolve_at(self, path: str, outcome: Any, value: object = None) -> Scenario:
        """What became of the command of this visit."""
        return self._take(s.Resolved(path, outcome, raw(value)))

    def event_at(self, path: str, event_id: str = "event-2") -> Scenario:
        """An event is there for a visit, which may be over."""
        return self._take(s.EventArrived(path, event_id, raw(event_id)))

    def decide(self, name: str = "", value: object = None, by: str = "ann") -> Scenario:
        """A person decides a task."""
        return self._take(s.Decide(raw(value), by, name))

    def assign(self, name: str, to: str) -> Scenario:
        """A task is for this person."""
        return self._take(s.Assign(to, "bob", name))

    def give_up(self) -> Scenario:
        """The caller of the saga does not want it any more."""
        return self._take(s.GiveUp("not wanted"))

    def reverse(self, reply_to: str = "book.1~1") -> Scenario:
        """The caller of the saga is undone."""
        return self._take(s.Reverse(reply_to))

    def at(self, now_ms: int) -> Scenario:
        """Move the time on; timers that are due fire, in due order."""
        while due := sorted((due, name) for name, due in self.pending.timers.items() if due <= now_ms):
            self.now, name = max(self.now, due[0][0]), due[0][1]
            self.timer(*name.split("|"))
            assert self.pending.timers.get(name) != due[0][0], f"{name} has fired, and is still due"
        self.now = now_ms
        return self

    def timer(self, path: str, kind: str) -> Scenario:
        """A timer fires, due or not."""
        return self._take(s.TimerFired(path, kind))

    def cancel(self) -> Scenario:
        return self._take(s.Cancel("changed my mind"))

    def retry(self, name: str = "") -> Scenario:
        return self._take(s.Retry("try again", name))

    def skip(self, name: str = "") -> Scenario:
        return self._take(s.Skip("not needed", name))

    def mark_done(self, name: str = "", value: object = None) -> Scenario:
        return self._take(s.MarkDone("did it by hand", raw(value), name))

    def suspend(self) -> Scenario:
        return self._take(s.Suspend("wait a bit"))

    def resume(self) -> Scenario:
        return self._take(s.Resume("go on"))

    def tell(self, stimulus: Stimulus) -> Scenario:
        """Anything at all happens, such as a message nobody waits for."""
        return self._take(stimulus)

    # --- then -------------------------------------------------------------------------------------

    def sends(self, *names: str) -> Scenario:
        """Exactly these commands are out."""
        assert sorted(sent.type for sent, _ in self.pending.commands.values()) == _types(names)
        return self

    def asks(self, *names: str) -> Scenario:
        """The outcome of exactly these commands is inquired."""
        assert sorted(sent.type for sent in self.pending.resolves.values()) == _types(names)
        return self

    def waits(self, *names: str) -> Scenario:
        """Exactly these events are waited for."""
        assert sorted(event for event, _ in self.pending.waits.values()) == _types(names)
        return self

    def calls(self, *names: str) -> Scenario:
        """Exactly these sagas are called, or undone, and wanted."""
        assert self._called(given_up=False) == sorted(names)
        return self

    def gives_up(self, *names: str) -> Scenario:
        """Exactly these sagas that were called are given up."""
        assert self._called(given_up=True) == sorted(names)
        return self

    def _called(self, *, given_up: bool) -> list[str]:
        out = self.pending.calls.values()
        return sorted(
            sent.to.split(" ")[1].removesuffix("/1") for sent, unwanted in out if unwanted is given_up
        )

    def tasks(self, *names: str) -> Scenario:
        """Exactly these tasks are open."""
        assert sorted(task.element for task in self.pending.tasks.values()) == sorted(names)
        return self

    def timers(self, **due: int) -> Scenario:
        """Exactly these timers are armed: `pay=100`, by the element or scope they belong to; a reminder is
        `pay_remind=100`."""
        found = {}
        for name, at in self.pending.timers.items():
            path, kind = name.split("|")
            element = path.split("/")[-1].rpartition(".")[0].replace("-", "_")
            found[f"{element}_remind" if kind == REMIND else element] = at
        assert found == due
        return self

    def knows(self, **values: object) -> Scenario:
        """Exactly these leaves have these values."""
        assert {name: json.loads(bytes(value)) for name, value in self._live.results.items()} == values
        return self

    def undoes(self, *names: str) -> Scenario:
        """Exactly these compensations follow, one after the other, and each is carried out."""
        for name in names:
            assert f"{name}/1" in [sent.type for sent, _ in self.pending.commands.values()]
            self.answer(name)
        return self

    def parked(self, **kinds: str) -> Scenario:
        """Exactly these visits are parked, for a reason of this kind; compensations go by their step."""
        assert {
            self._live.visits[path].element.replace("-", "_"): incident.kind
            for path, incident in self.pending.incidents.items()
        } == kinds
        assert (self._live.status == "PARKED") is bool(kinds)
        return self

    def status(self, status: str) -> Scenario:
        assert self._live.status == status
        return self

    def ends(self, status: str, code: str | None = None) -> Scenario:
        """The saga is over; refused with this code."""
        assert self._live.status == status
        assert self._live.status.ended
        assert self.pending == Pending()
        assert (self._live.failure and self._live.failure.code) == code
        return self

    def leaves(self, *kinds: type[Record]) -> Scenario:
        """The last stimulus left exactly these records."""
        assert [type(record) for record in self.last] == list(kinds)
        return self

    def impossible(self, action: Callable[[], object], match: str) -> Scenario:
        """The operator is told that this is not possible, and nothing changes."""
        with pytest.raises(NotPossible, match=match):
            action()
        assert self._replayed() == self.state
        return self

    # --- looking at it ------------------------------------------------------------------------------

    @property
    def _live(self) -> State:
        assert self.state is not None
        return self.state

    @property
    def pending(self) -> Pending:
        return pending(self._live)

    def visit(self, name: str) -> Visit:
        """Return the open visit whose command, or else whose element, has this name."""
        sent = [v for v in self._live.visits.values() if v.sent is not None and v.sent.type == f"{name}/1"]
        (found,) = sent or [v for v in self._live.visits.values() if v.element == name and v.undoes is None]
        return found

    def path(self, name: str) -> str:
        return self.visit(name).path

    def records(self) -> list[Record]:
        """Return the whole journal."""
        return [record for row in self.rows for record in decode_records(row)]

    def sent_order(self) -> list[str]:
        """Return the names of all commands ever sent, in order."""
        sent = [
            x for row in self.rows for x in decode_records(row) if isinstance(x, r.CommandSent | r.UndoSent)
        ]
        return [record.type.removesuffix("/1") for record in sent]

    # --- detail -------------------------------------------------------------------------------------

    def _take(self, stimulus: Stimulus) -> Scenario:
        self.state, self.last = decide(self.graph, self.state, stimulus, self.now, self.author)
        if self.last:
            self.rows.append(encode_records(self.last))
        assert self._replayed() == self.state
        return self

    def _replayed(self) -> State:
        return replay(record for row in self.rows for record in decode_records(row))


def _types(names: tuple[str, ...]) -> list[str]:
    return sorted(f"{name}/1" for name in names)


def scenario(*flow: Blocks, **options: Any) -> Scenario:
    """Return a scenario of this flow that has begun."""
    return Scenario(*flow, **options).begun()
