"""Sagas that call sagas: the called one is started, given up or undone, and its caller hears of its end.

A command that a saga answers (`class CollectPayment(Saga[TakePayment], context=Payment)`) is the same as a `@call`: a
visit of the caller whose command goes to a saga.

Rules
1. What one saga does to another happens in the batch, and so in the commit, in which its cause is recorded. Nothing is
   sent that could be lost; after a crash there is nothing to be sent again.
2. What is to be done follows from the difference of `pending(...).calls` before and after what happened to the caller,
   and from the called saga's having ended. Doing it twice does no harm: the id of the called one is the command's.
3. A caller that does not want it any more (`given up`) waits for the end all the same: only then is known what it did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Raw

from saga.codec import codec_for
from saga.coordination.definitions import Definitions
from saga.coordination.guard import describe
from saga.coordination.instances import Instance
from saga.coordination.requests import Start
from saga.log import Log
from saga.machine import Status, Stimulus, command_id, pending
from saga.machine import stimuli as s
from saga.machine.state import Phase, Sent, Visit, called

if TYPE_CHECKING:
    from saga.coordination.ledger import Ledger

__all__ = ["Calls"]

log = Log("saga.coordinator")

MOST_CALLS = 10_000
"""How many sagas one saga may lead to within one batch, through those that it calls. What calls without ever waiting
would fill it for ever."""

LONGEST_ID = 2_000
"""Characters of the id of a called saga: it grows with the depth of the calls, which must have an end. (The id of the
saga that was started may have 500.)"""

NULL = Raw(b"null")


class Calls:
    """What sagas that are linked by calls do to each other, in the batch at hand."""

    def __init__(
        self,
        ledger: Ledger,
        definitions: Definitions,
        happen: Callable[[Instance, Stimulus, str | None], bool],
    ) -> None:
        """`happen` lets something happen to a saga, guarded, and returns whether it did."""
        self._ledger, self._definitions = ledger, definitions
        self._happen = happen
        self._begun: Counter[int] = Counter()
        self._origins: dict[int, int] = {}
        """Of a saga that this batch has started: the one which was there before and has led to it."""

    def open(self) -> None:
        """Begin a batch."""
        if self._begun:
            self._begun, self._origins = Counter(), {}

    def follow(self, instance: Instance) -> None:
        """Something has happened to a saga that calls others, or was called: do what follows from it."""
        state = instance.state
        before, after = instance.calls, pending(state).calls
        instance.calls = after
        for path, (sent, given_up) in after.items():
            known = before.get(path)
            if given_up:
                if known is None or not known[1]:
                    self._give_up(instance, path)
            elif known is None:
                self._begin(instance, path, sent)
        over = state.ended is not None
        if over and not instance.told and state.parent:
            self._tell(instance)
        instance.told = over

    # --- from the caller to the called --------------------------------------------------------------

    def _begin(self, caller: Instance, path: str, sent: Sent) -> None:
        if sent.is_reversal:
            self._reverse(caller, caller.state.visits[path])
            return
        saga_id = command_id(caller.state.id, path)
        there = self._ledger.find(saga_id)
        if there is not None and not _called_by(caller, there):
            what = f"the id {saga_id!r} is taken by a saga that it did not call; retry (with another id), or skip it"
            self._block(caller, path, "store", what)
        elif there is None:
            self._start(caller, path, sent, saga_id)
        elif there.state.ended is not None:  # what its caller knew of it was lost
            self._tell(there)

    def _start(self, caller: Instance, path: str, sent: Sent, saga_id: str) -> None:
        origin = self._origins.get(caller.no, caller.no)
        self._begun[origin] += 1
        if len(saga_id) > LONGEST_ID or self._begun[origin] > MOST_CALLS:
            what = f"sagas call each other without an end: by now {saga_id.count(':')} deep, or {MOST_CALLS:,} at once"
            self._block(caller, path, "function", what)
            return
        name, version = called(sent.to)
        definition = self._definitions.find(name, version)
        if definition is None:
            what = f"{name} version {version} is not known to this runtime; add its class to Runtime(sagas=[...])"
            self._block(caller, path, "no-handler", what)
            return
        try:
            value = codec_for(definition.input).decode(bytes(sent.command))
        except BaseException as error:  # its class has become stricter since
            what = f"the input of {name} cannot be read: {describe(error, trace=False)}"
            self._block(caller, path, "function", what)
            return
        correlation = caller.state.correlation
        start = Start(definition, saga_id, sent.command, value, {}, 0, correlation, saga_id)
        try:
            instance = self._ledger.start(start._replace(parent=caller.state.id, reply_to=path))
        except Exception as error:  # a bug of ours: it costs this call, and nobody else anything
            self._ledger.discard_start(saga_id)
            log.error("start_failed", saga_id=saga_id, reason=describe(error))
            self._block(caller, path, "poison", f"the start of {name} failed: {describe(error, trace=False)}")
            return
        instance.caller_no = caller.no
        self._origins[instance.no] = origin

    def _block(self, caller: Instance, path: str, kind: str, reason: str) -> None:
        self._happen(caller, s.Blocked(path, kind, reason), None)

    def _give_up(self, caller: Instance, path: str) -> None:
        """The caller does not want what it has called any more, and waits for its end; or it was never started."""
        there = self._ledger.find(command_id(caller.state.id, path))
        if there is None or not _called_by(caller, there):
            self._happen(caller, s.Resolved(path, "not-done"), None)
        elif there.state.ended is not None:
            self._tell(there)
        else:
            self._turn_back(there, s.GiveUp("its caller does not want it any more"), caller, path)

    def _reverse(self, caller: Instance, visit: Visit) -> None:
        """The caller is being undone, and with it what it has called."""
        assert visit.undoes is not None
        saga_id, path = command_id(caller.state.id, visit.undoes.path), visit.path
        there = self._ledger.find(saga_id)
        if there is None or not _called_by(caller, there):
            what = f"saga {saga_id!r}, which is to be undone, is not there; undo by hand what was done, and skip it"
            self._block(caller, path, "store", what)
        elif there.state.ended is Status.COMPLETED:
            self._turn_back(there, s.Reverse(path), caller, path)
        elif there.state.ended is not None:
            self._happen(caller, s.Completed(path, NULL), saga_id)
        else:
            what = f"saga {saga_id!r}, which is to be undone, has not ended; cancel it, and retry"
            self._block(caller, path, "store", what)

    def _turn_back(
        self, there: Instance, stimulus: s.GiveUp | s.Reverse, caller: Instance, path: str
    ) -> None:
        cause = caller.state.id if isinstance(stimulus, s.GiveUp) else command_id(caller.state.id, path)
        if not self._happen(there, stimulus, cause):  # a bug of ours; else its caller would wait for ever
            what = f"saga {there.state.id!r} could not be told to turn back, see the log; retry"
            self._block(caller, path, "poison", what)

    def lost(self, caller: Instance, reason: str) -> None:
        """What happened to a caller could not be stored. It goes on waiting for those that run; what it should have
        heard of the others, or should have done to them, a person lets happen again."""
        for path in caller.pending.calls:
            undoes = caller.state.visits[path].undoes
            there = self._ledger.find(command_id(caller.state.id, path if undoes is None else undoes.path))
            if there is None or there.state.ended is not None or not _called_by(caller, there):
                self._ledger.apply(caller, s.Blocked(path, "poison", reason), None)

    # --- from the called to the caller --------------------------------------------------------------

    def _tell(self, instance: Instance) -> None:
        """A called saga has ended: its caller hears of it."""
        state = instance.state
        known = instance.caller_no
        caller = self._ledger.cache.get(known) if known else self._ledger.find(state.parent)
        if caller is None:
            log.error("caller_not_found", saga_id=state.id, caller=state.parent)
            return
        visit = caller.state.visits.get(state.reply_to)
        if visit is not None:
            caller.author.forget(visit.element)
            self._happen(caller, _end_of(instance, visit), state.id)


def _called_by(caller: Instance, there: Instance) -> bool:
    """Return whether a saga whose id is that of a call was called, or only happens to have this id."""
    return there.state.parent == caller.state.id


def _end_of(instance: Instance, visit: Visit) -> Stimulus:
    """Return what the end of a called saga means to the visit that waits for it."""
    state, path = instance.state, visit.path
    if visit.sent is not None and visit.sent.is_reversal:
        return s.Completed(path, NULL)
    inquired = visit.phase is Phase.RESOLVING
    if state.ended is Status.COMPLETED:
        answer = state.answer if state.answer is not None else NULL
        return s.Resolved(path, "done", answer) if inquired else s.Completed(path, answer)
    if inquired:
        return s.Resolved(path, "not-done")
    failure = state.failure
    assert failure is not None
    return s.Refused(path, failure.code, failure.reason)
