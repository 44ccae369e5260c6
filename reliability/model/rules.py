"""The rules of the step protocol, each of which can be switched off: the search must then find what breaks.

Those of the world are fields of `Search`. Those of the machine are taken out of the real one, for as long as a search
takes: one function, or one entry of a table, is replaced by one that does without the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from saga.machine import advancing
from saga.machine import records as r
from saga.machine import stimuli as s
from saga.machine.state import Done, Phase, ScopeInstance, State
from saga.machine.turn import Turn

__all__ = ["RULES", "Rule"]


@dataclass(frozen=True)
class Rule:
    """One rule: how the search goes without it, and the flows in which that must be found."""

    flows: tuple[str, ...]
    """The quickest one first."""
    world: str = ""
    """A field of `Search` that is false without it."""
    taken_out: tuple[tuple[str, str | tuple[str, type], Any], ...] = ()
    """Module of the machine; name in it, or table in it and key; what stands there without the rule."""

    @contextmanager
    def off(self) -> Iterator[dict[str, bool]]:
        """Take the rule out of the machine. The value is what `Search` needs to be told."""
        with ExitStack() as stack:
            for module, name, without in self.taken_out:
                stack.enter_context(_replaced(module, name, without))
            yield {self.world: False} if self.world else {}


@contextmanager
def _replaced(module: str, name: str | tuple[str, type], by: Any) -> Iterator[None]:
    within: dict[Any, Any] = vars(import_module(f"saga.machine.{module}"))
    key: Any = name
    if isinstance(name, tuple):
        within, key = within[name[0]], name[1]
    before = within[key]
    within[key] = by
    try:
        yield
    finally:
        within[key] = before


def _machine(module: str) -> Any:
    """Return a module of the machine; the package has functions of the same names."""
    return import_module(f"saga.machine.{module}")


# --- the machine without one of its rules ------------------------------------------------------------

_hearing = _machine("hearing")
_evolve = _machine("evolve")


def _not_inquired(take: Callable[[Turn, Any], None]) -> Callable[[Turn, Any], None]:
    """What leads to an inquiry is taken for "not done" instead."""

    def without(turn: Turn, stimulus: Any) -> None:
        take(turn, stimulus)
        visit = turn.state.visits.get(stimulus.path)
        if visit is not None and visit.phase is Phase.RESOLVING:
            _hearing._found_not_done(turn, visit, "so it seems")

    return without


def _nothing_is_inquired(turn: Turn, scope: str, why: str) -> None:
    for visit in list(turn.state.visits.values()):
        if visit.scope == scope and visit.undoes is None and visit.phase is not Phase.RESOLVING:
            turn.record(r.StepDropped(visit.path, why))


def _unknown_is_not_done(turn: Turn, visit: Any) -> None:
    _hearing._found_not_done(turn, visit, "so it seems")


def _found_done_is_forgotten(turn: Turn, visit: Any, answer: Any) -> None:
    _hearing._found_not_done(turn, visit, "it came too late")


def _arrive_anywhere(turn: Turn, scope: str, node_id: str) -> None:
    if scope in turn.state.scopes:
        node = turn.graph.nodes[node_id]
        advancing._ARRIVE[type(node)](turn, scope, node)


def _undo(of: Callable[[list[Done]], list[Done]]) -> Callable[[Turn, ScopeInstance], bool]:
    def undo_next(turn: Turn, scope: ScopeInstance) -> bool:
        left = [done for done in scope.done if done.order > scope.keep]
        for done in of(left):
            _machine("undoing")._send(turn, scope, done)
        return bool(left)

    return undo_next


def _any_to_be_undone(scope: ScopeInstance, path: str) -> Done:
    return next(done for done in scope.done if done.path == path)


def _undo_over_and_over(state: State, record: r.UndoCompleted | r.UndoSkipped) -> None:
    visit = _machine("visiting").close_visit(state, record.path)
    assert visit.undoes in state.scopes[visit.scope].done


def _step_completed_without_pivot(state: State, record: r.StepCompleted) -> None:
    _evolve._step_completed(
        state, r.StepCompleted(record.path, record.answer, record.undo, False, record.via)
    )


def _event_taken_and_forgotten(state: State, record: r.EventTaken) -> None:
    _evolve._event_taken(state, record)
    state.used_events.discard(record.event_id)


def _joined_at_once(state: State, record: r.JoinReached) -> None:
    state.scopes[record.scope].joins.pop(record.element, None)


def _not_held(turn: Turn, stimulus: s.Stimulus) -> None:
    decide = _machine("decide")
    if isinstance(stimulus, s.Resume):
        turn.record(r.Resumed(stimulus.reason))
    else:
        decide._TAKE[type(stimulus)](turn, stimulus)


def _cancelled_behind_a_pivot(turn: Turn) -> str | None:
    return None


_BOTH = ("two steps", "two branches")
RULES: dict[str, Rule] = {
    "an inquiry makes a command void (tombstone)": Rule(_BOTH, world="tombstones"),
    "a repeated command is answered from the inbox": Rule(_BOTH, world="dedupe"),
    "nothing leaves before it is on disk": Rule(("two steps",), world="stored_before_sent"),
    "a gateway says when it does not know": Rule(("a gateway",), world="unknown_is_told"),
    "an unknown outcome is compensated": Rule(
        ("a gateway",), taken_out=(("hearing", "_found_unknown", _unknown_is_not_done),)
    ),
    "what is found done is undone, too": Rule(
        _BOTH, taken_out=(("hearing", "_found_done", _found_done_is_forgotten),)
    ),
    "a late success does not resume the flow": Rule(
        _BOTH, taken_out=(("decide", "arrive", _arrive_anywhere),)
    ),
    "before undoing, what is open is inquired": Rule(
        ("two branches",), taken_out=(("failing", "_resolve_open", _nothing_is_inquired),)
    ),
    "out of attempts, the outcome is inquired": Rule(
        _BOTH, taken_out=(("decide", ("_TAKE", s.Failed), _not_inquired(_hearing.failed)),)
    ),
    "out of time, the outcome is inquired": Rule(
        _BOTH,
        taken_out=(("decide", ("_TAKE", s.TimerFired), _not_inquired(_machine("timing").timer_fired)),),
    ),
    "in the reverse of the order of completion": Rule(
        ("two branches and a step",),
        taken_out=(
            ("decide", "undo_next", _undo(lambda left: left[:1])),
            ("evolve", "_to_be_undone", _any_to_be_undone),
        ),
    ),
    "one compensation at a time": Rule(
        ("two branches and a step",),
        taken_out=(
            ("decide", "undo_next", _undo(lambda left: left[::-1])),
            ("evolve", "_to_be_undone", _any_to_be_undone),
        ),
    ),
    "a completion is undone once": Rule(
        _BOTH, taken_out=(("evolve", ("_APPLY", r.UndoCompleted), _undo_over_and_over),)
    ),
    "behind a pivot there is no way back": Rule(
        ("a pivot",), taken_out=(("evolve", ("_APPLY", r.StepCompleted), _step_completed_without_pivot),)
    ),
    "no cancel while a pivot is under way": Rule(
        ("a pivot",), taken_out=(("failing", "cancel_refusal", _cancelled_behind_a_pivot),)
    ),
    "an event is used once": Rule(
        ("two waits for one event",),
        taken_out=(("evolve", ("_APPLY", r.EventTaken), _event_taken_and_forgotten),),
    ),
    "a join waits for all branches": Rule(
        ("two branches and a step",), taken_out=(("evolve", ("_APPLY", r.JoinReached), _joined_at_once),)
    ),
    "a suspended saga does not move": Rule(
        ("a saga that is suspended",), taken_out=(("decide", "_while_suspended", _not_held),)
    ),
}
"""What is promised, and how it is taken away."""
